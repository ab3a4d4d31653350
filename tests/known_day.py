"""A known day through the real server, and what it found compared with what happened."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.serving import Server
from treering.app.config import Follow
from treering.model.finding import from_record
from treering.model.times import rfc3339_ns
from treering.testing.day import FILES, Day, play

if TYPE_CHECKING:
    from pathlib import Path

    from treering.model.finding import Finding
    from treering.model.incident import Incident
    from treering.testing.day.truth import Incident as Happened
    from treering.testing.day.truth import Truth

MINUTE = 60 * 10**9
# Who may speak of which kind of thing. What is left out is coincidence: a latency finding during an injection.
SPEAK_OF = {
    "training_failure": {"training", "crashes", "templates", "rules"},
    "crash_loop": {"crashes", "templates", "errors", "throughput", "latency", "rules"},
    "latency_regression": {"latency", "throughput", "rules", "outliers", "drift"},
    "provider_errors": {"errors", "latency", "throughput", "templates", "rules", "outliers"},
    "prompt_injection": {"prompts", "secrets", "rules"},
    "indirect_injection": {"prompts", "secrets", "rules"},
    "drift": {"drift", "tokens", "latency", "cost", "throughput", "outliers", "rules"},
    "spend_loop": {"spend", "tokens", "cost", "throughput", "latency", "outliers", "drift", "rules"},
    "hallucination": {"groundedness", "drift", "templates", "rules"},
    "vector_access": {"vector_access", "errors", "templates", "rules"},
}
# Where a service is the gateway of all, only the entity tells whose finding it is.
_AFTER = 30 * MINUTE


@dataclass
class Outcome:
    """What a day's detection came to."""

    truth: Truth
    findings: list[Finding]
    incidents: list[Incident]
    first_record_ns: dict[str, int]

    def of(self, happened: Happened) -> list[Finding]:
        """The findings that speak of one thing that happened."""
        return [finding for finding in self.findings if self.explained.get(finding.fingerprint) == happened.id]

    @property
    def explained(self) -> dict[str, str]:
        """Fingerprint to the id of what the finding speaks of; without those that nothing explains."""
        found = {}
        for finding in self.findings:
            ranked = [(_fit(finding, happened), happened.id) for happened in self.truth.incidents]
            best, name = max(ranked)
            if best > 0:
                found[finding.fingerprint] = name
        return found

    def delay_minutes(self, happened: Happened) -> float | None:
        """Simulated minutes from the first record that shows it to the first notice; None when there is no finding."""
        noticed = [finding.noticed_ns for finding in self.of(happened)]
        return (min(noticed) - self.first_record_ns[happened.id]) / MINUTE if noticed else None

    def pairwise_f1(self) -> float:
        """How well findings are put together: F1 over pairs of explained findings that are in an incident."""
        case = {name: incident.id for incident in self.incidents for name in incident.findings}
        labelled = [(label, case[name]) for name, label in self.explained.items() if name in case]
        both = one = other = 0
        for (label, group), (label_2, group_2) in itertools.combinations(labelled, 2):
            both += label == label_2 and group == group_2
            one += label != label_2 and group == group_2
            other += label == label_2 and group != group_2
        return 2 * both / max(1, 2 * both + one + other)

    def false_incidents(self) -> list[Incident]:
        """Incidents without a finding that anything explains."""
        explained = self.explained
        return [incident for incident in self.incidents if not any(name in explained for name in incident.findings)]


def _fit(finding: Finding, happened: Happened) -> float:
    """How well what happened explains a finding; 0 when it does not."""
    start, end = rfc3339_ns(happened.start) or 0, rfc3339_ns(happened.end) or 0
    if finding.detector not in SPEAK_OF[happened.kind] or finding.end_ns < start - MINUTE:
        return 0.0
    if finding.start_ns > end + _AFTER:
        return 0.0
    shown = {item.trace_id for item in happened.evidence if item.trace_id}
    seen = {item.trace_id for item in finding.evidence if item.trace_id}
    known = {name for names in happened.entities.values() for name in names}
    named = {entity.value for entity in finding.entities}
    routes = {f"/v1/assist/{route}" for route in happened.entities.get("route", ())}
    score = 4.0 * bool(shown & seen) + 2.0 * bool(known & named or routes & named)
    return score + bool(set(happened.services) & named) + _nearness(finding, start, end)


def _nearness(finding: Finding, start: int, end: int) -> float:
    """How much of the finding lies within the time, a tie-breaker."""
    inside = min(finding.end_ns, end) - max(finding.start_ns, start)
    return max(0.0, inside / max(1, finding.end_ns - finding.start_ns)) * 0.5


def watch(directory: Path, seed: int) -> Outcome:
    """Play the day of `seed` through the protocols into a running server and return what it noticed."""
    logs = directory / "logs"
    follow = tuple(Follow(paths=(str(logs / file.path),), service=file.service, host=file.host) for file in FILES)
    day = Day(seed)
    truth = day.truth()
    with Server(directory / "data", follow=follow) as server:
        arguments = (day, server.url, server.grpc.address, str(logs))
        sender = multiprocessing.get_context("spawn").Process(target=play, args=arguments)
        sender.start()
        sender.join(400)
        assert sender.exitcode == 0
        _settled(server)
        findings = [from_record(record) for record in server.records("findings")]
        incidents = [case.incident for case in server.pipeline.incidents.book.cases()]
        first = _first_records(server, truth)
    live = {finding.fingerprint: finding for finding in findings}
    return Outcome(truth, list(live.values()), incidents, first)


def _settled(server: Server) -> None:
    """Wait until nothing has come and nothing is to be watched for ten seconds."""
    detection = server.pipeline.detection
    assert detection is not None
    until, newest, since = time.monotonic() + 400, -1, time.monotonic()
    while time.monotonic() < until:
        if (now := server.store.newest_seq()) != newest or not detection.settled():
            newest, since = now, time.monotonic()
        if time.monotonic() - since > 10:
            server.pipeline.incidents.settle()
            return
        time.sleep(0.25)
    raise AssertionError("detection does not come to an end")


def _first_records(server: Server, truth: Truth) -> dict[str, int]:
    """Return the instant of the first record that shows each thing: of its traces, else when it began."""
    times: dict[str, int] = defaultdict(lambda: 2**63)
    for record in server.records("spans"):
        trace = record["traceId"]
        times[trace] = min(times[trace], record["startTime"])
    found = {}
    for happened in truth.incidents:
        traces = [times[item.trace_id] for item in happened.evidence if item.trace_id in times]
        started = rfc3339_ns(happened.start) or 0
        found[happened.id] = max(started, min(traces)) if traces else started
    return found
