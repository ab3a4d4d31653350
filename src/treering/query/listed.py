"""Fields that hold lists, where OpenSearch's index aggregates: each item counts, and is a group of its own."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, operators
from treering.query.function import MISSING, Typed
from treering.query.relation import aliased, named
from treering.query.scope import as_list
from treering.query.syntax import Name
from treering.query.template import literal, sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Node

_AGGREGATES = {
    "count": "coalesce(sum(len(:x)), 0)",
    "distinct_count": "len(list_distinct(coalesce(flatten(list(:x)), [])))",
    "sum": "sum(list_sum(:x))",
    "avg": "sum(list_sum(:x)) / nullif(sum(len(:x)), 0)",
    "min": "min(list_min(:x))",
    "max": "max(list_max(:x))",
}
# With more steps than this below a list the last ones are taken as one name with dots.
_DEEPEST = 4
_NUMERIC = frozenset({"sum", "avg"})
_KINDS = frozenset({Type.STRING, Type.BOOLEAN, *coerce.NUMBERS})


def aggregate(name: str, node: Node | None, relation: Relation, compiler: Compiler, *, indexed: bool) -> Typed | None:
    """Return an aggregate over all items of a field; None where the field holds no lists or the index has no part."""
    if not indexed or name not in _AGGREGATES or not isinstance(node, Name):
        return None
    column = compiler.column(relation, node.name)
    if column is None or column.type not in _KINDS or (name in _NUMERIC and column.type not in coerce.NUMBERS):
        return None
    items = _items(column, relation)
    if items is None:
        return None
    kind = _kind(name, column.type)
    found = sql(_AGGREGATES[name], x=items)
    if name == "sum":
        found = exp.Coalesce(this=found, expressions=[exp.Literal.number(0)])
    return Typed(coerce.sql_cast(found, kind), kind)


def _kind(name: str, of: Type) -> Type:
    if name in {"count", "distinct_count"}:
        return Type.BIGINT
    if name == "avg":
        return Type.DOUBLE
    if name == "sum":
        return Type.BIGINT if of in coerce.INTEGERS else Type.DOUBLE
    return of


def _items(column: Column, relation: Relation) -> exp.Expression | None:
    """Return the field's values in a record as an SQL list without nulls; None where it holds no lists."""
    if column.many:
        return _typed(as_list(column), ["$[*]"], column.type)
    if (found := _list_above(column, relation)) is None:
        return None
    above, steps = found
    return _typed(as_list(above), [f"$[*]{path}" for path in _paths(steps)], column.type)


def _list_above(column: Column, relation: Relation) -> tuple[Column, list[str]] | None:
    """Return the outermost list of objects of which the field is a member, and the steps from there to it."""
    if column.field is None or not column.field.options.get("lists"):
        return None
    found = None
    parent = column.field.name.rpartition(".")[0]
    while parent:
        above = relation.columns.get(parent)
        if above is not None and above.type is Type.ARRAY and above.source is column.source:
            found = above, column.field.name[len(parent) + 1 :].split(".")
        parent = parent.rpartition(".")[0]
    return found


def _paths(steps: Sequence[str]) -> list[str]:
    """Return the paths under which a member may be: objects or lists of them between, or names with dots."""
    if len(steps) > _DEEPEST:
        steps = [*steps[: _DEEPEST - 1], ".".join(steps[_DEEPEST - 1 :])]
    paths = [f'."{".".join(steps)}"']
    for place in range(1, len(steps)):
        head, rest = ".".join(steps[:place]), _paths(steps[place:])
        paths += [f'."{head}"{between}{path}' for path in rest for between in ("", "[*]")]
    return paths


def _typed(listed: exp.Expression, paths: Sequence[str], kind: Type) -> exp.Expression:
    """Return what is at the paths, each of which finds what the others do not, as a list without nulls."""
    found = [sql("json_extract_string(:x, :path)", x=listed.copy(), path=literal(path)) for path in paths]
    texts = functools.reduce(lambda a, b: exp.Anonymous(this="list_concat", expressions=[a, b]), found)
    values = texts if kind is Type.STRING else coerce.sql_cast(texts, f"{SQL[kind]}[]", safe=True)
    return sql("list_filter(:x, lambda v: v IS NOT NULL)", x=values)


def any_item(op: str, node: Node, bound: Typed, relation: Relation, compiler: Compiler) -> Typed | None:
    """Return whether some item of a field compares so with a constant; None where the field holds no lists.

    So an index sees it, also of objects in a list. That none is equal is asked of a field that has items.
    """
    column = compiler.column(relation, node.name) if isinstance(node, Name) else None
    if column is None or column.type not in _KINDS or bound.value is MISSING:
        return None
    items = _items(column, relation)
    if items is None:
        return None
    item = Typed(exp.column("v"), column.type)
    match op:
        case "like" | "ilike":
            found = operators.like(item, bound)
        case "contains":
            found = operators.contains(item, bound)
        case _:
            found = operators.compare("=" if op == "!=" else op, item, bound, compiler.now_ns)
    test = exp.Lambda(this=found.sql, expressions=[exp.to_identifier("v")])
    kept = exp.Anonymous(this="list_filter", expressions=[items, test])
    template = "len(:x) = 0 AND len(:all) > 0" if op == "!=" else "CASE WHEN len(:all) > 0 THEN len(:x) > 0 END"
    return Typed(sql(template, x=kept, all=items), Type.BOOLEAN)


def apart(relation: Relation, nodes: Sequence[Node], compiler: Compiler) -> tuple[Relation, dict[int, Typed]]:
    """Return the relation with a row for each different item of the fields that hold lists, and their values.

    A record without items stays one row of null. Of a member of nested objects, grouped by alone, each object is a row,
    and a record without any has none. The values are by the place of the field among `nodes`.
    """
    found: dict[int, Typed] = {}
    for place, node in enumerate(nodes):
        column = compiler.column(relation, node.name) if isinstance(node, Name) else None
        if column is None or column.type not in _KINDS or (items := _items(column, relation)) is None:
            continue
        above = None if column.many else _list_above(column, relation)
        nested = above is not None and above[0].field is not None and above[0].field.type == "nested"
        if nested and len(nodes) > 1:
            continue
        template = "unnest(CASE WHEN len(:x) > 0 THEN list_distinct(:x) ELSE [NULL] END)"
        rows = sql("unnest(:x)" if nested else template, x=items)
        ref = compiler.fresh()
        relation = replace(relation, sql=relation.wrapped(aliased(rows, ref)), plain=False)
        found[place] = Typed(coerce.sql_cast(named(ref), column.type), column.type)
    return relation, found
