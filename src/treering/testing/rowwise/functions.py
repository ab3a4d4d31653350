"""Scalar functions on values of one row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.testing.rowwise.table import BOOLEAN, DOUBLE, INT, STRING, wider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Function:
    """The type of the result by those of the arguments, and the result by the arguments."""

    type: Callable[[Sequence[str]], str]
    of: Callable[[Sequence[Any]], Any]


def _strict(kind: str | None, function: Callable[..., Any]) -> Function:
    """A function that is null where an argument is; without a `kind` its result has the first argument's type."""

    def of(args: Sequence[Any]) -> Any:
        return None if any(arg is None for arg in args) else function(*args)

    return Function(lambda types: kind or types[0], of)


def _widest(types: Sequence[str]) -> str:
    found = types[0]
    for kind in types[1:]:
        found = wider(found, kind)
    return found


def _half_away(x: float, digits: int = 0) -> float:
    scaled = abs(x) * 10**digits
    return math.copysign(math.floor(scaled + 0.5) / 10**digits, x)


def _substring(text: str, start: int, length: int | None = None) -> str:
    begin = max(start, 1) - 1
    return text[begin:] if length is None else text[begin : begin + length]


FUNCTIONS: dict[str, Function] = {
    "abs": _strict(None, abs),
    "sqrt": _strict(DOUBLE, lambda x: math.sqrt(x) if x >= 0 else None),
    "floor": _strict(None, lambda x: x if isinstance(x, int) else float(math.floor(x))),
    "ceil": _strict(None, lambda x: x if isinstance(x, int) else float(math.ceil(x))),
    "round": Function(lambda _: DOUBLE, lambda args: None if None in args else _half_away(*args)),
    "length": _strict(INT, len),
    "lower": _strict(STRING, str.lower),
    "upper": _strict(STRING, str.upper),
    "concat": _strict(STRING, lambda *parts: "".join(parts)),
    "substring": _strict(STRING, _substring),
    "isnull": Function(lambda _: BOOLEAN, lambda args: args[0] is None),
    "isnotnull": Function(lambda _: BOOLEAN, lambda args: args[0] is not None),
    "coalesce": Function(_widest, lambda args: next((arg for arg in args if arg is not None), None)),
    "ifnull": Function(_widest, lambda args: args[1] if args[0] is None else args[0]),
    "nullif": Function(lambda types: types[0], lambda args: None if args[0] == args[1] else args[0]),
    "if": Function(lambda types: _widest(types[1:]), lambda args: args[1] if args[0] else args[2]),
}
