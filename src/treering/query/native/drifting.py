"""How far the values of a field in each bucket of time are from those of the first buckets."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from treering.query.native import Native
from treering.query.statistics import adjusted, kolmogorov_chance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASELINE_SHARE, SMOOTHING = 1 / 3, 0.5

Counts = dict[str, int]


def measured(summary: str, settings: str) -> str:
    """Return a row per bucket and field as a JSON list of objects, by time, then field.

    `summary` is a JSON list of `[field, bucket in ns, bin, count]`, bins of numbers as `0`, `1`, … in their order.
    `settings`: `baseline_ns` (0: the first third of the buckets) and `threshold` of the population stability index
    (0.1 is a small shift, 0.25 a large one by the usual rule of credit scoring; Siddiqi, Credit Risk Scorecards, 2006).
    `distance` is Jensen and Shannon's, of numbers Kolmogorov and Smirnov's, whose corrected chance is `p_value`.
    """
    told = json.loads(settings)
    fields: dict[str, dict[int, Counts]] = {}
    numeric: set[str] = set()
    for field, bucket, place, count, number in json.loads(summary):
        if bucket is not None:
            fields.setdefault(field, {}).setdefault(bucket, {})[place if place is not None else ""] = count
            numeric |= {field} if number else set()
    rows = [row for field, buckets in fields.items() for row in _of_field(field, buckets, field in numeric, told)]
    chances = adjusted([row["p_value"] for row in rows if row["p_value"] is not None])
    for row, chance in zip((row for row in rows if row["p_value"] is not None), chances, strict=True):
        row["p_value"] = chance
    rows.sort(key=lambda row: (row["time"], row["field"]))
    return json.dumps(rows, ensure_ascii=False)


def _of_field(
    field: str, buckets: Mapping[int, Counts], numeric: bool, told: Mapping[str, Any]
) -> list[dict[str, Any]]:
    times = sorted(buckets)
    first = [at for at in times if told["baseline_ns"] and at < times[0] + told["baseline_ns"]]
    first = first or times[: max(1, math.ceil(len(times) * BASELINE_SHARE))]
    baseline: Counts = {}
    for at in first:
        for place, count in buckets[at].items():
            baseline[place] = baseline.get(place, 0) + count
    rows = []
    for at in times:
        # A bucket of the baseline is compared with the others of it.
        rest = {place: count - (buckets[at].get(place, 0) if at in first else 0) for place, count in baseline.items()}
        size, past = sum(buckets[at].values()), sum(rest.values())
        row: dict[str, Any] = {
            "time": at,
            "field": field,
            "rows": size,
            "psi": None,
            "distance": None,
            "p_value": None,
            "drifted": None,
        }
        if size and past:
            places = sorted({*buckets[at], *rest}, key=_order)
            now, before = ([part.get(place, 0) for place in places] for part in (buckets[at], rest))
            row["psi"] = _stability(now, before)
            row["distance"] = _supremum(now, before) if numeric else _divergence(now, before)
            row["p_value"] = kolmogorov_chance(row["distance"], size * past / (size + past)) if numeric else None
            row["drifted"] = row["psi"] > told["threshold"]
        rows.append(row)
    return rows


def _order(place: str) -> tuple[float, str]:
    return (float(place), "") if place.isdecimal() else (math.inf, place)


def _stability(now: Sequence[int], before: Sequence[int]) -> float:
    """Return the population stability index less what chance alone gives (about bins - 1 over the sizes)."""
    size, past, bins = sum(now), sum(before), len(now)
    total = 0.0
    for a, b in zip(now, before, strict=True):
        share, expected = (a + SMOOTHING) / (size + SMOOTHING * bins), (b + SMOOTHING) / (past + SMOOTHING * bins)
        total += (share - expected) * math.log(share / expected)
    return max(0.0, total - (bins - 1) * (1 / size + 1 / past))


def _divergence(now: Sequence[int], before: Sequence[int]) -> float:
    """Return the square root of Jensen and Shannon's divergence in bits, 0 to 1 (Lin, 1991)."""
    size, past, total = sum(now), sum(before), 0.0
    for a, b in zip(now, before, strict=True):
        p, q = a / size, b / past
        middle = (p + q) / 2
        total += sum(share * math.log2(share / middle) for share in (p, q) if share) / 2
    return math.sqrt(max(0.0, total))


def _supremum(now: Sequence[int], before: Sequence[int]) -> float:
    size, past, a, b, found = sum(now), sum(before), 0, 0, 0.0
    for one, other in zip(now, before, strict=True):
        a, b = a + one, b + other
        found = max(found, abs(a / size - b / past))
    return found


NATIVES = (Native("ppl_drift", measured, ("VARCHAR", "VARCHAR"), "VARCHAR"),)
