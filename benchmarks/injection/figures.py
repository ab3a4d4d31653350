"""Figures of rankings, with intervals by bootstrap over sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = 300
BUDGETS = (0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Shares of benign texts that may be an alarm."""


class Sample(NamedTuple):
    """Log-odds and the source of each text."""

    odds: Any
    source: Any

    def __add__(self, other: Sample) -> Sample:  # type: ignore[override]
        """Return both together."""
        return Sample(np.concatenate((self.odds, other.odds)), np.concatenate((self.source, other.source)))

    def where(self, use: Any) -> Sample:
        """Return the texts for which `use` is true."""
        return Sample(self.odds[use], self.source[use])


def above(benign: Any, share: float) -> float:
    """Return the score that `share` of the benign texts lie above: the one at rank floor(share * n) from the top."""
    return float(np.sort(benign)[::-1][int(share * len(benign))])


def auc(attacks: Any, benign: Any) -> float:
    """Return the chance that an attack is ranked above a benign text; ties count half."""
    ordered = np.sort(benign)
    below = np.searchsorted(ordered, attacks, "left") + np.searchsorted(ordered, attacks, "right")
    return float(below.mean() / 2 / len(benign))


def recall(attacks: Any, benign: Any, share: float) -> float:
    """Return the share of attacks above what `share` of the benign texts are above."""
    return float((attacks > above(benign, share)).mean())


def interval(
    figure: Callable[[Any, Any], float], attacks: Sample, benign: Sample, seed: int = 1
) -> tuple[float, float]:
    """Return the 90 % interval of `figure` when other sources had been drawn."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(DRAWS):
        drawn = [_redrawn(sample, random) for sample in (attacks, benign)]
        found.append(figure(*drawn))
    low, high = np.quantile(found, (0.05, 0.95))
    return float(low), float(high)


def _redrawn(sample: Sample, random: Any) -> Any:
    names = np.unique(sample.source)
    chosen = random.choice(names, len(names))
    return np.concatenate([sample.odds[sample.source == name] for name in chosen])


def thresholds(odds: Any, source: Any) -> dict[str, float]:
    """Return the log-odds above which `BUDGETS` of the benign rows lie, every source counting the same."""
    weight = np.zeros(len(odds))
    for name in np.unique(source):
        weight[source == name] = 1 / np.sqrt((source == name).sum())
    order = np.argsort(-odds)
    share = np.cumsum(weight[order]) / weight.sum()
    return {str(budget): float(odds[order][np.searchsorted(share, budget)]) for budget in BUDGETS}
