"""The tests that detectors use, without SciPy: each takes plain numbers and says how surprising they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treering.query.statistics import LEAST, chi_squared_tail, kolmogorov_chance, median, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = [
    "binomial_tail",
    "chi_squared_chance",
    "ewma_score",
    "iqr_score",
    "kolmogorov_chance",
    "mad_score",
    "median",
    "poisson_head",
    "poisson_tail",
    "quantile",
    "spread",
    "surprising",
    "z_score",
]


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
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(LEAST))))


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
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(LEAST))))


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
    return min(1.0, math.exp(max(log_term + math.log(total), math.log(LEAST))))


def fisher_chance(chances: Sequence[float]) -> float:
    """Return the probability that so many independent tests say together what they say, or more.

    Fisher's method (Statistical Methods for Research Workers, 1932): -2 times the sum of their logarithms is
    chi-squared with two degrees of freedom for each, whose tail is a Poisson sum.
    """
    half = -math.fsum(math.log(max(chance, LEAST)) for chance in chances)
    log_terms = [place * math.log(max(half, LEAST)) - math.lgamma(place + 1) for place in range(len(chances))]
    most = max(log_terms)
    log_sum = most + math.log(math.fsum(math.exp(term - most) for term in log_terms))
    return min(1.0, math.exp(min(0.0, log_sum - half)))


def chi_squared_chance(now: Mapping[str, float], before: Mapping[str, float]) -> float:
    """Return the probability that two counts by category have the same shares; rare categories are put together."""
    calls, past = sum(now.values()), sum(before.values())
    rare = [0.0, 0.0]
    kept: list[tuple[float, float]] = []
    for name in {*now, *before}:
        pair = now.get(name, 0.0), before.get(name, 0.0)
        if sum(pair) * calls / (calls + past) < 5:
            rare = [rare[0] + pair[0], rare[1] + pair[1]]
        else:
            kept.append(pair)
    if sum(rare) * calls / (calls + past) >= 5:
        kept.append((rare[0], rare[1]))
    if len(kept) < 2:
        return 1.0
    statistic = 0.0
    for seen in kept:
        for count, size in zip(seen, (calls, past), strict=True):
            expected = sum(seen) * size / (calls + past)
            statistic += (count - expected) ** 2 / expected
    return chi_squared_tail(statistic, len(kept) - 1)


def surprising(chances: Sequence[float], share: float) -> float:
    """Return the greatest chance that is surprising among so many, so that at most `share` of them are false.

    Benjamini and Hochberg, Controlling the False Discovery Rate, 1995. 0 when none is.
    """
    ordered = sorted(chances)
    limit = 0.0
    for rank, chance in enumerate(ordered, start=1):
        if chance <= share * rank / len(ordered):
            limit = chance
    return limit


def quantile(values: Sequence[float], share: float) -> float:
    """Return the linearly interpolated quantile of `values`, of which there must be one."""
    held = sorted(values)
    place = share * (len(held) - 1)
    low = int(place)
    high = min(low + 1, len(held) - 1)
    return held[low] + (held[high] - held[low]) * (place - low)


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
