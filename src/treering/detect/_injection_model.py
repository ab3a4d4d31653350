"""A linear model of suspicious texts: the second opinion on what the phrases leave open.

Two heads judge what people say, and what stands in documents and results of tools. A text is read in windows; the
windows' sums over hashed n-grams (`_ngrams`), of people's texts also a small network over what their words mean, make
a log-odds each, the text has its highest one less the logarithm of
their number (Bonferroni's correction: a long text has more chances), and a logistic regression weighs it against the
score of the phrases. How it was made and what it is worth: docs/models/injection.md.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from treering.detect._ngrams import Ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence

USER, DATA = 0, 1
"""Heads: what people say; documents and what tools return."""
WINDOWS = ((256, 192), (48, 24))
"""Tokens in a window and from one to the next, for each head."""
SCALES = np.array([1.0, 0.5, 1.0, 1.0], np.float32)
SOFTENED = np.array([4, 16, 4, 4], np.float32)
"""A kind's sum counts `SCALES` / sqrt(number of its features + `SOFTENED`): words, characters, concepts, senses."""
MOST_DOUBT = 5.0
DOUBTFUL = 0.5
"""Evidence of the phrases below which they say nothing alone: they are quoted, or the text only mentions them."""
_FILE = "injection.npz"
_MOST_BYTES = 200_000


MEANING = 0.3
"""Share of the network's log-odds in those of what people say; documents and tools are judged by the n-grams alone."""
_UNIT = 0.01
_SUREST = 14.0


class Layers(NamedTuple):
    """A network of one hidden layer over what a window's words mean: weights and biases of both layers."""

    hidden: Any
    biases: Any
    output: Any
    bias: Any


class Weights(NamedTuple):
    """What was learnt: int16 weights and their units by kind, and what turns sums into probabilities, for each head."""

    weights: Any
    units: Any
    intercepts: Any
    fusion: Any
    layers: Layers
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


def meanings(found: Any) -> Any:
    """Return what the network reads of windows: the sum of the vectors of their senses, and how many there are."""
    number = found["senses"][:, None].astype(np.float32)
    return np.hstack((found["meaning"] * (_UNIT / np.sqrt(number + 2)), 0.3 * np.log1p(number))).astype(np.float32)


def meaning_odds(read: Any, layers: Layers) -> Any:
    """Return the log-odds of windows by the network alone."""
    hidden = np.maximum(read @ layers.hidden + layers.biases, 0)
    return np.clip(hidden @ layers.output + layers.bias, -_SUREST, _SUREST)


class InjectionModel:
    """The model; for one thread at a time."""

    def __init__(self, weights: Weights) -> None:
        """Take what was learnt."""
        self._learnt = weights
        self.ngrams = Ngrams(weights.weights)

    def judge(
        self, texts: Sequence[str], heads: Sequence[int], scores: Sequence[float], least: float = -np.inf
    ) -> list[Judged]:
        """Return what is thought of folded texts, each judged by a head; `scores` are those of their phrases, or 0.

        Of a text whose log-odds are below `least` they are only known to be no more than what is returned.
        """
        data = [text[:_MOST_BYTES].encode("utf-8", "replace") for text in texts]
        found = self.ngrams.score(data, heads, WINDOWS)
        head = np.asarray(heads, np.intp)[found["text"]]
        odds = window_odds(found, self._learnt.units[head], self._learnt.intercepts[head])
        people = head == USER
        odds[people] *= 1 - MEANING
        evidence = np.array([rules_evidence(score) for score in scores])
        fusion = self._learnt.fusion[np.asarray(heads, np.intp)].T
        # The network is asked only where it could make an alarm of what the n-grams say.
        of_text = found["text"]
        open_ = people & (fused(fusion[:, of_text], odds + MEANING * _SUREST, evidence[of_text]) >= least)
        odds[people & ~open_] += MEANING * _SUREST
        odds[open_] += MEANING * meaning_odds(meanings(found[open_]), self._learnt.layers)
        best = np.full(len(texts), -30.0)
        np.maximum.at(best, found["text"], odds)
        number = np.bincount(found["text"], minlength=len(texts))
        best -= np.log(np.maximum(number, 1))
        both = fused(fusion, best, evidence)
        spans = np.zeros((len(texts), 2), np.int64)
        order = np.argsort(odds, kind="stable")
        spans[found["text"][order]] = np.stack((found["start"][order], found["end"][order]), axis=1)
        chances = 1 / (1 + np.exp(-np.clip(both, -30, 30)))
        return [Judged(float(p), float(o), int(a), int(b)) for p, o, (a, b) in zip(chances, both, spans, strict=True)]

    def reasons(self, windows: Sequence[tuple[str, int, int, int]]) -> list[list[tuple[int, int]]]:
        """Return up to three stretches of each folded text that speak most for an attack, spans in characters.

        Given are text, head, first and last + 1 byte of the window to look at. A stretch is a run whose n-grams add
        up to most.
        """
        raw = [(text[:_MOST_BYTES].encode("utf-8", "replace"), start, end) for text, _, start, end in windows]
        parts = [data[start:end] for data, start, end in raw]
        heads = [head for _, head, _, _ in windows]
        found = self.ngrams.stretches(parts, heads, self._learnt.units * SCALES, SOFTENED).tolist()
        return [
            sorted((_characters(data, start + a), _characters(data, start + b)) for a, b in spans if b > a)
            for (data, start, _), spans in zip(raw, found, strict=True)
        ]


def _characters(data: bytes, place: int) -> int:
    return place if data.isascii() else len(data[:place].decode("utf-8", "replace"))


@cache
def learnt() -> Weights:
    """Return what the package ships."""
    file = resources.files("treering.content") / "models" / _FILE
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as held:
        facts = json.loads(bytes(held["facts"]))
        layers = Layers(held["hidden"], held["biases"], held["output"], held["bias"])
        return Weights(held["weights"], held["units"], held["intercepts"], held["fusion"], layers, facts)
