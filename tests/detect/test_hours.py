"""Callers' hours as arrays say what a dictionary of sums says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.detect import _hours
from treering.detect._hours import Hours

LIMIT = 100.0
BATCHES = st.lists(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.tuples(st.integers(5, 8), st.integers(0, 60))),
    max_size=12,
)


def _sums(held: Hours) -> dict[str, tuple[int, float]]:
    named = ((name, held.get(name)) for name in held.save().names)
    return {name: (one.period, one.tokens) for name, one in named if one}


@given(BATCHES)
def test_sums_are_those_of_a_dictionary(batches: list[dict[str, tuple[int, int]]]) -> None:
    held, sums = Hours(), dict[str, tuple[int, float]]()
    for batch in batches:
        hours = np.array([hour for hour, _ in batch.values()], dtype=np.int64)
        tokens = np.array([used for _, used in batch.values()], dtype=np.float64)
        names = list(batch)
        others = held.add(names, (hours, hours), tokens, LIMIT)
        for number, (name, (hour, used)) in enumerate(batch.items()):
            before = sums.get(name)
            plain = (before is None or before[0] == hour) and (before[1] if before else 0) + used < LIMIT
            assert (number not in others) == plain
            if plain:
                sums[name] = hour, (before[1] if before else 0.0) + used
    assert _sums(held) == sums
    again = Hours.restored(held.save())
    assert _sums(again) == sums
    assert again.save() == held.save()


def test_callers_of_two_hours_are_left_to_be_looked_at() -> None:
    first, last = np.array([3, 3]), np.array([3, 4])
    assert Hours().add(["a", "b"], (first, last), np.array([1.0, 1.0]), LIMIT) == [1]


def test_the_caller_that_was_quiet_longest_is_forgotten_first() -> None:
    held, most = Hours(), _hours._MOST
    for start in range(0, most + 5000, 500):
        names = ["always", *(f"caller {number}" for number in range(start, start + 500))]
        hour = np.full(len(names), 7)
        held.add(names, (hour, hour), np.ones(len(names)), LIMIT)
        held.forget()
    kept = held.save().names
    assert most <= len(kept) <= most + 3000
    assert kept[-501:] == names
    assert "caller 0" not in kept


def test_a_state_that_is_none_is_refused() -> None:
    state = Hours().save()
    for names, rows in ((["a"], b""), (["a", "a"], bytes(2 * 24)), ([], b"1")):
        state.names, state.rows = names, rows
        with pytest.raises(ValueError, match=r"rows|size"):
            Hours.restored(state)
