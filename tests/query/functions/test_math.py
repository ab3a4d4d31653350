"""Mathematical functions: values, types, nulls and borders."""

from __future__ import annotations

import math

import pytest

from treering.core.errors import UserError

CASES = [
    (("abs", -3), 3, "int"),
    (("abs", ("bigint", -3)), 3, "bigint"),
    (("abs", -0.5), 0.5, "double"),
    (("abs", "-5"), 5.0, "double"),
    (("abs", "five"), None, "double"),
    (("abs", None), None, "double"),
    (("acos", -1), math.pi, "double"),
    (("acos", 2), None, "double"),
    (("asin", ("int", None)), None, "double"),
    (("atan", 2, 3), math.atan2(2, 3), "double"),
    (("cbrt", -8), -2.0, "double"),
    (("ceil", 1.2), 2.0, "double"),
    (("floor", -0.5), -1.0, "double"),
    (("floor", ("bigint", 7)), 7, "bigint"),
    (("cot", 0), None, "double"),
    (("exp", 1), math.e, "double"),
    (("expm1", 1e-9), math.expm1(1e-9), "double"),
    (("ln", math.e), 1.0, "double"),
    (("log", 2, 8), 3.0, "double"),
    (("log", 1, 8), None, "double"),
    (("log2", 0), None, "double"),
    (("sqrt", -1), None, "double"),
    (("power", 0, 0), 1.0, "double"),
    (("pow", -8, 0.5), None, "double"),
    (("rint", 2.5), 2.0, "double"),
    (("round", 2.5), 3.0, "double"),
    (("round", -2.5), -3.0, "double"),
    (("round", 0.285, 2), 0.29, "double"),
    (("round", ("double", 1e300), 2), 1e300, "double"),
    (("round", ("int", 36), -1), 40, "int"),
    (("truncate", -1.999, 1), -1.9, "double"),
    (("truncate", ("bigint", 1_048_576), -3), 1_048_000, "bigint"),
    (("sign", -3), -1, "int"),
    (("signum", 2.5), 1.0, "double"),
    (("add", 7, 2), 9, "bigint"),
    (("divide", 7, 2), 3, "int"),
    (("divide", 7.0, 0), None, "double"),
    (("mod", 7, -3), 1, "int"),
    (("modulus", -7, 3), -1, "int"),
    (("mod", 7, 0), None, "int"),
    (("sum", 42), 42, "int"),
    (("sum", 1, 2.5), 3.5, "double"),
    (("avg", 1, 2), 1.5, "double"),
    (("max", ("int", None), 3), 3, "int"),
    (("max", 14, "Fred"), "Fred", "string"),
    (("min", 14, "Fred"), 14, "int"),
    (("min", "b", "a"), "a", "string"),
    (("max", ("date", "2026-01-01"), ("time", "10:00:00")), "2026-01-02 10:00:00", "timestamp"),
    (("round", 2.5, None), None, "double"),
    (("conv", "zz", 36, 10), "1295", "string"),
    (("conv", "-15", 10, 16), "-f", "string"),
    (("crc32", "a"), 3_904_355_907, "bigint"),
    (("crc32", ("string", None)), None, "bigint"),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    found, found_kind = answer(*call)
    assert found_kind == kind
    assert found == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "call", [("abs", True), ("conv", "a", 1, 10), ("conv", 1.5, 10, 2), ("round", 1.5, 1.5), ("max", True, "a")]
)
def test_refuses_what_is_no_number(lower, call):
    with pytest.raises(UserError):
        lower(*call)


@pytest.mark.parametrize("call", [("ln", 0), ("log10", -1), ("log", -1), ("log", 2, 0), ("log", -2, 4)])
def test_logarithm_of_nothing_is_an_error(answer, call):
    with pytest.raises(Exception, match="cannot take the logarithm"):
        answer(*call)


def test_random_numbers_are_below_one(answer):
    assert 0 <= answer("rand")[0] < 1
    assert 0 <= answer("rand", 7)[0] < 1
