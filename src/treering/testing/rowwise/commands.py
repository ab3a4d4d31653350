"""Commands over tables, one function each, by the name of the command's class."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.testing.rowwise import aggregates
from treering.testing.rowwise.expressions import value
from treering.testing.rowwise.table import BIGINT, STRING, Row, Table, key, wider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from treering.query.syntax import Name


def where(table: Table, command: Any) -> Table:
    """Rows whose condition is true: null is not."""
    test = value(command.condition, table.columns)
    return table.with_rows([row for row in table.rows if test.of(row) is True])


def fields(table: Table, command: Any) -> Table:
    """Some columns in the order written, or all but some."""
    names = [name.name for name in command.names]
    kept = [name for name in table.columns if name not in names] if command.dropped else names
    return _shown(table, list(dict.fromkeys(kept)))


def _shown(table: Table, names: Sequence[str]) -> Table:
    rows = [{name: row[name] for name in names} for row in table.rows]
    return Table({name: table.columns[name] for name in names}, rows, table.stored, table.ordered)


def evaluate(table: Table, command: Any) -> Table:
    """Computed columns, one after the other; each goes to the end, also where it replaces one."""
    for target, node in command.clauses:
        name, found = target.name, value(node, table.columns)
        rows = [{**_without(row, name), name: found.of(row)} for row in table.rows]
        table = Table({**_without(table.columns, name), name: found.type}, rows, table.stored, table.ordered)
    return table


def _without(items: Any, *names: str) -> dict[str, Any]:
    return {key: item for key, item in items.items() if key not in names}


def rename(table: Table, command: Any) -> Table:
    """New names in the old places."""
    for old, new in command.clauses:
        names = {name: new.name if name == old.name else name for name in table.columns}
        rows = [{names[name]: row[name] for name in names} for row in table.rows]
        columns = {names[name]: kind for name, kind in table.columns.items()}
        table = Table(columns, rows, table.stored, table.ordered)
    return table


def sort(table: Table, command: Any) -> Table:
    """Rows by their keys, null least; equal rows keep their order."""
    rows = list(table.rows)
    for each in reversed(command.keys):
        rows.sort(key=lambda row, name=each.name.name: key(row[name]), reverse=each.descending)  # type: ignore[misc]
    found = Table(table.columns, rows, table.stored, ordered=True)
    return _cut(found, rows[: command.count]) if command.count else found


def head(table: Table, command: Any) -> Table:
    """The first rows."""
    return _cut(table, table.rows[command.offset : command.offset + command.count])


def _cut(table: Table, rows: Sequence[Row]) -> Table:
    return Table(table.columns, rows, stored=False, ordered=table.ordered)


def reverse(table: Table, _command: Any) -> Table:
    """The rows in the other order."""
    return Table(table.columns, list(reversed(table.rows)), table.stored, table.ordered)


def dedup(table: Table, command: Any) -> Table:
    """The first rows of each combination of values; rows without one are left out unless they are kept."""
    names, seen, rows = _names(command.names), dict[Any, int](), []
    for row in table.rows:
        found = tuple(row[name] for name in names)
        if None in found:
            rows += [row] if command.keep_empty else []
            continue
        seen[found] = seen.get(found, 0) + 1
        rows += [row] if seen[found] <= command.count else []
    return Table(table.columns, rows, stored=False, ordered=False)


def stats(table: Table, command: Any) -> Table:
    """One row per combination of keys: the aggregates, then the keys."""
    keys = [(group.column, value(group.node, table.columns)) for group in command.groups]
    columns = {each.column: aggregates.kind(each, table.columns) for each in command.aggregates}
    columns |= {name: found.type for name, found in keys}
    groups = _grouped(table.rows, [found.of for _, found in keys]) if keys else {(): list(table.rows)}
    rows = []
    for found, members in groups.items():
        if None in found and not command.bucket_nullable:
            continue
        made = {
            each.column: aggregates.over(each, table.columns, members, stored=table.stored)
            for each in command.aggregates
        }
        rows.append({**made, **{name: part for (name, _), part in zip(keys, found, strict=True)}})
    return table.made(columns, rows, ordered=False)


def _grouped(rows: Iterable[Row], keys: Sequence[Callable[[Row], Any]]) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(part(row) for part in keys), []).append(row)
    return groups


def eventstats(table: Table, command: Any) -> Table:
    """The aggregates of each row's group beside the row; a name that a column has gets a number."""
    keys = [value(group.node, table.columns).of for group in command.groups]
    groups = _grouped(table.rows, keys)
    named = {each.column: _free(each.column, table.columns) for each in command.aggregates}
    rows = []
    for row in table.rows:
        members = groups[tuple(part(row) for part in keys)]
        found = {
            each.column: aggregates.over(each, table.columns, members, stored=False) for each in command.aggregates
        }
        found = {name: None if _nothing(each, members, table) else found[name] for name, each in _by_column(command)}
        rows.append({**row, **{named[name]: part for name, part in found.items()}})
    added = {named[each.column]: aggregates.kind(each, table.columns) for each in command.aggregates}
    return table.made({**table.columns, **added}, rows, ordered=False)


def _free(name: str, taken: Iterable[str]) -> str:
    found, count = name, 0
    while found in taken:
        found, count = f"{name}{count}", count + 1
    return found


def _by_column(command: Any) -> list[tuple[str, Any]]:
    return [(each.column, each) for each in command.aggregates]


def _nothing(aggregate: Any, rows: Sequence[Row], table: Table) -> bool:
    """Whether a count of different values has none to count: beside rows that is null."""
    if aggregate.name != "distinct_count":
        return False
    return not aggregates.over(aggregate, table.columns, rows, stored=False)


def top(table: Table, command: Any) -> Table:
    """How often each combination of values comes, per group."""
    groups, names = _names(command.by), _names(command.names)
    wanted = [*groups, *names]
    counted = _grouped(table.rows, [lambda row, name=name: row[name] for name in wanted])  # type: ignore[misc]
    rows = [{**dict(zip(wanted, found, strict=True)), "count": len(members)} for found, members in counted.items()]
    if not command.use_null:
        rows = [row for row in rows if all(row[name] is not None for name in wanted)]
    columns = {**{name: table.columns[name] for name in wanted}, "count": BIGINT}
    return table.made(columns, rows, ordered=False)


def fillnull(table: Table, command: Any) -> Table:
    """A value in the place of nulls."""
    pairs = [(name.name, node) for name, node in command.pairs] or [(name, command.every) for name in table.columns]
    given = {name: value(node, {}).of({}) for name, node in pairs}
    rows = [{name: given.get(name) if cell is None else cell for name, cell in row.items()} for row in table.rows]
    return table.with_rows(rows)


def bin_(table: Table, command: Any) -> Table:
    """The range of a number as text, at the end or under another name."""
    name, width = command.name.name, int(command.span)
    target = command.alias or name

    def text(number: float | None) -> str | None:
        return None if number is None else f"{int(number // width * width)}-{int(number // width * width) + width}"

    rows = [{**_without(row, target), target: text(row[name])} for row in table.rows]
    return Table({**_without(table.columns, target), target: STRING}, rows, table.stored, table.ordered)


def join(table: Table, command: Any, other: Table) -> Table:
    """Pairs of rows whose keys are equal and not null; a left join keeps rows without a partner."""
    left, right = (side.name.rpartition(".")[2] for side in (command.condition.left, command.condition.right))
    columns = {**table.columns, **other.columns}
    rows = []
    for row in table.rows:
        partners = [each for each in other.rows if row[left] is not None and each[right] == row[left]]
        if not partners and command.kind == "left":
            partners = [dict.fromkeys(other.columns)]
        rows += [{**row, **each} for each in partners]
    return table.made(columns, rows, ordered=False)


def lookup(table: Table, command: Any, other: Table) -> Table:
    """Values of another table's row with the same key: in the place of a field, or only where it is null."""
    ((their, own),) = command.keys
    for name, target in command.fields:
        kind = other.columns[name.name]
        before = [] if command.only_nulls and target.name in table.columns else [target.name]
        rows = []
        for row in table.rows:
            found = [each[name.name] for each in other.rows if each[their.name] == row[own.name] is not None]
            new = found[0] if found else None
            old = row.get(target.name)
            rows.append({**_without(row, *before, target.name), target.name: new if before or old is None else old})
        table = table.made({**_without(table.columns, target.name), target.name: kind}, rows, ordered=False)
    return table


def append(table: Table, _command: Any, other: Table) -> Table:
    """The rows of another search below; columns by name."""
    columns = {**table.columns, **other.columns}
    columns |= {name: wider(kind, other.columns.get(name, kind)) for name, kind in table.columns.items()}
    rows = [{name: row.get(name) for name in columns} for row in (*table.rows, *other.rows)]
    return table.made(columns, rows, ordered=table.ordered and other.ordered)


def _names(names: Iterable[Name]) -> list[str]:
    return [name.name for name in names]


def word(command: Any) -> str:
    """Return the command's word as a key of `COMMANDS`."""
    return re.sub(r"\W", "", type(command).__name__).lower()


COMMANDS: dict[str, Callable[..., Table]] = {
    **{each.__name__: each for each in (where, fields, rename, sort, head, reverse, dedup, stats, eventstats, top)},
    "eval": evaluate,
    "rare": top,
    "fillnull": fillnull,
    "bin": bin_,
}
WITH_OTHER: dict[str, Callable[..., Table]] = {"join": join, "lookup": lookup, "append": append}
