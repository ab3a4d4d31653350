"""What sets two groups of rows apart, ranked: from counts of values and from ranks of numbers to tests and effects."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.query.native import Native
from treering.query.statistics import adjusted, chi_squared_tail, kolmogorov_chance, normal_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fields whose values are as many as this share of their rows are names of single things; only presence is compared.
IDENTIFIERS, FEW = 0.5, 50
_RARE = 5.0


@dataclass(frozen=True, slots=True)
class Sides:
    """How many rows the two groups have in the sample, and in all."""

    rows: tuple[int, int]
    whole: tuple[int, int]

    def scaled(self, count: int, side: int) -> int:
        """Return a count in the sample as one of all rows."""
        return round(count * self.whole[side] / self.rows[side]) if self.rows[side] else 0


def ranked(summary: str, sides: str, alpha: float, top: int) -> str:
    """Return the significant differences as a JSON list of rows, the greatest effect first.

    `summary` is a JSON list of fields: `{"field", "kinds", "values": [[value, a, b, example], …]}` counts values (null
    included) in the two groups; `{"field", "numbers": {…}}` has of numbers the counts, `auc` (the chance that a number
    of the first group is the greater one, ties half), `ks`, the sum of cubed ties and both medians. `sides` are the
    sizes `[[sampled, sampled], [all, all]]`. P-values are corrected over everything that was compared.
    """
    sample, whole = json.loads(sides)
    groups = Sides((sample[0] or 0, sample[1] or 0), (whole[0] or 0, whole[1] or 0))
    if not all(groups.rows):
        return "[]"
    rows = [row for each in json.loads(summary) for row in _compared(each, groups)]
    for row, chance in zip(rows, adjusted([row["p_value"] for row in rows]), strict=True):
        row["p_value"] = chance
    kept = [row for row in rows if row["p_value"] <= alpha and row["effect"]]
    kept.sort(key=lambda row: (-abs(row["effect"]), row["kind"], row["field"], str(row["value"])))
    return json.dumps(kept[:top], ensure_ascii=False)


def _compared(summary: dict[str, Any], sides: Sides) -> Iterator[dict[str, Any]]:
    if (numbers := summary.get("numbers")) is not None:
        yield from _numbers(summary["field"], numbers, sides)
        return
    values = summary["values"]
    present = sum(a + b for value, a, b, _ in values if value is not None)
    if summary["kinds"] > FEW and summary["kinds"] > IDENTIFIERS * summary["present"]:
        values = [each for each in values if each[0] is None]
    elif present:
        yield from _field(summary["field"], values, sides)
    kind = "template" if summary.get("template") else "value"
    found = [_value(kind, summary["field"], value, (a, b), example, sides) for value, a, b, example in values]
    if len(found) == 2 and sum(a + b for _, a, b, _ in values) == sum(sides.rows):
        found = [row for row in found if row["effect"] > 0]  # of two values one says all
    yield from found


def _row(kind: str, field: str, measure: str, effect: float, chance: float, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("value", "count", "baseline_count", "share", "baseline_share", "median", "baseline_median"))
    return {"kind": kind, "field": field, **empty, "measure": measure, "effect": effect, "p_value": chance, **more}


def _field(field: str, values: list[Any], sides: Sides) -> Iterator[dict[str, Any]]:
    """Compare all values of a field at once: chi-squared of the table, Cramer's V as effect; rare values are one."""
    pairs = [(a, b) for _, a, b, _ in values]
    left = tuple(size - sum(pair[side] for pair in pairs) for side, size in enumerate(sides.rows))
    total = sum(sides.rows)
    least = min(sides.rows) / total
    kept = [pair for pair in pairs if sum(pair) * least >= _RARE]
    rare = [pair for pair in pairs if sum(pair) * least < _RARE]
    rest = (left[0] + sum(pair[0] for pair in rare), left[1] + sum(pair[1] for pair in rare))
    kept += [rest] if sum(rest) * least >= _RARE else []
    if len(kept) < 3:
        return  # one value against the others says as much
    statistic = sum(
        (count - sum(pair) * size / total) ** 2 / (sum(pair) * size / total)
        for pair in kept
        for count, size in zip(pair, sides.rows, strict=True)
    )
    effect = math.sqrt(statistic / total)
    yield _row("field", field, "cramers_v", effect, chi_squared_tail(statistic, len(kept) - 1))


def _value(
    kind: str, field: str, value: Any, counts: tuple[int, int], example: str | None, sides: Sides
) -> dict[str, Any]:
    """Compare the share of one value: chi-squared of two by two, with Yates' correction for few, phi as effect."""
    (a, b), (n, m) = counts, sides.rows
    chance, phi = _two_by_two(a, b, n - a, m - b)
    shares = {"share": a / n, "baseline_share": b / m}
    numbers = {"count": sides.scaled(a, 0), "baseline_count": sides.scaled(b, 1)}
    return _row(kind, field, "phi", phi, chance, value=value, example=example, **numbers, **shares)


def _two_by_two(a: int, b: int, c: int, d: int) -> tuple[float, float]:
    product = (a + b) * (c + d) * (a + c) * (b + d)
    if not product:
        return 1.0, 0.0
    total, gap = a + b + c + d, a * d - b * c
    least = min(a + b, c + d) * min(a + c, b + d) / total
    corrected = max(0.0, abs(gap) - (total / 2 if least < _RARE else 0))
    return chi_squared_tail(total * corrected**2 / product, 1), gap / math.sqrt(product)


def _numbers(field: str, found: dict[str, Any], sides: Sides) -> Iterator[dict[str, Any]]:
    """Compare numbers: Mann and Whitney's test with Cliff's delta, and Kolmogorov and Smirnov's where it says more."""
    n, m = found["a"], found["b"]
    if not n or not m:
        return
    medians = {"median": found["median"], "baseline_median": found["baseline_median"]}
    counts = {"count": sides.scaled(n, 0), "baseline_count": sides.scaled(m, 1)}
    delta, total = 2 * found["auc"] - 1, n + m
    ties = found["ties"] / (total * (total - 1)) if total > 1 else 0.0
    variance = n * m / 12 * (total + 1 - ties)
    score = max(0.0, abs(delta) * n * m / 2 - 0.5) / math.sqrt(variance) if variance > 0 else 0.0
    yield _row("number", field, "cliffs_delta", delta, normal_chance(score), **counts, **medians)
    if found["ks"] > abs(delta):
        chance = kolmogorov_chance(found["ks"], n * m / total)
        yield _row("number", field, "ks", found["ks"], chance, **counts, **medians)


NATIVES = (Native("ppl_differences", ranked, ("VARCHAR", "VARCHAR", "DOUBLE", "BIGINT"), "VARCHAR"),)
