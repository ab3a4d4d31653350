"""The tests that detectors use, against SciPy's and against what they must not do."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.detect import _statistics as statistics
from treering.detect._cells import Cell
from treering.detect._history import Distribution
from treering.detect._levels import began
from treering.detect._reference import Feature, categorical, numeric, psi
from treering.detect._statistics import fisher_chance

stats = pytest.importorskip("scipy.stats")
CHANCE = random.Random(3)


@given(trials=st.integers(1, 3000), hits=st.integers(0, 3000), share=st.floats(0.001, 0.9))
def test_binomial_tail(trials: int, hits: int, share: float) -> None:
    hits = min(hits, trials)
    found, expected = statistics.binomial_tail(hits, trials, share), float(stats.binom.sf(hits - 1, trials, share))
    if hits > trials * share and expected > 1e-290:
        assert math.isclose(found, expected, rel_tol=1e-6)
    assert 0 < found <= 1


@given(count=st.integers(0, 5000), mean=st.floats(0.01, 4000))
def test_poisson(count: int, mean: float) -> None:
    above, below = float(stats.poisson.sf(count - 1, mean)), float(stats.poisson.cdf(count, mean))
    if count > mean and above > 1e-290:
        assert math.isclose(statistics.poisson_tail(count, mean), above, rel_tol=1e-6)
    if count < mean and below > 1e-290:
        assert math.isclose(statistics.poisson_head(count, mean), below, rel_tol=1e-6)


@pytest.mark.parametrize("size", [40, 200, 1000])
def test_kolmogorov_smirnov_agrees_with_scipy(size: int) -> None:
    distance = 1.8 / math.sqrt(size / 2)
    found = statistics.kolmogorov_chance(distance, size / 2)
    assert found == pytest.approx(float(stats.kstwobign.sf(math.sqrt(size / 2) * distance)), rel=0.6)
    assert statistics.kolmogorov_chance(0.0, size) == 1.0


@given(st.lists(st.integers(5, 400), min_size=2, max_size=8), st.integers(0, 10**6))
def test_chi_squared_agrees_with_scipy(counts: list[int], seed: int) -> None:
    chance = random.Random(seed)
    now = {str(place): float(count) for place, count in enumerate(counts)}
    before = {name: float(chance.randint(5, 400)) for name in now}
    expected = float(stats.chi2_contingency([list(now.values()), list(before.values())], correction=False).pvalue)
    calls, past = sum(now.values()), sum(before.values())
    least = min(sum(pair) for pair in zip(now.values(), before.values(), strict=True))
    if least * min(calls, past) / (calls + past) < 5 or expected < 1e-9:
        return  # rare categories are put together, far tails are approximate
    found = statistics.chi_squared_chance(now, before)
    assert abs(math.log10(found) - math.log10(expected)) < 0.5


@given(st.lists(st.floats(0, 1), max_size=50), st.floats(0.001, 0.5))
def test_benjamini_hochberg_never_passes_more_than_it_may(chances: list[float], share: float) -> None:
    limit = statistics.surprising(chances, share)
    passed = [chance for chance in chances if chance <= limit] if limit else []
    assert limit <= share
    assert all(chance <= share for chance in passed)
    assert not passed or limit <= share * len(passed) / len(chances)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60), st.floats(-1e6, 1e6))
def test_scores_are_finite_and_ordered(past: list[float], value: float) -> None:
    for score in (statistics.z_score, statistics.mad_score, statistics.iqr_score, statistics.ewma_score):
        low, high = score(value, past, 0.05), score(value + 1, past, 0.05)
        assert math.isfinite(low)
        assert high >= low


def test_the_index_of_equal_shares_is_nothing_with_few_values() -> None:
    before = {str(place): 100 for place in range(8)}
    draws = [CHANCE.choice(list(before)) for _ in range(40)]
    now = {name: draws.count(name) for name in set(draws)}
    assert psi(now, before) < 0.15
    assert psi({"0": 40}, before) > 1


@pytest.mark.parametrize("compare", [categorical, numeric])
def test_a_large_shift_is_surprising_and_a_small_one_is_not(compare: object) -> None:
    before = {"1": 300, "2": 300, "3": 20}
    assert callable(compare)
    assert compare({"3": 30, "1": 3}, before, 0.2).chance < 1e-6
    assert compare({"1": 15, "2": 15, "3": 1}, before, 0.2).chance > 0.01


def test_one_conversation_counts_once() -> None:
    feature = Feature()
    for _ in range(50):
        feature.add(100, "ja", "one conversation")
    feature.add(100, "ja", "another")
    assert feature.current(100, 5) == {"ja": 2}
    feature.age(140, learn=True)
    assert feature.reference() == {"ja": 2}
    assert feature.current(140, 30) == {}


def test_what_calls_say_together_is_as_fisher_has_it() -> None:
    assert fisher_chance([0.001] * 3) < 1e-6
    assert fisher_chance([0.001] * 2) > 1e-6
    assert fisher_chance([0.5] * 10) > 0.1
    draws = [fisher_chance([CHANCE.random() for _ in range(6)]) for _ in range(2000)]
    assert 0.02 < sum(chance < 0.05 for chance in draws) / len(draws) < 0.08


def test_a_rank_is_a_probability() -> None:
    usual = Distribution()
    usual.add([1 + place / 1000 for place in range(999)], 10**18)
    assert usual.share_from(50.0) == pytest.approx(0.001)
    assert usual.share_from(0.1) == 1.0
    assert 0.4 < usual.share_from(1.5) < 0.6


def test_a_shift_began_where_the_values_changed() -> None:
    feature = Feature()
    for minute in range(100, 180):
        for call in range(6):
            name = "other" if minute >= 172 else CHANCE.choice(["usual", "usual", "other"])
            feature.add(minute, name, f"{minute}-{call}")
        feature.age(minute, learn=True)
    assert 170 <= feature.onset(179, 5) <= 173


def test_slowness_began_where_most_calls_were_slow() -> None:
    cells = [Cell(n, values=[1.0, 1.0, 1.0, 9.0] if n < 20 else [9.0, 9.0, 1.0]) for n in range(26)]
    assert began(cells, lambda value: value > 5) == 20
