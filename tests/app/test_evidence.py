"""What a finding's evidence says about where it happened, whatever fields the spans of a site have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.app import evidence
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.model.batch import batch
from treering.model.finding import Evidence, Finding, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from treering.stage.store import Store

AT = 1_795_000_000_000_000_000


def finding(seq: int) -> Finding:
    shown = Evidence("spans", seq, AT, "name", "chat", trace_id="a" * 32)
    return Finding("prompts", "injection", "x", Severity.MEDIUM, ("x",), AT, AT, AT, evidence=(shown,))


def entries(store: Store, *findings: Finding) -> list[tuple[str, ...]]:
    return [clue.entries for clue in evidence.clues(store, findings)]


def test_spans_without_a_route_say_their_first_name(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    try:
        span = {"@timestamp": AT, "traceId": "a" * 32, "name": "chat m-1", "serviceName": "shop"}
        first = store.append([batch("spans", [span], received_ns=AT)])
        assert entries(store, finding(first)) == [("chat m-1",)]
    finally:
        store.close()


def test_spans_with_a_route_say_it(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    try:
        span = {"@timestamp": AT, "traceId": "a" * 32, "name": "POST", "attributes": {"http.route": "/chat"}}
        first = store.append([batch("spans", [span], received_ns=AT)])
        assert entries(store, finding(first)) == [("/chat",)]
    finally:
        store.close()


def test_many_findings_are_told_what_each_would_be_told_alone(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    try:
        minutes = [0, 1, 2, 30]  # the last is too far from the findings that begin early
        times = [AT + m * 60 * 10**9 for m in minutes]
        spans = [
            {"@timestamp": at_ns, "traceId": f"{m:032x}", "name": f"GET /{m}", "serviceName": f"s-{m}"}
            for m, at_ns in zip(minutes, times, strict=True)
        ]
        first = store.append([batch("spans", spans, received_ns=AT)])
        shown = [Evidence("spans", first + n, times[n], trace_id=f"{m:032x}") for n, m in enumerate(minutes)]
        late = msgspec.structs.replace(shown[3], time_ns=AT)
        made = [(), shown[:1], shown[:3], [late], shown, [*shown, *shown], *[[one] for one in shown * 20]]
        findings = [
            msgspec.structs.replace(finding(first), key=(str(n),), evidence=tuple(one)) for n, one in enumerate(made)
        ]
        dismissed = {findings[2].fingerprint}
        together = list(evidence.clues(store, findings, dismissed))
        assert together == [clue for one in findings for clue in evidence.clues(store, [one], dismissed)]
        assert [clue.entries for clue in together[:4]] == [(), ("GET /0",), ("GET /0", "GET /1", "GET /2"), ()]
        assert [clue.fingerprint for clue in together if clue.dismissed] == list(dismissed)
        assert {entity.value for entity in together[1].context} == {"s-0"}
    finally:
        store.close()
