"""Matchers on labels: a pattern that tries every way to match a label ends soon."""

from __future__ import annotations

import time

from treering.alert._matching import matcher


def test_a_pattern_without_end_matches_nothing() -> None:
    began = time.process_time()
    endless = matcher('user=~"(a|aa)*b(?<!x)"')
    assert not endless.holds({"user": "a" * 60 + "!"})
    assert endless.holds({"user": "aaab"})
    assert time.process_time() - began < 5.0
