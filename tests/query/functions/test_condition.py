"""Conditions and choices, nulls above all."""

from __future__ import annotations

import pytest

from treering.core.errors import UserError
from treering.query.function import Function
from treering.query.functions.condition import FUNCTIONS

B, S = "boolean", "string"
STAMP = "timestamp"
CASES = [
    (("isnull", (S, None)), True, B),
    (("isnull", ""), False, B),
    (("isnotnull", ("int", 1)), True, B),
    (("ispresent", ("struct", None)), False, B),
    (("isempty", ""), True, B),
    (("isempty", " "), False, B),
    (("isempty", (S, None)), True, B),
    (("isempty", ("int", 0)), False, B),
    (("isblank", " \t"), True, B),
    (("isblank", (S, None)), True, B),
    (("isblank", "a"), False, B),
    (("ifnull", (S, None), "x"), "x", S),
    (("ifnull", ("bigint", 1), 0), 1, "bigint"),
    (("nullif", 1, 1), None, "int"),
    (("nullif", "a", "b"), "a", S),
    (("nullif", "a", (S, None)), "a", S),
    (("coalesce", None, ("int", 5)), 5, "int"),
    (("coalesce", (S, None), ("int", 4180), "fallback"), "4180", S),
    (("coalesce", (S, None), (S, None)), None, S),
    (("if", True, 1, 2.5), 1.0, "double"),
    (("if", (B, None), "a", "b"), "b", S),
    (("if", False, "a", None), None, S),
    (("earliest", "-1d@d", (STAMP, "2026-01-01 00:00:00")), True, B),
    (("earliest", "-1d@d", (STAMP, "2025-12-31 23:59:59.999999999")), False, B),
    (("latest", "now", (STAMP, "2026-01-02 03:04:05.123456789")), True, B),
    (("latest", "now", (STAMP, "2026-01-02 03:04:05.12345679")), False, B),
    (("latest", "07/28/2004:12:34:27", (STAMP, None)), None, B),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    found, found_kind = answer(*call)
    assert (found, found_kind) == (value, kind)
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "call", [("if", 5, 1, 2), ("if", True, 1, "a"), ("ifnull", ("int", 1), "a"), ("earliest", "yesterdayish", None)]
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


def test_coalesce_may_name_fields_that_do_not_exist():
    found = FUNCTIONS["coalesce"]
    assert isinstance(found, Function)
    assert found.lenient
