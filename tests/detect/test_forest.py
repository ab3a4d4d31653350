"""The isolation forest: as scikit-learn's, the same for the same seed, whatever the points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from treering.detect._forest import Forest

CHANCE = np.random.default_rng(3)
POINTS = np.concatenate((CHANCE.normal(size=(600, 5)), CHANCE.normal(size=(12, 5)) * 5 + 9))


def test_it_agrees_with_scikit_learn() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
    theirs = ensemble.IsolationForest(n_estimators=800, random_state=1, n_jobs=1).fit(POINTS).score_samples(POINTS)
    ours = Forest(POINTS, 800, 1).scores(POINTS)
    assert np.abs(ours - theirs).max() < 0.03
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_what_is_far_away_is_isolated_sooner() -> None:
    scores = Forest(POINTS, 100, 7).scores(POINTS)
    assert scores[600:].max() < np.quantile(scores[:600], 0.05)


def test_the_same_seed_gives_the_same_scores() -> None:
    assert (Forest(POINTS, 50, 4).scores(POINTS) == Forest(POINTS, 50, 4).scores(POINTS)).all()


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(1, 6)),
        elements=st.floats(0, 30) | st.sampled_from([0.0, 1.0, 1e-300, 27.6]),
    )
)
def test_any_points_have_a_score(points: np.ndarray) -> None:
    scores = Forest(points, 5, 1).scores(points)
    assert ((scores >= -1) & (scores <= 0)).all()
