"""Functions over all rows of a group at once, and rows from one cell: for what no window of the engine can say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce
from treering.query.coerce import sql_cast
from treering.query.relation import Column, Order, Relation, aliased, computed, named, nested
from treering.query.template import literal, select, sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.compiler import Compiler
    from treering.query.function import Typed

_ROW, _FOUND = "#row", "#found"


def rows_of(found: exp.Select, columns: Mapping[str, Type], compiler: Compiler) -> Relation:
    """Return the rows that a query's one cell `found` holds as a JSON list of objects, in the list's order."""
    rows = select("SELECT unnest(CAST(CAST(found AS JSON) AS JSON[])) AS r FROM found", tables={"found": found})
    refs = {name: Column(compiler.fresh(), kind) for name, kind in columns.items()}
    cells = [aliased(_member(exp.column("r"), f'$."{name}"', kind), refs[name].ref) for name, kind in columns.items()]
    sequence = Column(compiler.fresh(), Type.BIGINT)
    cells.append(aliased(sql("row_number() OVER ()"), sequence.ref))
    result = exp.Select(expressions=cells).from_(nested(rows), copy=False)
    return Relation(result, refs, (), sequence, plain=False, implicit=False, shuffled=True)


def applied(
    relation: Relation, compiler: Compiler, native: str, arguments: Sequence[Typed], settings: str,
    results: Mapping[str, Type], by: Sequence[Typed] = (),
) -> Relation:  # fmt: skip
    """Return the relation with columns `results` that a native function computes from all rows of a group.

    The function gets a JSON list with a list of the `arguments`' values for each row, instants as nanoseconds, in the
    order of the rows, and `settings`; it returns a JSON list with a list of results for each row.
    """
    if relation.sequence is None:
        sequence = Column(compiler.fresh(), Type.BIGINT)
        numbered = relation.wrapped(aliased(sql("row_number() OVER ()"), sequence.ref))
        relation = replace(relation, sql=numbered, sequence=sequence)
    order = relation.keys()
    values = exp.Anonymous(this="json_array", expressions=[_plain(value) for value in arguments])
    whole = exp.Anonymous(this="to_json", expressions=[_listed(values, order)])
    found = exp.Anonymous(this=native, expressions=[sql_cast(whole, "VARCHAR"), literal(settings)])
    cells = [aliased(_listed(exp.column("t"), relation.keys()), _ROW), aliased(found, _FOUND)]
    grouped = exp.Select(expressions=cells).from_(nested(relation.sql), copy=False)
    if by:
        grouped.set("group", exp.Group(expressions=[value.sql for value in by]))
    else:
        grouped.set("having", exp.Having(this=sql("count(*) > 0")))
    each = [
        aliased(exp.Anonymous(this="unnest", expressions=[named(_ROW)]), _ROW),
        aliased(sql("unnest(CAST(CAST(:x AS JSON) AS JSON[]))", x=named(_FOUND)), _FOUND),
    ]
    rows = exp.Select(expressions=each).from_(nested(grouped), copy=False)
    columns = dict(relation.columns)
    outside: list[exp.Expression] = [exp.Column(this=exp.Star(), table=exp.to_identifier(_ROW, quoted=True))]
    for index, (name, kind) in enumerate(results.items()):
        ref = compiler.fresh()
        outside.append(aliased(_member(named(_FOUND), f"$[{index}]", kind), ref))
        columns.pop(name, None)
        columns[name] = Column(ref, kind)
    result = exp.Select(expressions=outside).from_(nested(rows), copy=False)
    return replace(relation, sql=result, columns=columns, plain=False, shuffled=True)


def expanded(
    relation: Relation, compiler: Compiler, native: str, arguments: Sequence[Typed], settings: str,
    results: Mapping[str, Type], by: Mapping[str, Typed],
) -> Relation:  # fmt: skip
    """Return a row per item that a native function makes of all rows of a group: the group's keys, then `results`.

    The function gets what `applied` gives it and returns a JSON list with a list of results for each row it makes.
    """
    values = exp.Anonymous(this="json_array", expressions=[_plain(value) for value in arguments])
    whole = exp.Anonymous(this="to_json", expressions=[_listed(values, relation.keys())])
    found = exp.Anonymous(this=native, expressions=[sql_cast(whole, "VARCHAR"), literal(settings)])
    keys = {name: computed(compiler.fresh(), value) for name, value in by.items()}
    cells = [aliased(value.sql, keys[name].ref) for name, value in by.items()]
    grouped = exp.Select(expressions=[*cells, aliased(found, _FOUND)]).from_(nested(relation.sql), copy=False)
    if by:
        places = [exp.Literal.number(index + 1) for index in range(len(by))]
        grouped.set("group", exp.Group(expressions=places))
    place = Column(compiler.fresh(), Type.BIGINT)
    items = sql("unnest(CAST(CAST(:x AS JSON) AS JSON[]))", x=named(_FOUND))
    count = sql("unnest(range(CAST(json_array_length(:x) AS BIGINT)))", x=named(_FOUND))
    passed = [named(column.ref) for column in keys.values()]
    each = [*passed, aliased(items, _ROW), aliased(count, place.ref)]
    rows = exp.Select(expressions=each).from_(nested(grouped), copy=False)
    columns = {name: Column(compiler.fresh(), kind) for name, kind in results.items()}
    outside = [
        aliased(_member(named(_ROW), f"$[{index}]", kind), columns[name].ref)
        for index, (name, kind) in enumerate(results.items())
    ]
    select = exp.Select(expressions=[*(cell.copy() for cell in passed), named(place.ref), *outside])
    order = (*(Order(column) for column in keys.values()), Order(place))
    result = select.from_(nested(rows), copy=False)
    return Relation(result, {**keys, **columns}, order, plain=False, implicit=False)


def _member(item: exp.Expression, path: str, kind: Type) -> exp.Expression:
    if SQL[kind] == "JSON":
        return sql("json_extract(:x, :path)", x=item, path=literal(path))
    text = sql("json_extract_string(:x, :path)", x=item, path=literal(path))
    return coerce.from_ns(sql_cast(text, "BIGINT"), kind) if kind in coerce.INSTANTS else sql_cast(text, kind)


def _plain(value: Typed) -> exp.Expression:
    return coerce.instant_ns(value) if value.type in coerce.INSTANTS else value.sql


def _listed(value: exp.Expression, order: list[exp.Ordered]) -> exp.Expression:
    return exp.Anonymous(this="list", expressions=[exp.Order(this=value, expressions=order) if order else value])
