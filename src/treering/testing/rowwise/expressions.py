"""Expressions over one row: a node becomes its type and a function from a row to its value."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.query.syntax import Between, Binary, Call, Case, In, IsNull, Literal, Name, Node, Span, Unary
from treering.testing.rowwise.functions import FUNCTIONS
from treering.testing.rowwise.table import BIGINT, BOOLEAN, DOUBLE, INT, STRING, UNDEFINED, wider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treering.testing.rowwise.table import Row

_LITERALS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "string": (STRING, str),
    "integer": (INT, int),
    "decimal": (DOUBLE, float),
    "double": (DOUBLE, float),
    "boolean": (BOOLEAN, bool),
}
_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Value:
    """A type and how to get the value of a row."""

    type: str
    of: Callable[[Row], Any]


def value(node: Node, columns: Mapping[str, str]) -> Value:  # noqa: C901, PLR0911  one branch per kind of node
    """Return what a node means over rows of these columns. Raises `NotImplementedError` for what is not read here."""
    match node:
        case Literal():
            kind, read = _LITERALS[node.kind]
            constant = read(node.value)
            return Value(kind, lambda _: constant)
        case Name():
            name = node.name
            return Value(columns[name], lambda row: row[name])
        case Unary(op="not"):
            inner = value(node.operand, columns)
            return Value(BOOLEAN, _strict(operator.not_, inner))
        case Unary():
            inner = value(node.operand, columns)
            return Value(inner.type, _strict(operator.neg, inner))
        case Binary():
            return _binary(node.op, value(node.left, columns), value(node.right, columns))
        case IsNull():
            inner = value(node.operand, columns)
            return Value(BOOLEAN, lambda row: (inner.of(row) is None) is not node.negated)
        case In() | Between():
            return _member(node, columns)
        case Case():
            return _case(node, columns)
        case Span():
            return _span(node, columns)
        case Call():
            args = [value(arg, columns) for arg in node.args]
            found = FUNCTIONS[node.name]
            return Value(found.type([arg.type for arg in args]), lambda row: found.of([arg.of(row) for arg in args]))
        case _:
            raise NotImplementedError(f"{type(node).__name__} is not read row by row")


def _strict(function: Callable[..., Any], *args: Value) -> Callable[[Row], Any]:
    """Null in, null out."""

    def of(row: Row) -> Any:
        found = [arg.of(row) for arg in args]
        return None if any(each is None for each in found) else function(*found)

    return of


def _binary(op: str, left: Value, right: Value) -> Value:
    if op in {"and", "or"}:
        return Value(BOOLEAN, lambda row: _logic(op, left.of(row), right.of(row)))
    if op == "xor":
        return Value(BOOLEAN, _strict(operator.ne, left, right))
    if op in _COMPARE:
        return Value(BOOLEAN, _strict(_COMPARE[op], left, right))
    if op == "like":
        return Value(BOOLEAN, _strict(_like, left, right))
    kind = wider(left.type, right.type)
    kind = BIGINT if kind == INT and op in {"+", "-", "*"} else kind
    return Value(kind, _strict(_ARITHMETIC[op], left, right))


def _logic(op: str, left: Any, right: Any) -> bool | None:
    sides = (left, right)
    if op == "or":
        return True if True in sides else None if None in sides else False
    return False if False in sides else None if None in sides else True


def _divide(a: Any, b: Any) -> Any:
    if b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(a: Any, b: Any) -> Any:
    return None if b == 0 else a - b * int(a / b) if isinstance(a + b, float) else a - b * _divide(a, b)


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _remainder,
}


def _like(text: str, pattern: str) -> bool:
    """`like` as an operator does not care for case."""
    form = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(form, text, re.IGNORECASE | re.DOTALL) is not None


def _member(node: In | Between, columns: Mapping[str, str]) -> Value:
    inner = value(node.operand, columns)
    if isinstance(node, In):
        items = [value(item, columns) for item in node.items]

        def test(row: Row) -> bool:
            return any(inner.of(row) == item.of(row) for item in items)
    else:
        low, high = value(node.low, columns), value(node.high, columns)

        def test(row: Row) -> bool:
            return bool(low.of(row) <= inner.of(row) <= high.of(row))

    return Value(BOOLEAN, lambda row: None if inner.of(row) is None else test(row) is not node.negated)


def _case(node: Case, columns: Mapping[str, str]) -> Value:
    branches = [(value(condition, columns), value(result, columns)) for condition, result in node.branches]
    otherwise = value(node.otherwise, columns) if node.otherwise is not None else Value(UNDEFINED, lambda _: None)
    kind = otherwise.type
    for _, result in branches:
        kind = wider(kind, result.type)

    def of(row: Row) -> Any:
        return (
            next((result.of(row) for test, result in branches if test.of(row)), None)
            if any(test.of(row) for test, _ in branches)
            else otherwise.of(row)
        )

    return Value(kind, of)


def _span(node: Span, columns: Mapping[str, str]) -> Value:
    if node.field is None or node.unit:
        raise NotImplementedError("only spans of numbers are read row by row")
    inner, width = value(node.field, columns), int(node.amount)
    return Value(inner.type, _strict(lambda x: type(x)(x // width * width), inner))
