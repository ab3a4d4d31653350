"""The tests that detectors use, without SciPy: each takes plain numbers and says how surprising they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAD_TO_SIGMA = 1.4826
_LEAST = 1e-300


def binomial_tail(hits: int, trials: int, share: float) -> float:
    """Return the probability of `hits` or more out of `trials` when each hits with probability `share`."""
    if hits <= 0:
        return 1.0
    share = min(max(share, 1e-9), 1 - 1e-9)
    if hits <= trials * share:
        return 1.0  # nobody asks about what is not above the mean
    # Terms fall at least geometrically beyond the mean, so a few hundred suffice at any size.
    log_term = _log_choose(trials, hits) + hits * math.log(share) + (trials - hits) * math.log1p(-share)
    total, term = 0.0, 1.0
    for count in range(hits, min(trials, hits + 400) + 1):
        total += term
        term *= (trials - count) / (count + 1) * share / (1 - share)
        if term < total * 1e-12:
            break
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(_LEAST))))


def poisson_tail(count: int, mean: float) -> float:
    """Return the probability of `count` or more events when `mean` are expected."""
    if count <= mean or count <= 0:
        return 1.0
    log_term = count * math.log(max(mean, 1e-9)) - mean - math.lgamma(count + 1)
    total, term, at = 0.0, 1.0, count
    while term > total * 1e-12 and at < count + 400:
        total += term
        at += 1
        term *= mean / at
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(_LEAST))))


def poisson_head(count: int, mean: float) -> float:
    """Return the probability of `count` or fewer events when `mean` are expected."""
    if count >= mean:
        return 1.0
    log_term = count * math.log(mean) - mean - math.lgamma(count + 1)
    total, term, at = 0.0, 1.0, count
    while at >= 0 and term > total * 1e-12:
        total += term
        term *= at / mean
        at -= 1
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(_LEAST))))


def median(values: Sequence[float]) -> float:
    """Return the middle of `values`, of which there must be one."""
    held = sorted(values)
    middle = len(held) // 2
    return held[middle] if len(held) % 2 else (held[middle - 1] + held[middle]) / 2


def quantile(values: Sequence[float], share: float) -> float:
    """Return the linearly interpolated quantile of `values`, of which there must be one."""
    held = sorted(values)
    place = share * (len(held) - 1)
    low = int(place)
    high = min(low + 1, len(held) - 1)
    return held[low] + (held[high] - held[low]) * (place - low)


def spread(values: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, scaled to a normal distribution's standard deviation."""
    center = median(values)
    return _MAD_TO_SIGMA * median([abs(value - center) for value in values])


def z_score(value: float, past: Sequence[float], floor: float) -> float:
    """Return how many standard deviations (at least `floor` each) `value` lies above the mean of `past`."""
    mean = math.fsum(past) / len(past)
    deviation = math.sqrt(math.fsum((item - mean) ** 2 for item in past) / max(len(past) - 1, 1))
    return (value - mean) / max(deviation, floor)


def mad_score(value: float, past: Sequence[float], floor: float) -> float:
    """Return the robust z-score: median and MAD instead of mean and deviation (Iglewicz and Hoaglin, 1993)."""
    return (value - median(past)) / max(spread(past), floor)


def iqr_score(value: float, past: Sequence[float], floor: float) -> float:
    """Return how many interquartile ranges `value` lies above the third quartile (Tukey's fences, 1977)."""
    third = quantile(past, 0.75)
    return (value - third) / max(third - quantile(past, 0.25), floor)


def ewma_score(value: float, past: Sequence[float], floor: float, weight: float = 0.25) -> float:
    """Return how many of its own deviations the weighted mean of the newest values lies above the centre of `past`.

    A control chart (Roberts, Control Chart Tests Based on Geometric Moving Averages, Technometrics 1959).
    """
    center, deviation = median(past), max(spread(past), floor)
    mean = center
    for item in (*past[-8:], value):
        mean += weight * (item - mean)
    return (mean - center) / (deviation * math.sqrt(weight / (2 - weight)))


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
