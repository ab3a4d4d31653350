"""Rates of flags as they come: what is usual, and since when it is more often.

A one-sided CUSUM of log-likelihood ratios (Page 1954) between the usual rate of a group and a much higher one notices a
change after few answers and forgets single ones. Intervals are Wilson's (1927).
"""

from __future__ import annotations

import math

import msgspec

_PRIOR_FLAGS, _PRIOR = 1.0, 20.0
_KEEP = 500.0
_LOWEST, _HIGHEST = 0.02, 0.8


class Flags(msgspec.Struct):
    """The flags of one group: of what is usual, and of the episode that may be going on."""

    flagged: float = 0.0
    total: float = 0.0
    sum: float = 0.0
    since_ns: int = 0
    bad: int = 0
    good: int = 0
    last_bad_ns: int = 0
    open: bool = False

    @property
    def usual(self) -> float:
        """Return the usual rate, with a prior of one in twenty."""
        rate = (self.flagged + _PRIOR_FLAGS) / (self.total + _PRIOR)
        return min(_HIGHEST, max(_LOWEST, rate))

    def add(self, at_ns: int, *, flag: bool, level: float, quiet_ns: int, more: float = 0.25) -> bool:
        """Take in one answer; return whether an episode is going on and was shown by this one.

        `level` is the sum from which it is one, `more` how much higher than usual a rate has to be to be odd.
        """
        usual = self.usual
        odd = min(0.95, usual + max(more, 2 * usual))
        step = math.log(odd / usual) if flag else math.log((1 - odd) / (1 - usual))
        if self.sum <= 0:
            self.since_ns, self.bad, self.good = at_ns, 0, 0
        self.bad += flag
        self.good += not flag
        self.last_bad_ns = max(self.last_bad_ns, at_ns) if flag else self.last_bad_ns
        self.sum = min(3 * level, max(0.0, self.sum + step))
        if self.open:
            if self.sum <= 0 or at_ns - self.last_bad_ns > quiet_ns:
                self.open, self.sum = False, 0.0
            return self.open and flag
        self._learn(flag=flag)
        if flag and self.sum >= level:
            self.open = True
            self._unlearn()
        return self.open

    def _learn(self, *, flag: bool) -> None:
        self.flagged += flag
        self.total += 1
        if self.total > _KEEP:
            self.flagged *= 0.5
            self.total *= 0.5

    def _unlearn(self) -> None:
        """Take back what the episode taught before it was noticed."""
        self.flagged = max(0.0, self.flagged - self.bad)
        self.total = max(self.flagged, self.total - self.bad - self.good)


def wilson(count: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927); (0, 1) for none."""
    if not total:
        return 0.0, 1.0
    share, square = count / total, z * z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, middle - half), min(1.0, middle + half)
