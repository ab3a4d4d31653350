"""Arrays and functions over their items."""

from __future__ import annotations

import pytest
from sqlglot import exp

from treering.core.errors import UserError
from treering.query import operators
from treering.query.function import Lambda, Typed
from treering.query.types import Type

A = "array"


def ints(*values: int | None) -> Typed:
    """Return an array column of whole numbers."""
    items = ",".join("null" if value is None else str(value) for value in values)
    return Typed(exp.cast(exp.Literal.string(f"[{items}]"), "JSON"), Type.ARRAY, element=Type.INT)


def one(value: int) -> Typed:
    """Return a whole number."""
    return Typed(exp.Literal.number(value), Type.INT, value)


def plus(count: int = 1) -> Lambda:
    """Return `x -> x + 10`, or the sum of two parameters."""
    if count == 1:
        return Lambda(("x",), lambda args: operators.arithmetic("+", args[0], one(10)))
    return Lambda(("x", "y"), lambda args: operators.arithmetic("+", args[0], args[1]))


def above(limit: int) -> Lambda:
    """Return `x -> x > limit`."""
    return Lambda(("x",), lambda args: operators.compare(">", args[0], one(limit), 0))


CASES = [
    (("array", 1, 2), [1, 2], A),
    (("array", 1, 2.5), [1.0, 2.5], A),
    (("array", 1, "a"), ["1", "a"], A),
    (("array",), [], A),
    (("array_length", ints(1, 2)), 2, "int"),
    (("array_length", (A, None)), None, "int"),
    (("mvappend", ints(1), 2, ints(3, 4)), [1, 2, 3, 4], A),
    (("mvappend", 1, "text", 2.5), [1, "text", 2.5], A),
    (("mvappend", ("int", None), 2), [2], A),
    (("mvappend", ("int", None)), None, A),
    (("mvdedup", ints(3, 1, 2, 3)), [3, 1, 2], A),
    (("mvdedup", (A, [])), [], A),
    (("mvfind", (A, ["Apple", "Banana"]), "(?i)ban.n"), 1, "int"),
    (("mvfind", (A, ["Apple"]), "z"), None, "int"),
    (("mvindex", ints(3, 1, 2), 0), 3, "int"),
    (("mvindex", ints(3, 1, 2), -1), 2, "int"),
    (("mvindex", ints(3, 1, 2), 9), None, "int"),
    (("mvindex", ints(1, 2, 3, 4, 5), -4, 2), [2, 3], A),
    (("mvindex", ints(1, 2, 3, 4, 5), -3, -1), [3, 4, 5], A),
    (("mvjoin", (A, ["a", "b"]), ", "), "a, b", "string"),
    (("mvjoin", (A, []), "-"), "", "string"),
    (("mvzip", (A, ["a", "b"]), ints(80, 443, 1)), ["a,80", "b,443"], A),
    (("mvzip", (A, []), (A, ["a"]), "|"), [], A),
    (("split", "a,b,,c", ","), ["a", "b", "", "c"], A),
    (("split", "añ", ""), ["a", "ñ"], A),
    (("split", ("string", None), ","), None, A),
    (("transform", ints(1, 2), plus()), [11, 12], A),
    (("transform", ints(1, 2, 3), plus(2)), [1, 3, 5], A),
    (("mvmap", ints(1, 2), plus()), [11, 12], A),
    (("filter", ints(3, 1, 2), above(1)), [3, 2], A),
    (("forall", ints(3, 1), above(1)), False, "boolean"),
    (("forall", ints(), above(1)), True, "boolean"),
    (("exists", ints(3, 1), above(2)), True, "boolean"),
    (("exists", ints(), above(2)), False, "boolean"),
    (("reduce", ints(3, 1, 2), 10, plus(2)), 16, "int"),
    (("reduce", ints(3, 1), 0, plus(2), plus()), 14, "int"),
    (("reduce", ints(3, 1), 0.5, plus(2)), 4.5, "double"),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    found, found_kind = answer(*call)
    assert (found, found_kind) == (value, kind)


@pytest.mark.parametrize(
    "call",
    [
        ("array", 1, True),
        ("array_length", "a"),
        ("filter", ints(1), "x"),
        ("reduce", ints(1), 0, plus()),
        ("mvmap", ints(1), Lambda((), lambda _: one(5))),
        ("upper", plus()),
    ],
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)
