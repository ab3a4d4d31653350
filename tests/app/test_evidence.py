"""What a finding's evidence says about where it happened, whatever fields the spans of a site have."""

from __future__ import annotations

from pathlib import Path

from treering.app import evidence
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.model.batch import batch
from treering.model.finding import Evidence, Finding, Severity

AT = 1_795_000_000_000_000_000


def finding(seq: int) -> Finding:
    shown = Evidence("spans", seq, AT, "name", "chat", trace_id="a" * 32)
    return Finding("prompts", "injection", "x", Severity.MEDIUM, ("x",), AT, AT, AT, evidence=(shown,))


def test_spans_without_a_route_say_their_first_name(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    try:
        span = {"@timestamp": AT, "traceId": "a" * 32, "name": "chat m-1", "serviceName": "shop"}
        first = store.append([batch("spans", [span], received_ns=AT)])
        assert evidence.clue(store, finding(first), dismissed=False).entries == ("chat m-1",)
    finally:
        store.close()


def test_spans_with_a_route_say_it(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    try:
        span = {"@timestamp": AT, "traceId": "a" * 32, "name": "POST", "attributes": {"http.route": "/chat"}}
        first = store.append([batch("spans", [span], received_ns=AT)])
        assert evidence.clue(store, finding(first), dismissed=False).entries == ("/chat",)
    finally:
        store.close()
