"""From a compiled query and the tables of its scans to the statement that the engine runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.model.columns import SEQUENCE
from treering.query.coerce import data_type
from treering.query.copying import copied
from treering.stage.store import Limits, Query, ResultColumn
from treering.store.duckdb import absent, counting, deciding
from treering.store.duckdb.catalog import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from treering.stage.store import Result, Scan
    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.lookup import Lookup

_MOST_ERASED = 10_000_000


def chosen(scan: Scan, run: Callable[[Query, Limits], Result]) -> dict[str, list[int]]:
    """Return by stream the numbers of the records that are in `scan` and satisfy its `where`, as `run` answers."""
    fields = tuple(dict.fromkeys(("_index", SEQUENCE, *scan.fields)))
    sql = exp.select("_index", SEQUENCE).from_(exp.to_table("t"))
    if scan.where is not None:
        sql = sql.where(scan.where.copy())
    columns = (ResultColumn("_index", "string"), ResultColumn(SEQUENCE, "bigint"))
    wide = replace(scan, fields=fields, newest=None)
    found: dict[str, list[int]] = {}
    for name, seq in run(Query(sql, {"t": wide}, columns), Limits(rows=_MOST_ERASED, seconds=600)).rows:
        found.setdefault(name, []).append(seq)
    return found


def counted(query: Query, views: Sequence[StreamView], catalog: Catalog, lookup: Lookup) -> tuple[int, frozenset[str]]:
    """Return how many rows the answer of a query that counts a word has for sure, and the files that can be skipped."""
    if query.counts is None or len(query.scans) != 1:
        return 0, frozenset()
    (scan,) = query.scans.values()
    held = seen(scan, views)
    return counting.known(query.counts, scan, held, catalog.schema(held), lookup) if held else (0, frozenset())


def check(size: int, limits: Limits) -> None:
    """Raise `UserError` when `size` bytes of segments are more than one query may read."""
    if limits.scanned_bytes is not None and size > limits.scanned_bytes:
        raise UserError(
            f"the query would read {size >> 20} MiB of segments, the limit is {limits.scanned_bytes >> 20} MiB",
            hint="narrow the time range, or search for a word",
        )


def streams(query: Query) -> list[str]:
    """Return the streams and patterns that any scan of the query reads."""
    return sorted({name for scan in query.scans.values() for name in scan.streams if not name.startswith("-")})


def seen(scan: Scan, views: Iterable[StreamView]) -> list[StreamView]:
    """Return those of `views` that `scan` reads, by name."""
    by_name = {view.name: view for view in views}
    return [by_name[name] for name in matching(scan.streams, sorted(by_name))]


def _with_tables(sql: exp.Query, tables: Mapping[str, exp.Query], settled: Collection[str]) -> exp.Query:
    """Return a copy of `sql` with the tables of scans in their places, and without what these take care of."""
    columns = {ref: field for name, table in tables.items() for ref, field in absent.of(name, table).items()}
    placed: list[exp.Subquery] = []
    names: set[str] = set()
    used: set[str] = set()

    def known(node: exp.Expr) -> exp.Expr | None:
        if isinstance(node, exp.Table):
            found = tables.get(node.name)
            return None if found is None else placing(node, found)
        if settled and node.meta_get(deciding.DEMAND) in settled:
            return exp.true()
        if isinstance(node, exp.Column) and node.name in columns:
            used.add(node.name)
        return absent.without(node, columns, lambda part: copied(part, known)) if columns else None

    def placing(node: exp.Table, found: exp.Query) -> exp.Expr:
        held = copied(found) if node.name in names else found
        placed.append(exp.Subquery(this=held, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name))))
        names.add(node.name)
        return placed[-1]

    whole = copied(sql, known)
    for table in placed if columns else ():
        absent.drop(table.find_ancestor(exp.Select), columns, used)
    return whole


def text(query: Query, tables: Mapping[str, exp.Query], settled: Collection[str] = ()) -> str:
    """Return the SQL of the query over `tables`, by the names of their scans; they become parts of it.

    The conditions marked by `settled` are those that the tables take care of.
    Its timestamps are nanoseconds: Python's datetime cuts them to microseconds.
    """
    sql = _with_tables(query.sql, tables, settled)
    if not any(column.type == "timestamp" for column in query.columns):
        return sql.sql(dialect="duckdb", copy=False)
    names = [f"c{index}" for index in range(len(query.columns))]
    chosen: list[exp.Expr] = []
    for name, column in zip(names, query.columns, strict=True):
        value: exp.Expression = exp.column(name)
        if column.type == "timestamp":
            value = exp.Anonymous(this="epoch_ns", expressions=[exp.Cast(this=value, to=data_type("TIMESTAMP_NS"))])
        chosen.append(exp.alias_(value, name))
    alias = exp.TableAlias(this=exp.to_identifier("answer"), columns=[exp.to_identifier(name) for name in names])
    outer = exp.Select(expressions=chosen)
    outer.set("from_", exp.From(this=exp.Subquery(this=sql, alias=alias)))
    return outer.sql(dialect="duckdb", copy=False)
