"""A robust seasonal baseline of a series, and how far each value lies from it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.query.native import Native
from treering.query.statistics import MAD_TO_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Series = NDArray[np.float64]

HOUR_NS = 3600 * 10**9
SEASONS_NS = (7 * 24 * HOUR_NS, 24 * HOUR_NS, HOUR_NS)
LEAST_SEASONS, HALF_WINDOW, GAIN = 3, 24, 0.8


def scored(points: str, settings: str) -> str:
    """Return `[expected, lower, upper, score, anomalous]` for each `[time in ns, value]` of a JSON list.

    `settings` is a JSON object: `season_ns` (0 none, -1 the one of a week, a day and an hour that explains most),
    `sensitivity`, in deviations. Expected is a running median plus the median of the same phase of the season
    (a robust form of the classical decomposition; cf. Cleveland et al., STL, 1990); deviations are medians of
    absolute ones (Iglewicz and Hoaglin, 1993), of counts at least the root of what is expected.
    """
    told: dict[str, Any] = json.loads(settings)
    given = json.loads(points)
    held = [at for at, point in enumerate(given) if point[0] is not None and point[1] is not None]
    answer: list[list[Any]] = [[None] * 5 for _ in given]
    if len(held) < 4:
        return json.dumps(answer)
    times = np.array([given[at][0] for at in held], dtype=np.int64)
    values = np.array([given[at][1] for at in held], dtype=np.float64)
    order = np.argsort(times, kind="stable")
    expected = _expected(times[order], values[order], int(told["season_ns"]))
    for place, (value, center, deviation) in zip(
        order, zip(values[order], expected, _deviations(values[order], expected), strict=True), strict=True
    ):
        answer[held[place]] = _point(float(value), float(center), float(deviation), told["sensitivity"], values.min())
    return json.dumps(answer)


def _point(value: float, center: float, deviation: float, sensitivity: float, least: float) -> list[Any]:
    score = (value - center) / deviation
    low, high = center - sensitivity * deviation, center + sensitivity * deviation
    return [center, max(low, 0.0) if least >= 0 else low, high, score, abs(score) > sensitivity]


def _expected(times: NDArray[np.int64], values: Series, season_ns: int) -> Series:
    step = int(np.median(np.diff(times))) if len(times) > 1 else 0
    plain = _running_median(values, HALF_WINDOW)
    lengths = [season_ns] if season_ns >= 0 else list(SEASONS_NS)
    best, least = plain, _spread(values - plain) * (GAIN if season_ns < 0 else math.inf)
    for length in lengths:
        if step <= 0 or length < 2 * step or times[-1] - times[0] < (LEAST_SEASONS - 1) * length + length // 2:
            continue
        found = _seasonal(times, values, step, length)
        if (rest := _spread(values - found)) <= least:
            best, least = found, rest * GAIN
    return best


def _seasonal(times: NDArray[np.int64], values: Series, step: int, length: int) -> Series:
    phases = (times % length) // step
    trend = _running_median(values, max(length // step // 2, HALF_WINDOW))
    rest = values - trend
    season = np.zeros_like(values)
    for phase in np.unique(phases):
        here = phases == phase
        season[here] = np.median(rest[here])
    return np.asarray(trend + season - np.median(season))


def _running_median(values: Series, half: int) -> Series:
    """Return the median of the window around each value; at the ends, of the last window that is whole."""
    width = min(2 * half + 1, len(values))
    inside = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    places = np.clip(np.arange(len(values)) - width // 2, 0, len(inside) - 1)
    return np.asarray(inside[places])


def _spread(values: Series) -> float:
    return MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def _deviations(values: Series, expected: Series) -> Series:
    rest = np.abs(values - expected)
    # Where more than half of the values are as expected, the median says nothing; the mean still does.
    deviation = MAD_TO_SIGMA * float(np.median(rest)) or 1.2533 * float(np.mean(rest))
    floor = max(deviation, 1e-9 * float(np.max(np.abs(values))), 1e-12)
    counts = bool(np.all(values >= 0) and np.all(values == np.floor(values)))
    noise = np.sqrt(np.maximum(expected, 1.0)) if counts else np.zeros_like(values)
    return np.maximum(noise, floor)


NATIVES = (Native("ppl_baseline", scored, ("VARCHAR", "VARCHAR"), "VARCHAR"),)
