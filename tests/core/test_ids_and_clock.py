from __future__ import annotations

from treering.core.clock import ManualClock
from treering.core.ids import time_id


def test_identifiers_sort_by_time_and_differ() -> None:
    early, late = time_id(1_000_000_000), time_id(2_000_000_000)
    assert early < late
    assert len({time_id(5) for _ in range(100)}) == 100


def test_a_jump_of_the_wall_clock_leaves_the_monotonic_one() -> None:
    clock = ManualClock(10**18)
    clock.advance(2)
    clock.jump(-3600)
    assert clock.monotonic() == 2
    assert clock.now_ns() == 10**18 + 2 * 10**9 - 3600 * 10**9
