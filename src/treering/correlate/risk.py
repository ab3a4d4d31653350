"""Risk points: what findings add to an entity or an incident, and how it fades.

Points add up and halve every six hours, as in risk-based alerting: many small signs about one user count like one
large one. A repeated finding adds by the logarithm of its count, so that a loud detector cannot win by shouting.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.finding import Entity, Finding

HALF_LIFE_NS = 6 * 3600 * 10**9
_POINTS = (0.0, 3.0, 10.0, 25.0, 50.0)


def points(finding: Finding) -> float:
    """Return what one finding adds at its end: 0 to 50 by severity, times its score, more when repeated."""
    return _POINTS[finding.severity.rank] * finding.score * (1 + math.log2(max(1, finding.count)) / 8)


def risk(findings: Iterable[Finding], now_ns: int) -> float:
    """Return the points of `findings` as they have faded until `now_ns`; later findings count in full."""
    return round(sum(points(finding) * _faded(now_ns - finding.end_ns) for finding in findings), 3)


def by_entity(findings: Iterable[Finding], now_ns: int) -> dict[Entity, float]:
    """Return the points of each entity that `findings` name, the riskiest first."""
    sums: dict[Entity, float] = defaultdict(float)
    for finding in findings:
        value = points(finding) * _faded(now_ns - finding.end_ns)
        for entity in finding.entities:
            sums[entity] += value
    return {entity: round(value, 3) for entity, value in sorted(sums.items(), key=lambda item: (-item[1], item[0]))}


def _faded(age_ns: int) -> float:
    return math.exp2(-max(0, age_ns) / HALF_LIFE_NS)
