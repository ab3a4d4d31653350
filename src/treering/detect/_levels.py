"""Judging levels: are the newest values (seconds, tokens, dollars a call) higher than they used to be?

By default (`robust`) few calls are treated as counts: how many of them are above the 90 % and the 99 % quantile of what
was usual (binomial tests over the last 1, 2, 3, 5 … windows), and how far out they are together (Fisher's test of their
ranks, from three calls on); with many calls the median of the window is also compared
with the medians of half hours, those of the same time of day where three days are known (robust z-score). The other
methods compare the logarithm of the median with those of past half hours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from treering.detect import _statistics as statistics
from treering.detect._cells import evidence_of, pool
from treering.detect._series import Verdict, Windows
from treering.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.detect._cells import Cell
    from treering.detect._series import Series

Method = Literal["robust", "zscore", "mad", "iqr", "ewma"]
_SCORES: dict[str, tuple[Callable[[float, Sequence[float], float], float], float]] = {
    "zscore": (statistics.z_score, 4.0),
    "mad": (statistics.mad_score, 5.0),
    "iqr": (statistics.iqr_score, 3.0),
    "ewma": (statistics.ewma_score, 5.0),
}
_POOLS = (1, 2, 3, 5, 10, 30, 60)
_LEAST_CALLS = 10
_MANY_CALLS = 30
_LEAST_PAST = 50
_LEAST_SLOTS = 6
_HIGH = 0.9
_VERY_HIGH, _VERY_HIGH_PAST = 0.99, 300
_FEW = 3
_ODD_GAIN, _USUAL_LOSS = math.log(0.6 / 0.1), math.log(0.9 / 0.4)
_ROUNDING = 1 + 1e-9  # three of three calls above the 99 % quantile are exactly one in a million
_FLOOR = 0.05  # windows of a few percent above the median are never news


class Levels(Windows, frozen=True):
    """What is high."""

    method: Annotated[Method, Meta(description="`robust`, or `zscore`, `mad`, `iqr`, `ewma` on half hours")] = "robust"
    ratio: Annotated[float, Meta(gt=1, description="least rise of the median that is told")] = 1.6
    chance: Annotated[float, Meta(gt=0, lt=1, description="`robust`: greatest probability of a chance result")] = 1e-6
    threshold: Annotated[
        float, Meta(ge=0, description="score of the other methods that is odd; 0: what is usual for the method")
    ] = 0.0


class LevelJudge:
    """Judges the values of a window."""

    def __init__(self, settings: Levels, rule: str, title: Callable[[Series, float, float], str]) -> None:
        """Tell findings as `rule` with the title that `title(series, usual, now)` returns."""
        self._settings = settings
        self._rule = rule
        self._title = title

    def __call__(self, series: Series, cell: Cell, window_ns: int, looks: int = 1) -> Verdict | None:
        """Return why the newest window, looked at for one of `looks` times, is high, or None."""
        usual = series.distribution.quantile(0.5)
        if series.distribution.size < _LEAST_PAST or usual <= 0 or not cell.values:
            return None
        if not self._is_fresh(series.recent, usual):
            return None
        high = series.distribution.quantile(_HIGH)
        for windows in _POOLS:
            cells = pool(series.recent, windows)
            values = [value for held in cells for value in held.values]
            if len(values) < _FEW:
                continue
            now = statistics.median(values)
            if now < usual * self._settings.ratio:
                continue
            found = self._surprise(series, values, high, cell.number * window_ns, looks)
            if found is not None:
                return self._verdict(series, cells, (usual, now, high), found)
        return None

    def _is_fresh(self, recent: Sequence[Cell], usual: float) -> bool:
        """Whether the very newest calls are high themselves, so that an anomaly that is over is not told on."""
        newest: list[float] = []
        for cell in reversed(recent):
            newest = [*cell.values, *newest]
            if len(newest) >= 3:
                break
        return statistics.median(newest) >= usual * (1 + (self._settings.ratio - 1) / 2)

    def _surprise(
        self, series: Series, values: list[float], high: float, at_ns: int, looks: int
    ) -> dict[str, float] | None:
        likely = self._settings.chance / looks
        slots = series.history.usual(at_ns)
        levels = [math.log(max(slot.level / slot.calls, 1e-9)) for slot in slots if slot.calls and slot.level > 0]
        now = math.log(max(statistics.median(values), 1e-9))
        if self._settings.method != "robust":
            score, threshold = _SCORES[self._settings.method]
            limit = self._settings.threshold or threshold
            # A median of a few calls is too uncertain to be compared with one of hundreds.
            if len(levels) < _LEAST_SLOTS or len(values) < _LEAST_CALLS:
                return None
            value = score(now, levels, _FLOOR)
            return {"score": value, "threshold": limit} if value >= limit else None
        limits = [(high, _HIGH)]
        if series.distribution.size >= _VERY_HIGH_PAST:
            limits.append((series.distribution.quantile(_VERY_HIGH), _VERY_HIGH))
        for limit, share in limits:
            hits = sum(1 for value in values if value > limit)
            chance = statistics.binomial_tail(hits, len(values), 1 - share)
            if chance <= likely * _ROUNDING:
                return {"chance": chance, "above": hits, "calls": len(values)}
        if series.distribution.size >= _VERY_HIGH_PAST:
            chance = statistics.fisher_chance([series.distribution.share_from(value) for value in values])
            if chance < likely:
                return {"chance": chance, "above": sum(1 for value in values if value > high), "calls": len(values)}
        if len(values) >= _MANY_CALLS and len(levels) >= _LEAST_SLOTS:
            value = statistics.mad_score(now, levels, _FLOOR)
            return {"score": value, "threshold": 6.0} if value >= 6.0 else None
        return None

    def _verdict(
        self, series: Series, cells: list[Cell], levels: tuple[float, float, float], found: dict[str, float]
    ) -> Verdict:
        usual, now, high = levels
        ratio = now / usual
        severity = Severity.HIGH if ratio >= 3 else Severity.MEDIUM
        facts = {"usual": _rounded(usual), "observed": _rounded(now), "ratio": _rounded(ratio), "limit": _rounded(high)}
        facts |= {name: _rounded(value) for name, value in found.items()}
        since = began(series.recent, lambda value: value > high)
        title = self._title(series, usual, now)
        showing = sum(1 for cell in cells if sum(1 for value in cell.values if value > high) * 2 > len(cell.values))
        return Verdict(self._rule, title, severity, min(1.0, 1 - 1 / ratio), since, facts, evidence_of(cells), showing)


def began(recent: Sequence[Cell], odd: Callable[[float], bool]) -> int:
    """Return the number of the window since which values are odd far more often than one in ten.

    The most likely change point: where the log-likelihood ratio of "six of ten are odd" to "one of ten is", summed from
    the newest window back, is greatest (Page, Continuous Inspection Schemes, Biometrika 1954).
    """
    since, best, total = recent[-1].number, -math.inf, 0.0
    for cell in reversed(recent):
        bad = sum(1 for value in cell.values if odd(value))
        total += bad * _ODD_GAIN - (len(cell.values) - bad) * _USUAL_LOSS
        if bad and total >= best:
            since, best = cell.number, total
    return since


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
