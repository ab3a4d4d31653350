"""Slow leaks: a caller whose cost grows day after day, each day too little above the one before to be a drain.

What is usual for all follows such growth, so each caller is compared with itself: a day that costs several times the
median of the older half of its known days, after three days that were already above it and never fell much.
"""

from __future__ import annotations

from itertools import islice, pairwise
from statistics import median

import msgspec

MOST_DAYS = 21
_LEAST_DAYS, _RISING = 6, 3
_ABOVE, _FALL = 1.5, 0.9
_MOST, _SPARE = 2_000, 500


class Leaks(msgspec.Struct):
    """What callers cost on their last days, those without a call left out."""

    days: dict[str, list[float]] = {}

    def add(self, name: str, usd: float) -> None:
        """Add a day that is over."""
        held = self.days.pop(name, [])
        self.days[name] = [*held, usd][-MOST_DAYS:]
        if len(self.days) > _MOST + _SPARE:
            for oldest in list(islice(self.days, _SPARE)):
                del self.days[oldest]

    def base(self, name: str) -> float:
        """Return what a day of a caller cost before it began to rise; infinite for one that does not rise."""
        known = self.days.get(name, ())
        if len(known) < _LEAST_DAYS:
            return float("inf")
        usual, last = median(known[: len(known) // 2]), known[-_RISING:]
        rises = all(after >= _FALL * before for before, after in pairwise(last))
        return usual if rises and last[0] >= _ABOVE * usual else float("inf")
