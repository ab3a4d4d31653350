"""New, vanished and bursting templates over counts by minute."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.parse.novelty import Change, Settings, TemplateWatch

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE = 60 * 10**9
Count = tuple[str, int, int]


def steady(names: str, minutes: range, rate: int = 20, seed: int = 1) -> list[Count]:
    r = random.Random(seed)
    return [(name, minute * MINUTE, r.randrange(rate // 2, rate * 3 // 2)) for minute in minutes for name in names]


def watched(counts: Iterable[Count]) -> list[Change]:
    watch = TemplateWatch()
    return watch.add(sorted(counts, key=lambda one: one[1])) + watch.finish()


def kinds(found: list[Change]) -> list[tuple[str, str]]:
    return sorted((one.kind, one.template) for one in found)


def test_a_quiet_log_says_nothing() -> None:
    for seed in range(20):
        assert watched(steady("abc", range(300), seed=seed)) == []


def test_new_after_the_warm_up_only() -> None:
    found = watched([*steady("ab", range(120)), *steady("c", range(20, 120)), *steady("d", range(90, 120))])
    assert kinds(found) == [("new", "d")]
    assert found[0].start_ns == 90 * MINUTE


def test_a_burst_is_one_change_with_its_time_and_what_is_usual() -> None:
    found = watched([*steady("ab", range(200)), *((("a", minute * MINUTE, 400)) for minute in range(100, 104))])
    assert kinds(found) == [("bursting", "a")]
    assert (found[0].start_ns, found[0].end_ns) == (100 * MINUTE, 104 * MINUTE)
    assert 10 < found[0].usual < 30
    assert found[0].count > 1600


def test_vanished_while_others_go_on_and_once() -> None:
    found = watched([*steady("ab", range(100)), *steady("b", range(100, 200)), *steady("a", range(150, 200))])
    assert [one for one in kinds(found) if one[0] == "vanished"] == [("vanished", "a")]
    assert watched(steady("ab", range(100))) == []  # everything ends together: the log is over, nothing vanished


def test_rare_templates_do_not_vanish_at_once() -> None:
    assert watched([*steady("b", range(300)), *(("a", minute * MINUTE, 1) for minute in range(0, 300, 20))]) == []


def test_late_counts_belong_to_their_bucket() -> None:
    counts = steady("ab", range(200))
    late = [*counts]
    r = random.Random(4)
    late.sort(key=lambda one: one[1] + r.randrange(2 * MINUTE))
    watch = TemplateWatch()
    assert watch.add(late) + watch.finish() == []


def test_state_survives(tmp_path: object) -> None:
    counts = sorted([*steady("ab", range(200)), ("a", 100 * MINUTE, 900)], key=lambda one: one[1])
    whole = watched(counts)
    watch, found = TemplateWatch(), []
    for start in range(0, len(counts), 37):
        found += watch.add(counts[start : start + 37])
        watch = TemplateWatch.load(watch.dump())
    assert found + watch.finish() == whole
    with pytest.raises(UserError, match="not a state"):
        TemplateWatch.load(b"[]")


def test_memory_is_bounded() -> None:
    watch = TemplateWatch(Settings(most_templates=50))
    watch.add((f"t{n}", n * MINUTE // 4, 1) for n in range(4000))
    assert len(watch.dump()) < 20_000


_count = st.tuples(
    st.sampled_from("abcd"), st.integers(0, 400).map(lambda minute: minute * MINUTE), st.integers(1, 500)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_count, max_size=300))
def test_any_order_of_counts_is_taken(counts: list[Count]) -> None:
    watch = TemplateWatch(Settings(warm_up=5, memory=10))
    for change in watch.add(counts) + watch.advance(500 * MINUTE) + watch.finish():
        assert change.start_ns < change.end_ns
        assert change.template in "abcd"
