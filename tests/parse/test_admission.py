"""Which shapes are mined: a bound that holds whatever comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.admission import MOST_CREDIT, MOST_TRIALS, ROWS_A_SHAPE, Admission


def test_a_few_new_shapes_are_admitted_at_once_and_many_only_when_they_come_again() -> None:
    admission = Admission()
    assert all(admission.admits(shape, repeated=False, likely=True) for shape in range(MOST_TRIALS))
    assert not admission.admits(-1, repeated=False, likely=True)
    assert admission.admits(-1, repeated=False, likely=True)
    assert admission.admits(-2, repeated=True, likely=False)
    admission.seen(5)
    assert admission.admits(-3, repeated=False, likely=True)
    assert not admission.admits(-4, repeated=False, likely=False)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.booleans()), max_size=2000))
def test_mining_is_bounded_by_the_rows(steps: list[tuple[int, bool, bool]]) -> None:
    admission, admitted = Admission(), 0
    for shape, repeated, likely in steps:
        admission.earn(1)
        admitted += admission.admits(shape, repeated=repeated, likely=likely)
    assert admitted <= MOST_CREDIT + len(steps) / ROWS_A_SHAPE
