"""Statistics of small tables and short series, without SciPy: each takes plain numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAD_TO_SIGMA = 1.4826
LEAST = 1e-300


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Return the probability of `statistic` or more under chi-squared with `degrees` (at least 1) of freedom.

    The upper incomplete gamma function by its recurrence from a half or one (Abramowitz and Stegun, 6.5.22).
    """
    half = max(statistic, 0.0) / 2
    order = 0.5 if degrees % 2 else 1.0
    found = math.erfc(math.sqrt(half)) if degrees % 2 else math.exp(-half)
    while half > 0 and order < degrees / 2:
        found += math.exp(order * math.log(half) - half - math.lgamma(order + 1))
        order += 1
    return min(1.0, max(found, LEAST))


def kolmogorov_chance(distance: float, size: float) -> float:
    """Return the asymptotic probability of a Kolmogorov-Smirnov distance or a greater one; `size` is nm / (n + m)."""
    root = math.sqrt(size)
    scaled = (root + 0.12 + 0.11 / max(root, 1e-9)) * distance  # Stephens' correction for few values, 1970
    if scaled < 0.2:
        return 1.0
    total = math.fsum((1 if k % 2 else -1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 40))
    return min(1.0, max(2 * total, LEAST))


def normal_chance(score: float) -> float:
    """Return the probability of a normal deviate as far from 0 as `score`, on either side."""
    return max(math.erfc(abs(score) / math.sqrt(2)), LEAST)


def adjusted(chances: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, so that a limit on them bounds the share of false ones.

    Benjamini and Hochberg, Controlling the False Discovery Rate, 1995 (step-up, as R's `p.adjust` gives them).
    """
    found = [1.0] * len(chances)
    least = 1.0
    for rank, place in reversed(list(enumerate(sorted(range(len(chances)), key=lambda at: chances[at]), start=1))):
        least = min(least, chances[place] * max(1.0, len(chances) / rank))
        found[place] = least
    return found


def median(values: Sequence[float]) -> float:
    """Return the middle of `values`, of which there must be one."""
    held = sorted(values)
    middle = len(held) // 2
    return held[middle] if len(held) % 2 else (held[middle - 1] + held[middle]) / 2


def spread(values: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, scaled to a normal distribution's standard deviation."""
    center = median(values)
    return MAD_TO_SIGMA * median([abs(value - center) for value in values])
