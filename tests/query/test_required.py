"""What a regular expression cannot do without is in every text that it matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.query import regexes
from treering.query.required import required


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        (r"abc", [["abc"]]),
        (r"search_orders\(order_id=12\d+\) returned", [["search_orders(order_id=12", ") returned"]]),
        (r"^zircon[a-z]+77\d1$", [["zircon", "77", "1"]]),
        (r"ab*c", [["a", "c"]]),
        (r"ab+c", [["ab", "c"]]),
        (r"ab{2,3}c", [["ab", "c"]]),
        (r"ab{0,3}c", [["a", "c"]]),
        (r"(?i)Failed|invalid user", [["Failed"], ["invalid user"]]),
        (r"a(bc|d)e", [["a", "e"]]),
        (r"a(?:bc)+e", [["a", "bc", "e"]]),
        (r"a(bc)?e", [["a", "e"]]),
        (r"a(?=bc)e", [["a", "e"]]),
        (r"(?<name>user)-\d+", [["user", "-"]]),
        (r"\Qa.b\E", [[]]),
        (r"x|", [["x"], []]),
        (r".*", [[]]),
        (r"a(b", [[]]),
    ],
)
def test_runs_are_those_that_a_match_contains(pattern: str, runs: list[list[str]]) -> None:
    assert required(pattern) == runs


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        (r"order=12\d+ returned", [["order=12# returned"]]),
        (r"took \d{2,4}ms", [["took #ms"]]),
        (r"took [0-9]ms", [["took #ms"]]),
        (r"took \d*ms", [["took ", "ms"]]),
        (r"took \d?ms", [["took ", "ms"]]),
        (r"took [^0-9]ms", [["took ", "ms"]]),
        (r"v\d\d+x|\D", [["v##x"], []]),
        (r"a#\d", [["a#"]]),
    ],
)
def test_digits_may_stand_in_runs(pattern: str, runs: list[list[str]]) -> None:
    assert required(pattern, "#") == runs


PIECES = [
    "a",
    "b",
    "foo",
    "_",
    "-",
    r"\.",
    r"\d",
    r"\w",
    ".",
    "[ab]",
    "[^x]",
    "^",
    "$",
    "(foo)",
    "(?:ab|c)",
    "(?i)",
    "|",
]
REPEATS = ["", "", "", "*", "+", "?", "{2}", "{0,2}", "+?"]
PATTERNS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(REPEATS)), max_size=6).map(
    lambda parts: "".join(piece + ("" if piece in {"^", "$", "(?i)", "|"} else repeat) for piece, repeat in parts)
)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.data())
def test_every_match_contains_the_runs_of_a_branch(pattern: str, data: st.DataObject) -> None:
    try:
        compiled = regexes.compiled(pattern)
    except re.error:
        return
    text = data.draw(st.from_regex(compiled)).lower()
    assert any(all(run.lower() in text for run in branch) for branch in required(pattern))
    with_digits = [
        ["[0-9]+".join(map(re.escape, run.lower().split("#"))) for run in branch] for branch in required(pattern, "#")
    ]
    assert not text.isascii() or any(all(re.search(run, text) for run in branch) for branch in with_digits)


@given(st.text(alphabet="ab\\()[]{}|*+?^$.<>=!PdQ,1", max_size=30))
def test_any_text_is_looked_through(pattern: str) -> None:
    assert isinstance(required(pattern), list)
