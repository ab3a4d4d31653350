"""What is said of accesses to vector databases: rules with their severity and technique, and findings of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.detect._whom import proof
from treering.model.finding import MAX_EVIDENCE, Entity, Evidence, Finding, Severity

if TYPE_CHECKING:
    from treering.detect._access import Event
    from treering.detect._coverage import Scraped
    from treering.model.rows import Rows

_NAME = "vector_access"
_ATLAS = "mitre-atlas@2026.09:"
_LLM = ("owasp-llm@2026:LLM09", "owasp-llm@2026:LLM02")


_SAID = {
    "refused_burst": (Severity.MEDIUM, "AML.T0085", "AML.TA0009"),
    "granted_after_refusals": (Severity.HIGH, "AML.T0012", "AML.TA0012"),
    "foreign_collection_read": (Severity.HIGH, "AML.T0085", "AML.TA0010"),
    "dormant_principal": (Severity.MEDIUM, "AML.T0012", "AML.TA0004"),
    "forbidden_change": (Severity.HIGH, "AML.T0101", "AML.TA0011"),
    "new_address": (Severity.LOW, "AML.T0012", "AML.TA0004"),
    "new_client": (Severity.LOW, "AML.T0012", "AML.TA0004"),
    "new_tenant": (Severity.MEDIUM, "AML.T0085", "AML.TA0009"),
    "new_collection": (Severity.LOW, "AML.T0085", "AML.TA0009"),
    "export": (Severity.MEDIUM, "AML.T0085", "AML.TA0010"),
    "slow_reading": (Severity.MEDIUM, "AML.T0085", "AML.TA0010"),
    "scraping": (Severity.MEDIUM, "AML.T0085", "AML.TA0010"),
    "entitlement_mismatch": (Severity.HIGH, "AML.T0085", "AML.TA0009"),
}
"""Rule → severity, ATLAS technique and tactic."""


class Notice(msgspec.Struct):
    """What is to be said of an event; `slight` findings are of low severity."""

    rule: str
    title: str
    key: tuple[str, ...]
    collections: tuple[str, ...] = ()
    facts: dict[str, Any] = {}
    more: tuple[Entity, ...] = ()
    start_ns: int = 0
    slight: bool = False


def scraping(found: Scraped) -> Notice:
    """Return what is to be said of somebody who was shown unusually much."""
    title = f"{found.principal} has been shown {found.documents} documents of {found.collection}"
    key = (found.principal, found.collection, str(found.first_ns))
    facts = {"documents": found.documents, "usual": found.usual}
    return Notice("scraping", title, key, (found.collection,), facts, start_ns=found.first_ns)


def told(rows: Rows, event: Event, notice: Notice) -> Finding:
    """Return the finding of a notice about an event."""
    severity, technique, tactic = _SAID[notice.rule]
    whom = [Entity("user", event.principal)]
    whom += [Entity("collection", name) for name in notice.collections[:MAX_EVIDENCE]]
    whom += notice.more
    if event.address:
        whom.append(Entity("address", event.address))
    at_ns = event.at_ns
    return Finding(
        _NAME,
        notice.rule,
        notice.title,
        Severity.LOW if notice.slight else severity,
        notice.key,
        min(notice.start_ns or at_ns, at_ns),
        at_ns,
        at_ns,
        1.0,
        tuple(whom),
        (_shown(rows, event.row),),
        (*_LLM, _ATLAS + technique),
        tactic,
        notice.facts,
    )


def _shown(rows: Rows, index: int) -> Evidence:
    """Return the record as evidence: its body, or its attributes where the body is empty."""
    record = rows.record(index)
    body = record.get("body")
    text = body if isinstance(body, str) and body else msgspec.json.encode(record.get("attributes", {})).decode()
    return proof(rows, index, "body", text)
