"""Expressions folded over the items of a collection, with several totals carried along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import arrays, coerce
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.functions.collection import items
from treering.query.scope import Scope
from treering.query.syntax import Binary, Call, Literal, Name, Node, children
from treering.query.template import sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Relation
    from treering.query.syntax import Place

ITEM, ITER = "<<ITEM>>", "<<ITER>>"
_TOTAL, _STEP = "foreach_total", "foreach_step"
_JSON_ITEMS = "CASE WHEN json_valid(:x) THEN json_extract_string(:x, '$[*]') END"
_NUMBERS = "list_transform(:x, lambda v: TRY_CAST(v AS DOUBLE))"


def over_items(
    relation: Relation,
    compiler: Compiler,
    mode: str,
    target: Node | None,
    clauses: Sequence[tuple[str, Node]],
    place: Place,
) -> Relation:
    """Return the relation with each clause's target folded over the items of a collection.

    A collection of another kind than `mode` says changes nothing. Raises `UserError` where there is none.
    """
    if target is None:
        target = next((Name(name) for name, held in relation.columns.items() if held.type is Type.ARRAY), None)
    if target is None:
        raise UserError("foreach finds no array to go through", where=compiler.where(place))
    scope = Scope(relation, compiler)
    given = scope.typed(target)
    native = given.type is Type.ARRAY
    if native == (mode == "json_array") and mode != "auto_collections":
        return relation
    if native:
        column = compiler.column(relation, target.name) if isinstance(target, Name) else None
        kind = arrays.item_type(column) if column is not None else given.element or Type.STRING
        listed = items(Typed(given.sql, Type.ARRAY, element=kind))
    else:
        kind = _json_type(target, clauses, scope)
        listed = sql(_JSON_ITEMS, x=coerce.text_of(given))
        listed = sql(_NUMBERS, x=listed) if kind is Type.DOUBLE else listed
    return compiler.extended(relation, _folded(scope, listed, kind, clauses))


def _folded(scope: Scope, listed: exp.Expression, kind: Type, clauses: Sequence[tuple[str, Node]]) -> dict[str, Typed]:
    names = list(dict.fromkeys(name for name, _ in clauses))
    starts = {name: scope.typed(Name(name, place=node.place)) for name, node in clauses}
    kinds = {name: value.type for name, value in starts.items()}
    totals: dict[str, Typed] = {}
    for _ in range(2):  # a step may widen a total once: INT to DOUBLE
        totals = _step(scope, names, kinds, kind, clauses)
        kinds = {name: coerce.common([kinds[name], totals[name].type]) or totals[name].type for name in names}
    now = scope.compiler.now_ns
    begin = {name: sql_cast(coerce.cast(starts[name], kinds[name], now).sql, kinds[name]) for name in names}
    nothing = {name: sql_cast(exp.Null(), kinds[name]) for name in names}
    after = {name: sql_cast(coerce.cast(totals[name], kinds[name], now).sql, kinds[name]) for name in names}
    item, place = exp.column("v"), exp.column("i")
    before = _lambda(_packed(names, nothing, item, exp.Sub(this=place, expression=exp.Literal.number(1))), "v", "i")
    steps = exp.Anonymous(this="list_transform", expressions=[listed, before])
    fold = _lambda(_packed(names, after, _slot(_STEP, "item"), _slot(_STEP, "iter")), _TOTAL, _STEP)
    start = _packed(names, begin, sql_cast(exp.Null(), SQL[kind]), sql_cast(exp.Null(), "BIGINT"))
    folded = exp.Anonymous(this="list_reduce", expressions=[steps, fold, start])
    return {
        name: Typed(
            exp.Anonymous(this="struct_extract", expressions=[folded.copy(), exp.Literal.string(f"s{index}")]),
            kinds[name],
        )
        for index, name in enumerate(names)
    }


def _step(
    scope: Scope, names: list[str], kinds: dict[str, Type], kind: Type, clauses: Sequence[tuple[str, Node]]
) -> dict[str, Typed]:
    """Return the totals after one item; a clause sees what those before it made."""
    bound = {name: Typed(_slot(_TOTAL, f"s{index}"), kinds[name]) for index, name in enumerate(names)}
    bound |= {ITEM: Typed(_slot(_STEP, "item"), kind), ITER: Typed(_slot(_STEP, "iter"), Type.INT)}
    for name, node in clauses:
        bound[name] = Scope(scope.relation, scope.compiler, bound).typed(node)
    return {name: bound[name] for name in names}


def _slot(owner: str, name: str) -> exp.Expression:
    return exp.Anonymous(this="struct_extract", expressions=[exp.column(owner), exp.Literal.string(name)])


def _packed(
    names: list[str], totals: dict[str, exp.Expression], item: exp.Expression, place: exp.Expression
) -> exp.Expression:
    parts = {f"s{index}": totals[name] for index, name in enumerate(names)}
    parts |= {"item": item, "iter": sql_cast(place, "BIGINT")}
    pairs = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in parts.items()]
    return exp.Struct(expressions=pairs)


def _lambda(body: exp.Expression, *names: str) -> exp.Lambda:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name) for name in names])


def _json_type(target: Node, clauses: Sequence[tuple[str, Node]], scope: Scope) -> Type:
    """Return what the items of a JSON array are read as: numbers or texts."""
    if isinstance(target, Call) and target.name == "json_array":
        return _one_kind([scope.typed(arg).type in coerce.NUMBERS for arg in target.args], target, scope)
    if isinstance(target, Literal) and target.kind == "string":
        try:
            found = json.loads(target.value)
        except (ValueError, RecursionError):
            return Type.STRING
        values = found if isinstance(found, list) else []
        return _one_kind([isinstance(value, int | float) for value in values if value is not None], target, scope)
    return Type.DOUBLE if any(_counts(node, scope) for _, node in clauses) else Type.STRING


def _one_kind(numbers: list[bool], target: Node, scope: Scope) -> Type:
    if any(numbers) and not all(numbers):
        where = scope.compiler.where(target.place)
        raise UserError("the items of a JSON array are all numbers or all texts here", where=where)
    return Type.DOUBLE if any(numbers) else Type.STRING


def _counts(node: Node, scope: Scope) -> bool:
    """Whether an item is part of arithmetic, or is compared with a number."""
    if isinstance(node, Binary) and (_has_item(node.left) or _has_item(node.right)):
        if node.op in {"+", "-", "*", "/", "%"}:
            return True
        other = node.right if _has_item(node.left) else node.left
        if isinstance(other, Literal) and node.op in {"=", "!=", "<", "<=", ">", ">="}:
            return other.kind in {"integer", "decimal", "double", "float"}
    return any(_counts(child, scope) for child in children(node))


def _has_item(node: Node) -> bool:
    return (isinstance(node, Name) and node.name == ITEM) or any(_has_item(child) for child in children(node))
