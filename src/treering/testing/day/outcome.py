"""What the detection of a known day came to, compared with what happened in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from treering.model.times import rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.model.finding import Finding
    from treering.model.incident import Incident
    from treering.testing.day.truth import Incident as Happened
    from treering.testing.day.truth import Truth

MINUTE = 60 * 10**9
# The aims: minutes to the first notice, F1 of the fold, incidents about nothing, false findings per 100,000 records.
MOST_MINUTES, LEAST_F1, MOST_FALSE, MOST_FALSE_FINDINGS = 5.0, 0.9, 1, 5.0
_AFTER = 30 * MINUTE
# Who may speak of which kind of thing. What is left out is coincidence: a latency finding during an injection.
SPEAK_OF: Mapping[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "training_failure": "training crashes templates rules",
        "crash_loop": "crashes templates errors throughput latency rules",
        "latency_regression": "latency throughput rules outliers drift",
        "provider_errors": "errors latency throughput templates rules outliers",
        "prompt_injection": "prompts taint canaries context_leaks exfiltration active_output secrets rules",
        "indirect_injection": "prompts taint canaries poisoning memory_writes exfiltration active_output secrets rules",
        "drift": "drift tokens latency cost throughput outliers rules",
        "spend_loop": "spend tokens cost throughput latency outliers drift rules",
        "hallucination": "groundedness drift templates rules latency tokens cost outliers throughput",
        "vector_access": "vector_access errors templates rules",
    }.items()
}
# Whose names must be among those of its findings; where nothing is listed, one of its services.
_WHO = {
    "training_failure": ("run", "host"),
    "crash_loop": ("host", "process"),
    "provider_errors": ("model",),
    "prompt_injection": ("user",),
    "indirect_injection": ("document",),
    "spend_loop": ("tool", "user"),
    "vector_access": ("principal",),
}


@dataclass(frozen=True)
class Outcome:
    """Findings and incidents of a day with its truth.

    `first_record_ns` maps the id of what happened to the start of the first record that shows it. `records` is how many
    logs and spans there were, `unfounded` what is wrong with the evidence (see `shown.unfounded`).
    """

    truth: Truth
    findings: Sequence[Finding]
    incidents: Sequence[Incident]
    first_record_ns: Mapping[str, int]
    records: int
    unfounded: Sequence[str]

    def of(self, happened: Happened) -> list[Finding]:
        """Return the findings that speak of one thing that happened."""
        return [finding for finding in self.findings if self.explained.get(finding.fingerprint) == happened.id]

    @cached_property
    def explained(self) -> dict[str, str]:
        """Fingerprint to the id of what the finding speaks of; without those that nothing explains."""
        found = {}
        for finding in self.findings:
            fits = [(_fit(finding, happened), happened.id) for happened in self.truth.incidents]
            best, name = max(fits, default=(0.0, ""))
            if best > 0:
                found[finding.fingerprint] = name
        return found

    def false_findings(self) -> list[Finding]:
        """Return the findings that nothing which happened explains."""
        return [finding for finding in self.findings if finding.fingerprint not in self.explained]

    def false_per_100k(self) -> float:
        """Return how many of those there are to 100,000 logs and spans."""
        return 100_000 * len(self.false_findings()) / max(1, self.records)

    def delay_minutes(self, happened: Happened) -> float | None:
        """Return the minutes from the first record that shows it to the first notice; None without a finding."""
        noticed = [finding.noticed_ns for finding in self.of(happened)]
        return (min(noticed) - self.first_record_ns[happened.id]) / MINUTE if noticed else None

    def names(self, happened: Happened) -> bool:
        """Return whether its findings name whom it concerns."""
        named = {entity.value for finding in self.of(happened) for entity in finding.entities}
        wanted = {name for part in _WHO.get(happened.kind, ()) for name in happened.entities.get(part, ())}
        return bool(named & (wanted or set(happened.services)))

    def pairwise_f1(self) -> float:
        """Return how well findings are put together: F1 over pairs of explained findings that are in an incident.

        1 where there is no pair that is or should be together.
        """
        case = {name: incident.id for incident in self.incidents for name in incident.findings}
        labelled = [(label, case[name]) for name, label in self.explained.items() if name in case]
        both = one = other = 0
        for (label, group), (label_2, group_2) in itertools.combinations(labelled, 2):
            both += label == label_2 and group == group_2
            one += label != label_2 and group == group_2
            other += label == label_2 and group != group_2
        return 2 * both / (2 * both + one + other) if both + one + other else 1.0

    def own_incident(self, happened: Happened) -> Incident | None:
        """Return the incident with most of its findings, None when it has none or is more about something else.

        Of two with as many it is the one that has fewer others.
        """
        mine = {finding.fingerprint for finding in self.of(happened)}
        held = [(len(mine.intersection(one.findings)), -len(one.findings), one) for one in self.incidents]
        most, _, best = max(held, key=lambda item: item[:2], default=(0, 0, None))
        if best is None or not most:
            return None
        labels = [label for name in best.findings if (label := self.explained.get(name))]
        return best if max(labels, key=labels.count) == happened.id else None

    def by(self, happened: Happened, detector: str) -> list[Finding]:
        """Return the findings of one detector about one thing that happened, first noticed first."""
        found = [finding for finding in self.of(happened) if finding.detector == detector]
        return sorted(found, key=lambda finding: finding.noticed_ns)

    def false_incidents(self) -> list[Incident]:
        """Return the incidents without a finding that anything explains."""
        explained = self.explained
        return [incident for incident in self.incidents if not any(name in explained for name in incident.findings)]

    def misses(self) -> list[str]:
        """Return which aims the day misses, in words; nothing when it meets them all."""
        wrong = [missed for one in self.truth.incidents for missed in self._misses_of(one)]
        if self.pairwise_f1() < LEAST_F1:
            wrong.append(f"F1 {self.pairwise_f1():.3f}")
        if len(self.false_incidents()) > MOST_FALSE:
            wrong.append(f"{len(self.false_incidents())} false incidents")
        if self.false_per_100k() > MOST_FALSE_FINDINGS:
            wrong.append(f"{len(self.false_findings())} false findings")
        return wrong + [f"evidence: {what}" for what in self.unfounded]

    def _misses_of(self, one: Happened) -> Iterator[str]:
        delay = self.delay_minutes(one)
        if delay is None:
            yield f"{one.id} has no finding"
            return
        if delay > MOST_MINUTES:
            yield f"{one.id} after {delay:.1f} min"
        if not self.names(one):
            yield f"{one.id} names nobody"
        if self.own_incident(one) is None:
            yield f"{one.id} has no incident of its own"


def _fit(finding: Finding, happened: Happened) -> float:
    """How well what happened explains a finding; 0 when it does not."""
    start, end = rfc3339_ns(happened.start) or 0, rfc3339_ns(happened.end) or 0
    if finding.detector not in SPEAK_OF[happened.kind] or finding.end_ns < start - MINUTE:
        return 0.0
    if finding.start_ns > end + _AFTER:
        return 0.0
    named = {entity.value for entity in finding.entities}
    score = 4.0 * _shared_traces(finding, happened) + 2.0 * bool(_known(happened) & named)
    return score + bool(set(happened.services) & named) + 0.5 * _inside(finding, start, end)


def _shared_traces(finding: Finding, happened: Happened) -> float:
    """Return which share of the traces that a finding shows are of what happened."""
    shown = {item.trace_id for item in happened.evidence if item.trace_id}
    seen = {item.trace_id for item in finding.evidence if item.trace_id}
    return len(shown & seen) / max(1, len(seen))


def _known(happened: Happened) -> set[str]:
    """Return the names that belong to what happened, and the endpoints of its route."""
    names = {name for held in happened.entities.values() for name in held}
    routes = {*happened.entities.get("route", ()), str(happened.facts.get("route", ""))} - {""}
    return names | {str(happened.facts.get("collection", ""))} | {f"/v1/assist/{route}" for route in routes}


def _inside(finding: Finding, start: int, end: int) -> float:
    """Return which share of a finding's records, of its time where it shows none, lies within the time."""
    if finding.evidence:
        return sum(start <= item.time_ns <= end for item in finding.evidence) / len(finding.evidence)
    inside = min(finding.end_ns, end) - max(finding.start_ns, start)
    return max(0.0, inside / max(1, finding.end_ns - finding.start_ns))


def first_records(truth: Truth, starts: Mapping[str, int]) -> dict[str, int]:
    """Return when the first record that shows each thing began; `starts` maps a trace id to its earliest span.

    What lines of files show counts from its nominal begin.
    """
    found = {}
    for happened in truth.incidents:
        traces = [starts[item.trace_id] for item in happened.evidence if item.trace_id in starts]
        begun = rfc3339_ns(happened.start) or 0
        by_lines = any(item.marker for item in happened.evidence)
        found[happened.id] = begun if by_lines or not traces else max(begun, min(traces))
    return found
