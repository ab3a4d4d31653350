"""Rows made of the items of a list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.relation import Column, Order, Relation, aliased, computed, named
from treering.query.template import literal, sql, typed
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler


def item_type(column: Column) -> Type:
    """Return the type of an array's items: objects in a nested field, text where it is not known."""
    if column.field is not None and column.field.type == "nested":
        return Type.STRUCT
    return column.element if column.element not in {None, Type.UNDEFINED} else Type.STRING


def expanded(
    relation: Relation, compiler: Compiler, name: str, column: Column, limit: int | None, shown: str
) -> Relation:
    """Return a row per item of the array `column`, which goes by `name`; the item's column is `shown`, at the end.

    Rows with no item go. Members of the items, where they were columns, are those of the item.
    """
    kind = item_type(column)
    items: exp.Expression = sql("CAST(:x AS JSON[])", x=column.raw)
    if limit is not None:
        items = sql("list_slice(:x, 1, :n)", x=items, n=literal(limit))
    listed, item, place = compiler.fresh(), compiler.fresh(), compiler.fresh()
    relation = replace(relation, sql=relation.wrapped(aliased(items, listed)))
    unnested = exp.Anonymous(this="unnest", expressions=[named(listed)])
    numbers = exp.Anonymous(this="generate_subscripts", expressions=[named(listed), exp.Literal.number(1)])
    relation = replace(relation, sql=relation.wrapped(aliased(unnested, item), aliased(numbers, place)), plain=False)
    found = computed(item, Typed(named(item), Type.STRUCT))
    if SQL[kind] != "JSON":
        relation, found = _scalar(relation, compiler, item, kind)
    columns = {key: held for key, held in relation.columns.items() if key not in {name, shown}}
    if name != shown:
        columns = {key: held for key, held in columns.items() if not key.startswith(name + ".")}
    nested = column.field if column.field is not None and column.field.type == "nested" else None
    columns[shown] = replace(found, type=kind, item_of=nested)
    relation = replace(relation, columns=columns)
    if relation.order:
        ties = [Order(relation.sequence)] if relation.sequence is not None else []
        relation = replace(relation, order=(*relation.order, *ties, Order(Column(place, Type.INT))))
    return _members(relation, compiler, name, item) if name == shown else relation


def _scalar(relation: Relation, compiler: Compiler, item: str, kind: Type) -> tuple[Relation, Column]:
    text = exp.Anonymous(this="json_extract_string", expressions=[named(item), exp.Literal.string("$")])
    ref = compiler.fresh()
    value = text if kind is Type.STRING else sql_cast(text, kind, safe=True)
    return replace(relation, sql=relation.wrapped(aliased(value, ref))), Column(ref, kind)


def _members(relation: Relation, compiler: Compiler, name: str, item: str) -> Relation:
    """Return the relation whose columns `name.…` are members of the item."""
    columns, added = dict(relation.columns), []
    for key, column in relation.columns.items():
        if not key.startswith(name + "."):
            continue
        path = literal("$." + ".".join('"' + step.replace('"', "") + '"' for step in key[len(name) + 1 :].split(".")))
        if SQL[column.type] == "JSON":
            value = typed(column.type, "json_extract(:d, :p)", d=named(item), p=path)
        else:
            text = sql("json_extract_string(:d, :p)", d=named(item), p=path)
            value = Typed(sql_cast(text, column.type, safe=True), column.type)
        ref = compiler.fresh()
        added.append(aliased(value.sql, ref))
        columns[key] = computed(ref, value)
    return replace(relation, sql=relation.wrapped(*added), columns=columns) if added else relation
