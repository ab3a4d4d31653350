"""`case` over ranges of one number: OpenSearch's index makes such groups itself, and they come by their ranges.

The rules are those of its CaseRangeAnalyzer: every condition compares the same field with numbers so that ranges
include their start and not their end, and every result is a text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, coerce
from treering.query.function import Typed
from treering.query.relation import Column, Order, aliased
from treering.query.syntax import Binary, Case, Literal, Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Relation
    from treering.query.syntax import Node


def number_of(node: Node, relation: Relation, compiler: Compiler) -> Column | None:
    """Return the field whose ranges a `case` names; None for any other expression."""
    if not isinstance(node, Case):
        return None
    values = [value for _, value in node.branches] + ([node.otherwise] if node.otherwise is not None else [])
    if not all(isinstance(value, Literal) and value.kind == "string" for value in values):
        return None
    names = {name for condition, _ in node.branches for name in _compared(condition)}
    only = names.pop() if len(names) == 1 else None
    column = compiler.column(relation, only) if only is not None else None
    plain = column is not None and column.source is not None and column.type in coerce.NUMBERS and not column.many
    return column if plain else None


def _compared(node: Node) -> Iterator[str | None]:
    """Yield the fields that a condition compares with numbers, None for what else it does."""
    match node:
        case Binary(op="and" | "or"):
            yield from _compared(node.left)
            yield from _compared(node.right)
        case Binary(op="<" | ">=", left=Name() as name, right=Literal() as bound) if _is_number(bound):
            yield name.name
        case Binary(op=">" | "<=", left=Literal() as bound, right=Name() as name) if _is_number(bound):
            yield name.name
        case _:
            yield None


def _is_number(node: Literal) -> bool:
    return node.kind in {"integer", "decimal", "double", "float", "long"}


def bounded(
    relation: Relation, keys: Sequence[tuple[str, Typed]], of: Sequence[Column | None]
) -> tuple[Relation, list[tuple[str, Typed]]]:
    """Return rows and keys as range aggregations have them (manual: functions/condition, case, limitations).

    Rows without the number belong to no range, and what no condition holds of is the text "null".
    """
    for column in of:
        if column is not None:
            relation = relation.where(aggregates.present(column.raw))
    other = exp.Literal.string("null")
    named = [
        (name, key if ranged is None else replace(key, sql=exp.Coalesce(this=key.sql, expressions=[other.copy()])))
        for (name, key), ranged in zip(keys, of, strict=True)
    ]
    return relation, named


def least(columns: Sequence[Column | None]) -> list[tuple[str, Typed]]:
    """Return, for each group, the least number of each of the ranges."""
    numbers = [column for column in columns if column is not None]
    return [(f"least {place}", Typed(exp.Min(this=column.raw), column.type)) for place, column in enumerate(numbers)]


def ordered(
    relation: Relation, keys: Sequence[Column], of: Sequence[Column | None], lows: Sequence[Column], compiler: Compiler
) -> Relation:
    """Return groups in the order of their other keys, then of the ranges that `lows` begin."""
    orders = [Order(key) for key, ranged in zip(keys, of, strict=True) if ranged is None]
    rest = iter(lows)
    for key, ranged in zip(keys, of, strict=True):
        if ranged is None:
            continue
        start = exp.Window(this=exp.Min(this=next(rest).raw), partition_by=[key.raw])
        ref = compiler.fresh()
        relation = replace(relation, sql=relation.wrapped(aliased(start, ref)))
        orders.append(Order(Column(ref, key.type), nulls_first=False))
    return relation.ordered(orders)
