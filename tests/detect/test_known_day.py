"""A known day through the running server: what happened is found, whom it concerned, soon, and little else.

The day is always the same; `TREERING_DAY_SEED` plays another. tests/test_known_day.py draws one at random.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

import pytest

from tests.serving import Server
from treering.app.config import Follow
from treering.model.finding import FINDINGS, Finding, Severity, from_record
from treering.model.times import rfc3339_ns
from treering.testing.day import FILES, Day, play
from treering.testing.day.truth import Incident

MINUTE = 60 * 10**9
SOON_MINUTES = 5
END_NS = 1_795_543_200_000_000_000
MOST_UNEXPLAINED, MOST_UNEXPLAINED_SERIOUS = 6, 3
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Watched(NamedTuple):
    """A day, what was found, and when each span that shows an incident ended."""

    day: Day
    findings: list[Finding]
    ends: dict[str, int]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    seed = int(os.environ.get("TREERING_DAY_SEED") or 983788)
    print(f"seed of the known day: {seed}")
    folder = tmp_path_factory.mktemp("day")
    logs = folder / "logs"
    follow = tuple(Follow(paths=(str(logs / f.path),), service=f.service, host=f.host) for f in FILES)
    day = Day(seed, end_ns=END_NS)
    with Server(folder / "data", follow=follow) as server:
        done = play(day, server.url, server.grpc.listening[1], logs)
        assert done.rejected == 0
        settle(server, sum(done.records.values()))
        assert server.pipeline.detection is not None
        assert server.pipeline.detection.status()["failures"] == {}
        found = [from_record(record) for record in server.records(FINDINGS)]
        spans = server.records("spans")
    ends = {record["spanId"]: int(record["endTime"]) for record in spans}
    return Watched(day, sorted(found, key=lambda finding: finding.noticed_ns), ends)


def settle(server: Server, records: int, seconds: float = 240) -> None:
    """Wait until the followed files are stored, detection has caught up and the last windows have closed."""
    detection = server.pipeline.detection
    assert detection is not None
    until = time.monotonic() + seconds
    before, quiet = -1, 0
    while time.monotonic() < until and quiet < 8:
        time.sleep(0.5)
        newest = server.store.newest_seq()
        quiet = quiet + 1 if newest == before and detection.settled() else 0
        before = newest
    stored = sum(info.rows for info in server.store.streams() if info.name != FINDINGS)
    assert stored > records * 0.99
    assert detection.settled(), detection.status()


def span_ns(incident: Incident) -> tuple[int, int]:
    start, end = rfc3339_ns(incident.start), rfc3339_ns(incident.end)
    assert start is not None
    assert end is not None
    return start, end


def onset_ns(watched: Watched, incident: Incident) -> int:
    """Return when the incident's first span that shows it had ended, or its begin: nobody can see it before."""
    start, _ = span_ns(incident)
    ends = [watched.ends[item.span_id] for item in incident.evidence if item.span_id in watched.ends]
    return max(start, min(ends, default=start))


def about(watched: Watched, kind: str, detector: str) -> tuple[Incident, list[Finding]]:
    """Return the incident of a kind and the detector's findings that overlap it, first noticed first."""
    incident = next(item for item in watched.day.truth().incidents if item.kind == kind)
    start, end = span_ns(incident)
    found = [
        finding
        for finding in watched.findings
        if finding.detector == detector and finding.start_ns <= end + 5 * MINUTE and finding.end_ns >= start
    ]
    return incident, found


def soon(watched: Watched, incident: Incident, found: list[Finding]) -> Finding:
    """Check that the first of `found` was noticed soon, with evidence, and return it."""
    assert found, f"{incident.id} was not found"
    delay = (found[0].noticed_ns - onset_ns(watched, incident)) / MINUTE
    print(f"{incident.id}: {found[0].rule} after {delay:.1f} minutes")
    assert delay <= SOON_MINUTES
    assert found[0].evidence
    return found[0]


def test_training_failure(watched: Watched) -> None:
    incident, found = about(watched, "training_failure", "training")
    soon(watched, incident, [f for f in found if set(f.values("host")) & set(incident.entities["host"])])
    assert any(f.rule == "gpu_error" and f.values("gpu") == tuple(incident.entities["gpu"]) for f in found)
    assert any(f.rule == "not_finite" and f.values("run") == tuple(incident.entities["run"]) for f in found)
    failed = [f for f in found if f.rule == "rank_failed"]
    assert [f.facts["rank"] for f in failed] == [incident.facts["first_failing_rank"]]
    checkpoint = next(f for f in found if f.rule == "not_finite").facts["last_good_checkpoint"]
    assert str(checkpoint).rpartition("-")[2] == str(incident.facts["last_good_checkpoint"])


def test_crash_loop(watched: Watched) -> None:
    incident, found = about(watched, "crash_loop", "crashes")
    soon(watched, incident, [f for f in found if f.values("host") == tuple(incident.entities["host"])])
    kills = [f for f in found if f.rule == "oom_kill"]
    assert [f.values("process") for f in kills] == [tuple(incident.entities["process"])]
    assert kills[0].count == incident.facts["crashes"]
    assert any(f.rule == "restart_loop" for f in found)


def test_latency_regression(watched: Watched) -> None:
    incident, found = about(watched, "latency_regression", "latency")
    route = incident.facts["route"]
    first = soon(watched, incident, [f for f in found if any(route in name for name in f.values("endpoint"))])
    assert "chat-gateway" in first.values("service")
    assert abs(first.end_ns - span_ns(incident)[1]) < 20 * MINUTE
    assert first.facts["ended"] is True


def test_provider_errors(watched: Watched) -> None:
    incident, found = about(watched, "provider_errors", "errors")
    soon(watched, incident, [f for f in found if set(f.values("model")) & set(incident.entities["model"])])


def test_drift(watched: Watched) -> None:
    incident, found = about(watched, "drift", "drift")
    right = [f for f in found if incident.facts["after"] in f.values("model")]
    soon(watched, incident, right)
    assert {"new_model", "model"} <= {f.rule for f in right}


def test_spend_loop(watched: Watched) -> None:
    incident, found = about(watched, "spend_loop", "spend")
    first = soon(watched, incident, [f for f in found if f.rule == "tool_loop"])
    for kind in ("user", "tool", "trace"):
        assert first.values(kind) == tuple(incident.entities[kind])


def test_little_else_is_found(watched: Watched) -> None:
    left = [finding for finding in watched.findings if not explained(finding, watched.day)]
    for finding in left:
        print("unexplained:", finding.severity, finding.detector, finding.rule, finding.title[:120], finding.facts)
    serious = [finding for finding in left if finding.severity.rank >= Severity.MEDIUM.rank]
    print(f"{len(watched.findings)} findings, {len(left)} unexplained, {len(serious)} of them at least medium")
    assert len(left) <= MOST_UNEXPLAINED
    assert len(serious) <= MOST_UNEXPLAINED_SERIOUS


def explained(finding: Finding, day: Day) -> bool:
    """Whether an incident explains a finding: they overlap in time and have a service or an entity in common."""
    names = {entity.value for entity in finding.entities}
    for incident in day.truth().incidents:
        start, end = span_ns(incident)
        overlap = finding.start_ns <= end + 5 * MINUTE and finding.end_ns >= start - MINUTE
        concerned = {*incident.services, *(name for held in incident.entities.values() for name in held)}
        # "host" stands for whatever writes a machine's syslog; requests of a route come in through the gateway.
        if "host" in incident.services:
            concerned |= {"kernel", "systemd"}
        if "route" in incident.entities:
            concerned |= {"chat-gateway", "edge-nginx"}
        if overlap and names & concerned:
            return True
    return False


def test_evidence_leads_to_records(watched: Watched) -> None:
    shown = [item for finding in watched.findings for item in finding.evidence]
    assert shown
    assert all(item.seq >= 0 and item.stream in {"logs", "spans"} for item in shown)


def test_findings_are_stored_once(watched: Watched) -> None:
    names = [finding.fingerprint for finding in watched.findings]
    assert len(names) == len(set(names))
