"""The graph of an incident's entities: who and what, and which findings tie them together."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

from treering.correlate.kinds import is_identity
from treering.correlate.risk import by_entity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.finding import Finding

MAX_NODES = 60
MAX_EDGES = 200


def graph(findings: Sequence[Finding], now_ns: int) -> dict[str, Any]:
    """Return nodes (the riskiest 60 entities) and edges (how many findings name both), the strongest 200."""
    risks = by_entity(findings, now_ns)
    shown = list(risks)[:MAX_NODES]
    place = {entity: number for number, entity in enumerate(shown)}
    counts = Counter(entity for finding in findings for entity in set(finding.entities))
    ties: Counter[tuple[int, int]] = Counter()
    for finding in findings:
        inside = sorted({place[entity] for entity in finding.entities if entity in place})
        ties.update(combinations(inside, 2))
    return {
        "nodes": [
            {
                "id": place[entity],
                "kind": entity.kind,
                "value": entity.value,
                "risk": risks[entity],
                "findings": counts[entity],
                "identity": is_identity(entity.kind),
            }
            for entity in shown
        ],
        "edges": [
            {"source": one, "target": other, "findings": count}
            for (one, other), count in sorted(ties.items(), key=lambda item: (-item[1], item[0]))[:MAX_EDGES]
        ],
    }
