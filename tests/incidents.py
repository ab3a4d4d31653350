"""Findings with their records for tests of incidents, alerts and what people do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model.batch import batch
from treering.model.finding import FINDINGS, Entity, Evidence, Finding, Severity, to_record

if TYPE_CHECKING:
    from treering.stage.store import Store

START = 1_795_456_800_000_000_000
MINUTE = 60 * 10**9
HOSTILE = "<script>alert(1)</script> \x1b[31m [x](javascript:alert(1)) | `'\" \u202e"


def store_calls(store: Store, count: int = 6, at_ns: int = START) -> list[int]:
    """Store model calls as spans, one a minute; returns their numbers."""
    records: list[dict[str, Any]] = [
        {
            "@timestamp": at_ns + n * MINUTE,
            "traceId": f"{n:032x}",
            "spanId": f"{n:016x}",
            "name": "chat",
            "serviceName": "rag-service",
            "durationInNanos": (n + 1) * 10**9,
            "status": {"code": 2 if n % 3 == 0 else 0},
            "attributes": {
                "user.id": f"u-{n % 2}",
                "app.route": "support",
                "gen_ai.request.model": "gpt-4.1-mini",
                "gen_ai.input.messages": HOSTILE,
            },
        }
        for n in range(count)
    ]
    first = store.append([batch("spans", records, received_ns=at_ns)])
    return list(range(first, first + count))


def finding(name: str, at_ns: int = START, seqs: tuple[int, ...] | list[int] = (), **changes: Any) -> Finding:
    """A finding about one user, shown by the spans `seqs`."""
    evidence = tuple(
        Evidence("spans", seq, at_ns + n * MINUTE, "attributes.gen_ai.input.messages", HOSTILE[:40], ((0, 8),))
        for n, seq in enumerate(seqs)
    )
    entities = changes.pop("entities", {"user": "mallory", "service": "rag-service"})
    fields: dict[str, Any] = {
        "detector": "prompts",
        "rule": "ignore_instructions",
        "title": f"{name}: {HOSTILE}",
        "severity": Severity.HIGH,
        "key": (name,),
        "start_ns": at_ns,
        "end_ns": at_ns + 2 * MINUTE,
        "noticed_ns": at_ns + 3 * MINUTE,
        "entities": tuple(Entity(kind, value) for kind, value in entities.items()),
        "evidence": evidence,
        "techniques": ("owasp-llm@2026:LLM01", "mitre-atlas@2026.09:AML.T0051.000"),
    }
    return Finding(**{**fields, **changes})


def write(store: Store, *findings: Finding) -> None:
    """Append findings to their stream as the ledger does, the first time."""
    ids = [item.fingerprint for item in findings]
    store.append([batch(FINDINGS, [to_record(item) for item in findings], received_ns=START, ids=ids)])
