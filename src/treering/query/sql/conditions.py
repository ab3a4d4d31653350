"""What a WHERE tells the scans beneath it: times out of bounds, words that must be there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import pushdown
from treering.query.relation import Order
from treering.query.syntax import Binary, In, Literal, Name
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.query.compiler import Compiler
    from treering.query.sql.scopes import Table
    from treering.query.syntax import Node

_COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Like: "like",
    exp.ILike: "like",
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?")


def hint(select: exp.Select, tables: Sequence[Table], compiler: Compiler) -> None:
    """Tell each stream's scan what the conditions on its own fields demand; the conditions still decide."""
    where = select.args.get("where")
    if not isinstance(where, exp.Where):
        return
    for part in _parts(where.this):
        for table in tables:
            if table.relation is not None and (node := _node(part, table.alias)) is not None:
                pushdown.hint(table.relation, node, compiler)


_ANYTHING_ELSE = ("where", "joins", "group", "having", "qualify", "distinct", "with_")


def newest(select: exp.Select, tables: Sequence[Table]) -> None:
    """Tell the only stream's scan that the newest rows suffice, where no more than these are asked for."""
    order, limit, offset = (select.args.get(name) for name in ("order", "limit", "offset"))
    relation = tables[0].relation if len(tables) == 1 else None
    if relation is None or not isinstance(order, exp.Order) or any(select.args.get(name) for name in _ANYTHING_ELSE):
        return
    if len(order.expressions) != 1 or not order.expressions[0].args.get("desc"):
        return
    counts = [part.expression for part in (limit, offset) if part is not None]
    key = order.expressions[0].this
    if limit is None or not isinstance(key, exp.Column) or not all(_is_count(count) for count in counts):
        return
    if any(node for each in select.expressions for node in each.find_all(exp.AggFunc, exp.Window, exp.Query)):
        return
    stamp = relation.find(key.name) if key.table == tables[0].alias else None
    if stamp is not None and stamp.type is Type.TIMESTAMP:
        ordered = replace(relation, order=(Order(stamp, descending=True),), plain=True)
        pushdown.newest(ordered, sum(int(count.name) for count in counts))


def _is_count(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal()


def _parts(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.And):
        yield from _parts(node.left)
        yield from _parts(node.right)
    elif isinstance(node, exp.Paren):
        yield from _parts(node.this)
    else:
        yield node


def _node(node: exp.Expr, alias: str) -> Node | None:  # noqa: PLR0911  one branch per kind of condition
    """Return a condition on fields of one table as the query language has it, or None."""
    if isinstance(node, exp.Paren):
        return _node(node.this, alias)
    if isinstance(node, exp.And | exp.Or):
        left, right = _node(node.left, alias), _node(node.right, alias)
        if left is None or right is None:
            return None
        return Binary("and" if isinstance(node, exp.And) else "or", left, right)
    if isinstance(node, exp.In) and isinstance(node.this, exp.Column) and node.expressions:
        name, items = _name(node.this, alias), [_text(each) for each in node.expressions]
        if name is None or any(item is None for item in items):
            return None
        return In(name, tuple(item for item in items if item is not None))
    sign = _COMPARED.get(type(node))
    if sign is None or not isinstance(node, exp.Binary):
        return None
    name, value = _name(node.left, alias), _text(node.right)
    if name is None or value is None:
        return None
    if sign == "like" and "\\" in value.value:
        return None
    if name.name == pushdown.STAMP and not _INSTANT.fullmatch(value.value):
        return None
    return Binary(sign, name, value)


def _name(node: exp.Expr, alias: str) -> Name | None:
    return Name(node.name) if isinstance(node, exp.Column) and node.table == alias else None


def _text(node: exp.Expr) -> Literal | None:
    if isinstance(node, exp.Cast) and node.to.this in {
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPNTZ,
        exp.DType.TIMESTAMP_NS,
        exp.DType.DATE,
    }:
        node = node.this
    return Literal(node.this, "string") if isinstance(node, exp.Literal) and node.is_string else None
