"""One number over the steps of a run: its course, spikes, NaN, plateau. Memory is bounded by halving the resolution."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

MOST = 8192
_WINDOW = 21
_LEAST = 8
_FEW = 4
_SHOWN = 5


@dataclass(slots=True)
class Series:
    """Pairs of step and value in order."""

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    count: int = 0
    bad: int = 0
    bad_at_end: int = 0
    first_bad: float | None = None
    last: float | None = None
    _every: int = 1

    def add(self, step: float, value: float) -> None:
        """Add a point; NaN and infinities are counted, not kept."""
        self.count += 1
        self.last = value
        if not math.isfinite(value):
            self.bad += 1
            self.bad_at_end += 1
            self.first_bad = step if self.first_bad is None else self.first_bad
            return
        self.bad_at_end = 0
        if self.count % self._every:
            return
        self.steps.append(step)
        self.values.append(value)
        if len(self.values) >= MOST:
            self.steps, self.values, self._every = self.steps[::2], self.values[::2], self._every * 2

    @property
    def ended_bad(self) -> bool:
        """Whether the last value is NaN or infinite."""
        return self.last is not None and not math.isfinite(self.last)

    def spikes(self) -> list[tuple[float, float, float]]:
        """Return step, value and usual value of points far above those just before them.

        Far: six median absolute deviations above the running median of 21 points (a Hampel filter), and by half of it.
        """
        found = []
        for at in range(_LEAST, len(self.values)):
            before = self.values[max(0, at - _WINDOW) : at]
            usual = statistics.median(before)
            spread = statistics.median(abs(value - usual) for value in before)
            if self.values[at] > usual + max(6 * 1.4826 * spread, 0.5 * abs(usual)):
                found.append((self.steps[at], self.values[at], usual))
        return found

    @property
    def diverged(self) -> bool:
        """Whether the last tenth lies above the best stretch by half and above where the series began."""
        if len(self.values) < 10:
            return False
        size = max(3, len(self.values) // 10)
        end = statistics.median(self.values[-size:])
        best = min(statistics.median(self.values[at : at + size]) for at in range(0, len(self.values) - size + 1, size))
        return end > best + 0.5 * abs(best) and end > 0.9 * statistics.median(self.values[:size])

    @property
    def risen(self) -> tuple[float, float] | None:
        """Where the least value was and what it was, if the last is a tenth above it and it lies in the first half."""
        if len(self.values) < _FEW:
            return None
        at = min(range(len(self.values)), key=self.values.__getitem__)
        best, last = self.values[at], self.values[-1]
        return (self.steps[at], best) if at < len(self.values) // 2 and last > best + 0.1 * abs(best) else None

    @property
    def plateau(self) -> bool:
        """Whether the last third changed by less than half a percent."""
        third = len(self.values) // 3
        if third < _LEAST:
            return False
        middle, end = self.values[-third : -third // 2], self.values[-third // 2 :]
        before, after = statistics.median(middle), statistics.median(end)
        return abs(before - after) <= 0.005 * max(abs(before), 1e-12)

    def about(self) -> dict[str, Any]:
        """Return the course as plain values."""
        spikes = self.spikes()
        return {
            "points": self.count,
            "first": self.values[0] if self.values else None,
            "last": self.values[-1] if self.values else None,
            "least": min(self.values, default=None),
            "most": max(self.values, default=None),
            "nan_or_inf": self.bad,
            "first_nan_or_inf_at": self.first_bad,
            "spikes": len(spikes),
            "worst_spikes": [
                {"step": step, "value": value, "usual": usual}
                for step, value, usual in sorted(spikes, key=lambda one: -one[1])[:_SHOWN]
            ],
            "plateau": self.plateau,
        }
