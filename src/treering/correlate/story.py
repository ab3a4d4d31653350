"""From findings that belong together to an incident that a person can read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from treering.correlate.kinds import is_identity
from treering.correlate.risk import points, risk
from treering.correlate.tactics import tactic
from treering.model.finding import Entity, Severity
from treering.model.incident import Incident, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.correlate.clue import Clue

MAX_ENTITIES = 200
MAX_MOMENTS = 500
_MANY_STAGES = 3


def incident(clues: Sequence[Clue]) -> Incident:
    """Return the story of `clues`, which are in order of time. It depends on nothing else."""
    findings = [clue.finding for clue in clues]
    moments = sorted(
        (Moment(f.start_ns, f.title, tactic(f), f.fingerprint) for f in findings),
        key=lambda moment: (moment.time_ns, moment.finding),
    )
    end = max(f.end_ns for f in findings)
    return Incident(
        id=f"inc-{clues[0].fingerprint[:12]}",
        title=_title(clues),
        kind=_kind(clues),
        severity=_severity(clues),
        start_ns=min(f.start_ns for f in findings),
        end_ns=end,
        noticed_ns=min(f.noticed_ns for f in findings),
        findings=tuple(f.fingerprint for f in findings),
        entities=_entities(clues),
        timeline=tuple(moments[:MAX_MOMENTS]),
        techniques=tuple(dict.fromkeys(t for f in findings for t in f.techniques)),
        risk=risk(findings, end),
    )


def _kind(clues: Sequence[Clue]) -> str:
    """Return the family with the most risk points; the first in time among equals."""
    sums: dict[str, float] = {}
    for clue in clues:
        sums[clue.family] = sums.get(clue.family, 0.0) + points(clue.finding)
    return max(sums, key=lambda name: sums[name])


def _severity(clues: Sequence[Clue]) -> Severity:
    """Return the worst severity, one step worse when an attack went through three stages or more."""
    worst = max((clue.finding.severity for clue in clues), key=lambda severity: severity.rank)
    stages = {stage for clue in clues if (stage := tactic(clue.finding))}
    if len(stages) >= _MANY_STAGES and worst.rank >= Severity.MEDIUM.rank:
        return list(Severity)[min(worst.rank + 1, len(Severity) - 1)]
    return worst


def _entities(clues: Sequence[Clue]) -> tuple[Entity, ...]:
    """Return whom and what it concerns: those most findings name first, identities before places."""
    counts = Counter(entity for clue in clues for entity in dict.fromkeys(clue.finding.entities))
    ordered = sorted(counts, key=lambda entity: (not is_identity(entity.kind), -counts[entity], entity))
    return tuple(ordered[:MAX_ENTITIES])


def _title(clues: Sequence[Clue]) -> str:
    """Return the title of the weightiest finding of the incident's kind, and how much else there is."""
    kind = _kind(clues)
    leading = [clue for clue in clues if clue.family == kind]
    first = max(leading, key=lambda clue: (points(clue.finding), -clue.finding.start_ns))
    others = len({(c.finding.detector, c.finding.rule) for c in clues} - {(first.finding.detector, first.finding.rule)})
    more = "" if not others else f" (and {others} other sign{'s' if others > 1 else ''})"
    return first.finding.title + more
