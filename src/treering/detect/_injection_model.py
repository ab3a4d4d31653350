"""A linear model of suspicious texts: the second opinion on what the phrases leave open.

Two heads judge what people say, and what stands in documents and results of tools. A text is read in windows; the
windows' sums over hashed n-grams (`_ngrams`) make a log-odds each, the text has its highest one less the logarithm of
their number (Bonferroni's correction: a long text has more chances), and a logistic regression weighs it against the
score of the phrases. How it was made and what it is worth: docs/models/injection.md.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from treering.detect._ngrams import STARTS, Ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence

USER, DATA = 0, 1
"""Heads: what people say; documents and what tools return."""
WINDOWS = ((256, 192), (48, 24))
"""Tokens in a window and from one to the next, for each head."""
SCALES = np.array([1.0, 0.5, 1.0], np.float32)
SOFTENED = np.array([4, 16, 4], np.float32)
"""A kind's sum counts `SCALES` / sqrt(number of its features + `SOFTENED`): words, characters, concepts."""
MOST_DOUBT = 5.0
DOUBTFUL = 0.5
"""Evidence of the phrases below which they say nothing alone: they are quoted, or the text only mentions them."""
_FILE = "injection.npz"
_MOST_BYTES = 200_000


class Weights(NamedTuple):
    """What was learnt: int16 weights and their units by kind, and what turns sums into probabilities, for each head."""

    weights: Any
    units: Any
    intercepts: Any
    fusion: Any
    facts: dict[str, Any]


class Judged(NamedTuple):
    """Probability that a text is an attack; the log-odds of it; bytes of the window of the folded text that says so."""

    probability: float
    odds: float
    start: int
    end: int


def rules_evidence(score: float) -> float:
    """Return what a score of the phrases says as a number that adds up."""
    return min(MOST_DOUBT, -float(np.log(max(1.0 - score, 1e-9))))


def fused(fusion: Any, odds: Any, evidence: Any) -> Any:
    """Return log-odds of both together; `fusion` weighs the model, the phrases, that there are any, and a constant."""
    return odds * fusion[0] + evidence * fusion[1] + (evidence > DOUBTFUL) * fusion[2] + fusion[3]


def window_odds(found: Any, units: Any, intercepts: Any) -> Any:
    """Return the log-odds of windows (`_ngrams.WINDOW`s); `units` and `intercepts` are those of each window's head."""
    scales = SCALES / np.sqrt(found["counts"] + SOFTENED)
    return (found["sums"] * units * scales).sum(axis=1) + intercepts


class InjectionModel:
    """The model; for one thread at a time."""

    def __init__(self, weights: Weights) -> None:
        """Take what was learnt."""
        self._learnt = weights
        self.ngrams = Ngrams(weights.weights)

    def judge(self, texts: Sequence[str], heads: Sequence[int], scores: Sequence[float]) -> list[Judged]:
        """Return what is thought of folded texts, each judged by a head; `scores` are those of their phrases, or 0."""
        data = [text[:_MOST_BYTES].encode("utf-8", "replace") for text in texts]
        found = self.ngrams.score(data, heads, WINDOWS)
        head = np.asarray(heads, np.intp)[found["text"]]
        odds = window_odds(found, self._learnt.units[head], self._learnt.intercepts[head])
        best = np.full(len(texts), -30.0)
        np.maximum.at(best, found["text"], odds)
        number = np.bincount(found["text"], minlength=len(texts))
        best -= np.log(np.maximum(number, 1))
        evidence = np.array([rules_evidence(score) for score in scores])
        both = fused(self._learnt.fusion[np.asarray(heads, np.intp)].T, best, evidence)
        spans = np.zeros((len(texts), 2), np.int64)
        order = np.argsort(odds, kind="stable")
        spans[found["text"][order]] = np.stack((found["start"][order], found["end"][order]), axis=1)
        chances = 1 / (1 + np.exp(-np.clip(both, -30, 30)))
        return [Judged(float(p), float(o), int(a), int(b)) for p, o, (a, b) in zip(chances, both, spans, strict=True)]

    def reasons(self, text: str, head: int, start: int, end: int) -> list[tuple[int, int]]:
        """Return up to three stretches of folded `text` that speak most for an attack, within a window (bytes).

        A stretch is a run of words whose n-grams add up to most; spans are in characters.
        """
        window = text.encode("utf-8", "replace")[start:end]
        places = self.ngrams.places(window)
        kinds = np.searchsorted(STARTS, places["feature"], side="right") - 1
        scale = SCALES / np.sqrt(np.bincount(kinds, minlength=len(STARTS)) + SOFTENED) * self._learnt.units[head]
        worth = self._learnt.weights[head][places["feature"]] * scale[kinds]
        shares = np.zeros(len(window) + 1)
        length = np.maximum(places["end"].astype(np.int64) - places["start"], 1)
        np.add.at(shares, places["start"], worth / length)
        np.add.at(shares, places["end"], -worth / length)
        before = len(text.encode("utf-8", "replace")[:start].decode("utf-8", "replace"))
        spans = _highest(np.cumsum(shares)[:-1], most=3)
        return [(before + _characters(window, a), before + _characters(window, b)) for a, b in spans]


def _characters(data: bytes, place: int) -> int:
    return len(data[:place].decode("utf-8", "replace"))


def _highest(worth: Any, most: int) -> list[tuple[int, int]]:
    """Return the stretches with the highest sums of `worth`, apart from each other (Kadane's, Bentley 1984)."""
    found: list[tuple[int, int]] = []
    left = worth.copy()
    first = 0.0
    for _ in range(most):
        sums = np.cumsum(left)
        lowest = np.minimum.accumulate(np.concatenate(([0.0], sums[:-1])))
        end = int(np.argmax(sums - lowest))
        gain = float((sums - lowest)[end])
        if gain <= 0 or gain < first / 3:
            break
        first = first or gain
        start = int(np.argmin(np.concatenate(([0.0], sums[:end])))) if end else 0
        found.append((start, end + 1))
        left[start : end + 1] = -1e9
    return sorted(found)


@cache
def learnt() -> Weights:
    """Return what the package ships."""
    file = resources.files("treering.content") / "models" / _FILE
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as held:
        facts = json.loads(bytes(held["facts"]))
        return Weights(held["weights"], held["units"], held["intercepts"], held["fusion"], facts)
