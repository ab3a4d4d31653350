"""The table of a scan: each part of a stream selected into logical columns, united in `_seq` order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model.columns import ID, REST, SEQUENCE, TIME, Kind, escape, split
from treering.model.schema import FieldType
from treering.query.coerce import data_type
from treering.store.duckdb import logical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import Scan

_METADATA = {
    ID: FieldType(ID, "keyword"),
    SEQUENCE: FieldType(SEQUENCE, "long"),
    TIME: FieldType(TIME, "date_nanos"),
    "_index": FieldType("_index", "keyword"),
}
STAMP = "@timestamp:t"
_MOST_FROM_REST = 256
_FEW_FROM_REST = 16
_LISTED = " rest"
_JSON_TYPES = {
    Kind.STRING: ("VARCHAR",),
    Kind.LONG: ("BIGINT", "UBIGINT"),
    Kind.TIME: ("BIGINT", "UBIGINT"),
    Kind.DOUBLE: ("DOUBLE",),
    Kind.BOOLEAN: ("BOOLEAN",),
    Kind.JSON: ("ARRAY", "DOUBLE", "UBIGINT"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of one stream that can stand in FROM, the physical columns it has, and what bounds its rows.

    The fields in `absent` need not be read: what is looked for is not in them. `demands` are conditions over logical
    columns and those called `hits`, which the source has too. Rows that are all `inside` the scan's time need not be
    asked for it. With `apart` objects have more members in `_rest` than `columns` names.
    """

    stream: str
    source: exp.Expression
    columns: Collection[str]
    where: tuple[exp.Expr, ...] = ()
    absent: Collection[str] = ()
    demands: tuple[exp.Expr, ...] = ()
    hits: tuple[str, ...] = ()
    inside: bool = False
    apart: bool = False


def table(scan: Scan, schema: StreamSchema, parts: Sequence[Part]) -> exp.Query:
    """Return the SELECT whose columns are exactly `scan.fields`."""
    fields = types(scan.fields, schema)
    selects: list[exp.Select] = []
    for part in parts:
        columns = [
            exp.alias_(
                logical.column(f, () if f.name in part.absent else part.columns, part.stream, apart=part.apart),
                f.name,
                quoted=True,
            )
            for f in fields
        ]
        select = _selecting(columns or [_nothing()], part.source)
        for bound in (*(() if part.inside else _time_bounds(scan)), *part.where):
            select.where(bound, copy=False)
        selects.append(_demanded(select, part, scan))
    if not selects:
        empty = [exp.alias_(logical.column(f, (), ""), f.name, quoted=True) for f in fields]
        return exp.select(*(empty or [_nothing()])).where(exp.false())
    result: exp.Query = selects[0]
    for select in selects[1:]:
        result = exp.Union(this=result, expression=select, distinct=False)
    return result


def _demanded(select: exp.Select, part: Part, scan: Scan) -> exp.Select:
    """Return the rows of a part that satisfy its demands."""
    if not part.demands:
        return select
    for name in part.hits:
        select.append("expressions", named(name))
    chosen: list[exp.Expr] = [named(name) for name in scan.fields]
    outer = _selecting(chosen or [_nothing()], select.subquery("part", copy=False))
    for demand in part.demands:
        outer.where(demand, copy=False)
    return outer


def _selecting(chosen: Sequence[exp.Expr], source: exp.Expr) -> exp.Select:
    """Return a SELECT of nodes that stand nowhere else, so that none is copied."""
    select = exp.Select(expressions=list(chosen))
    select.set("from_", exp.From(this=source))
    return select


def _nothing() -> exp.Expr:
    return exp.alias_(exp.Literal.number(1), "_", quoted=True)


def types(fields: Iterable[str], schema: StreamSchema) -> list[FieldType]:
    """Return the types of logical fields, those that every record has included."""
    return [_METADATA.get(name) or schema.fields[name] for name in fields]


def physical(fields: Iterable[FieldType]) -> list[str]:
    """Return the physical columns that `fields` are read from."""
    found: dict[str, None] = {}
    for field in fields:
        found.update(dict.fromkeys(field.physical))
        if field.name in {ID, SEQUENCE}:
            found[field.name] = None
    return list(found)


def members_apart(fields: Iterable[FieldType], columns: Collection[str], rest: Collection[str]) -> frozenset[str]:
    """Return the columns that objects alone want and only `_rest` holds, if they are many; else nothing.

    Each column taken from `_rest` is an expression of its own, and statements of many thousands take the engine seconds
    and gigabytes.
    """
    if len(rest) <= _MOST_FROM_REST:
        return frozenset()
    alone, below = set[str](), set[str]()
    for field in fields:
        (below if logical.is_document(field) else alone).update(field.physical)
    found = frozenset(name for name in below - alone if name in rest and name not in columns)
    return found if len(found) > _MOST_FROM_REST else frozenset()


def files(paths: Sequence[str]) -> exp.Expression:
    """Return the rows of Parquet files, one file after another."""
    listed = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[listed]))


def files_by_name(paths: Sequence[str]) -> exp.Expression:
    """Return the rows of Parquet files that do not all have the same columns."""
    source = files(paths)
    source.this.append("expressions", exp.EQ(this=exp.column("union_by_name"), expression=exp.true()))
    return source


def beside(source: exp.Expression, table: str) -> exp.Expression:
    """Return the rows of `source`, which stand in a fixed order, each with the row of `table` in the same place."""
    source.append("joins", exp.Join(this=exp.to_table(table), method="POSITIONAL"))
    return source


def selected(
    source: exp.Expression,
    wanted: Iterable[str],
    columns: Collection[str],
    rest: Collection[str],
    *,
    alike: bool = True,
    hits: Sequence[str] = (),
) -> exp.Expression:
    """Return `source` with the physical columns `wanted`: its own, and those it keeps in `_rest`.

    Where `source` has no `_time`, the record's `@timestamp` is it; one that is not `alike` may lack it here and there.
    """
    wanted = list(wanted)
    chosen: list[exp.Expr] = []
    listed = {name: place for place, name in enumerate((name for name in wanted if name in rest), 1)}
    if len(listed) > _FEW_FROM_REST:
        source = _selecting([exp.Star(), exp.alias_(_all_from_rest(list(listed)), _LISTED, quoted=True)], source)
        source = source.subquery(copy=False)
    else:
        listed = {}
    for name in wanted:
        found: list[exp.Expression] = [named(name)] if name in columns else []
        if name in listed:
            item = exp.Anonymous(this="list_extract", expressions=[named(_LISTED), _number(listed[name])])
            found.append(_of_kind(item, split(name)[1]))
        elif name in rest:
            found.append(_from_rest(name))
        if found:
            value = found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=found[1:])
            chosen.append(exp.alias_(value, name, quoted=True))
    stamps = [named(name) for name in (TIME, STAMP) if name in columns]
    stamp = stamps[0] if alike or len(stamps) == 1 else exp.Coalesce(this=stamps[0], expressions=stamps[1:])
    chosen += [exp.alias_(stamp, TIME, quoted=True), *map(named, hits)]
    return _selecting(chosen, source).subquery(copy=False)


def _from_rest(name: str) -> exp.Expression:
    """Return a column that `_rest` holds."""
    kind = split(name)[1]
    text, type_ = (_call(function, named(REST), _path(name)) for function in ("json_extract_string", "json_type"))
    return exp.Case(ifs=[exp.If(this=_fits(_types(kind), type_), true=_of_kind(text, kind))])


def _all_from_rest(names: Sequence[str]) -> exp.Expression:
    """Return the texts of columns that `_rest` holds as one list, null where a row has another kind of value there.

    What the engine spends on a statement grows faster than its expressions, to seconds for thousands of them.
    """
    paths = exp.Array(expressions=[_path(name) for name in names])
    kinds = exp.Array(expressions=[_types(split(name)[1]) for name in names])
    texts, types_ = (_call(function, named(REST), paths.copy()) for function in ("json_extract_string", "json_type"))
    item = exp.to_identifier("z")
    text, type_, wanted = (_call("struct_extract", exp.column(item.copy()), _number(place)) for place in (1, 2, 3))
    kept = exp.Case(ifs=[exp.If(this=_fits(wanted, type_), true=text)])
    return _call("list_transform", _call("list_zip", texts, types_, kinds), exp.Lambda(this=kept, expressions=[item]))


def _call(function: str, *values: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=function, expressions=list(values))


def _path(name: str) -> exp.Expression:
    return exp.Literal.string(f"/{escape(split(name)[0])}")


def _types(kind: Kind) -> exp.Expression:
    return exp.Literal.string(f"|{'|'.join(_JSON_TYPES[kind])}|")


def _fits(types_: exp.Expression, type_: exp.Expression) -> exp.Expression:
    # Of thousands of IN the engine's search for common parts takes seconds.
    bar = exp.Literal.string("|")
    return _call("contains", types_, exp.DPipe(this=exp.DPipe(this=bar, expression=type_), expression=bar.copy()))


def _of_kind(text: exp.Expression, kind: Kind) -> exp.Expression:
    if kind is Kind.TIME:
        return _call("make_timestamp_ns", _try_cast(text, "BIGINT"))
    type_ = {Kind.LONG: "BIGINT", Kind.DOUBLE: "DOUBLE", Kind.BOOLEAN: "BOOLEAN"}.get(kind)
    return text if type_ is None else _try_cast(text, type_)


def _try_cast(value: exp.Expression, kind: str) -> exp.Expression:
    return exp.TryCast(this=value, to=data_type(kind))


def named(name: str) -> exp.Column:
    """Return the column called `name`, whatever characters are in it."""
    return exp.Column(this=exp.Identifier(this=name, quoted=True))


def instant(nanoseconds: int) -> exp.Expression:
    """Return the TIMESTAMP_NS literal of an instant."""
    inside = max(-(2**63) + 2, min(nanoseconds, 2**63 - 2))  # the values beyond mean infinity
    number = exp.Cast(this=exp.Literal.string(str(inside)), to=data_type("BIGINT"))
    return exp.Anonymous(this="make_timestamp_ns", expressions=[number])


def ranges(spans: Sequence[tuple[int, int]]) -> exp.Expr:
    """Return the condition that `_seq` is in one of `spans` (both ends included)."""
    return exp.or_(*(_between(low, high) for low, high in spans), copy=False)


def numbered(numbers: Sequence[int]) -> exp.Expr:
    """Return the condition that `_seq` is one of the sorted `numbers`, so that row groups are passed over."""
    # Parquet's statistics are compared with the first part only; the second one is a look into a hash table.
    return exp.and_(_between(numbers[0], numbers[-1]), among(numbers), copy=False)


def _number(value: int) -> exp.Expression:
    return exp.Literal.number(value)


def alive(dead: Sequence[int]) -> exp.Expr:
    """Return the condition that `_seq` is none of the sorted numbers `dead`."""
    # A join would not keep the order of rows. Lists are compared one by one, so each is guarded by its bounds.
    size = max(16, math.isqrt(len(dead)))
    groups = [dead[start : start + size] for start in range(0, len(dead), size)]
    return exp.not_(exp.or_(*(exp.and_(_between(group[0], group[-1]), among(group)) for group in groups)))


def _between(low: int, high: int) -> exp.Expr:
    return exp.Between(this=named(SEQUENCE), low=_number(low), high=_number(high))


def among(numbers: Sequence[int]) -> exp.Expr:
    """Return the condition that `_seq` is one of `numbers`."""
    return exp.In(this=named(SEQUENCE), expressions=[_number(number) for number in numbers])


def _time_bounds(scan: Scan) -> list[exp.Expression]:
    bounds: list[exp.Expression] = []
    if scan.start_ns is not None:
        bounds.append(exp.GTE(this=named(TIME), expression=instant(scan.start_ns)))
    if scan.end_ns is not None:
        bounds.append(exp.LT(this=named(TIME), expression=instant(scan.end_ns)))
    return bounds
