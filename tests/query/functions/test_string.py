"""Text functions: values, nulls, borders, regular expressions that RE2 has not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.query import regexes
from treering.query.native.text import locate, sliced

T = "string"
ROCKET = "🚀 go"
CASES = [
    (("concat", "a", "b", "c"), "abc", T),
    (("concat", "a", (T, None)), None, T),
    (("concat_ws", "-", "a", (T, None), "c"), "a-c", T),
    (("concat_ws", "-", "a", (T, None)), "a-", T),
    (("concat_ws", (T, None), "a"), None, T),
    (("length", ""), 0, "int"),
    (("length", "é"), 1, "int"),
    (("length", ROCKET), 5, "int"),
    (("length", (T, None)), None, "int"),
    (("lower", "ÀB"), "àb", T),
    (("upper", "straße"), "STRASSE", T),
    (("trim", "\t a "), "\t a", T),
    (("ltrim", "  a "), "a ", T),
    (("rtrim", "  a "), "  a", T),
    (("reverse", "añb"), "bña", T),
    (("substring", "hello", 2), "ello", T),
    (("substring", "hello", 2, 2), "el", T),
    (("substr", "hello", 0), "hello", T),
    (("substr", "hello", -3), "hello", T),
    (("substr", "hello", 9), "", T),
    (("substring", "hello", -1, 4), "he", T),
    (("substring", ROCKET, 4), "go", T),
    (("left", "abc", 10), "abc", T),
    (("left", "abc", -1), "", T),
    (("left", ROCKET, 3), "🚀 ", T),
    (("right", "abc", 2), "bc", T),
    (("right", ROCKET, 2), "go", T),
    (("right", (T, None), 2), None, T),
    (("ascii", ""), 0, "int"),
    (("ascii", "apple"), 97, "int"),
    (("strcmp", "b", "a"), 1, "int"),
    (("strcmp", "a", (T, None)), None, "int"),
    (("locate", "b", "abcb"), 2, "int"),
    (("locate", "b", "abcb", 3), 4, "int"),
    (("locate", "z", "abc"), 0, "int"),
    (("locate", "go", ROCKET), 4, "int"),
    (("locate", "go", ROCKET, 5), 0, "int"),
    (("position", "world", "helloworld"), 6, "int"),
    (("replace", "aaa", "a", "b"), "bbb", T),
    (("replace", "api.example.com", r"example\.com", "x"), "api.x", T),
    (("replace", "Hello World", r"(\w+) (\w+)", "$2 $1"), "World Hello", T),
    (("regexp_replace", "Amber", "^(.)(.)", r"\2\1"), "mAber", T),
    (("replace", "a.b", r"\Q.\E", "-"), "a-b", T),
    (("replace", "foobar", "foo(?=bar)", "x"), "xbar", T),
    (("regexp_match", "ABC", "(?i)abc"), True, "boolean"),
    (("regexp_match", "abc", "^b"), False, "boolean"),
    (("regexp_match", "aa", r"(a)\1"), True, "boolean"),
    (("regex_match", "שלום", r"[\u0590-\u05FF]"), True, "boolean"),
    (("like", "test wildcard", "test wild%"), True, "boolean"),
    (("ilike", "hello world", "_ELLo%"), True, "boolean"),
    (("ilike", (T, None), "a%"), None, "boolean"),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    assert answer(*call) == (value, kind)


@pytest.mark.parametrize(
    "call",
    [
        ("replace", "a", "[unclosed", "x"),
        ("regexp_match", "a", "?a"),
        ("upper", 5),
        ("left", "abc", "x"),
        ("substring", "abc", 1, -1),
    ],
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


@given(st.text(max_size=30), st.integers(0, 40), st.integers(0, 40))
def test_parts_are_those_of_utf16(text, start, size):
    units = text.encode("utf-16-le")
    part = sliced(text, start, start + size)
    assert len(part.encode("utf-16-le")) <= 2 * size
    assert part.encode("utf-16-le") in units
    if part:
        assert locate(text, part, 0) > 0


@given(st.text(max_size=40))
def test_any_pattern_is_read_or_refused(pattern):
    try:
        regexes.check(pattern)
    except UserError:
        return
    assert isinstance(regexes.compiled(pattern), re.Pattern)
