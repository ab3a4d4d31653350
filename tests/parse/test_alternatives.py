"""Patterns that share their beginning match what they matched apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.alternatives import compiled, split
from treering.parse.catalogue import candidates, format_data

LINES = [line for data in format_data().values() for sample in data.samples for line in sample.lines if line]
LINES += [line for data in format_data().values() for line in data.not_this if line]


@pytest.mark.parametrize(
    "patterns", [["(?:ab)+c", "(?:ab)d"], ["a|b", "ac"], [r"\[x]|[|(]y", r"\[z"], ["", "a"], ["(?:(?:a|b)c)\\Z"]]
)
def test_small_ones(patterns: list[str]) -> None:
    apart = [re.compile(one) for one in patterns]
    whole = compiled(patterns)
    for text in ("ab", "abc", "ababc", "abd", "a", "b", "ac", "bc", "acx", "[x]", "[z", "|y", "(y", "", "x"):
        assert (whole.match(text) is not None) == any(one.match(text) is not None for one in apart), text


def test_split_at_the_top_only() -> None:
    assert split(r"a(?:b|c)|[|)]d|\|e") == ["a(?:b|c)", "[|)]d", r"\|e"]


_begin = st.sampled_from(sorted({line[0] for line in LINES}))


@settings(max_examples=60, deadline=None)
@given(_begin, st.lists(st.sampled_from(LINES), min_size=1, max_size=20), st.integers(0, 60))
def test_the_hints_of_all_formats(first: str, lines: list[str], cut: int) -> None:
    hints = [one.hint for one in candidates(first)]
    apart = [re.compile(hint) for hint in hints]
    whole = compiled(hints)
    for line in lines:
        for text in (line, line[:cut], first + line):
            assert (whole.match(text) is not None) == any(one.match(text) is not None for one in apart), text
