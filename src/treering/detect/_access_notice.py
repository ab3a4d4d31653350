"""What is said of accesses to vector databases: rules with their severity and technique, and findings of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.detect._access import DELETE, GRANT
from treering.detect._whom import proof
from treering.model.finding import MAX_EVIDENCE, Entity, Evidence, Finding, Severity

if TYPE_CHECKING:
    from treering.detect._access import Event
    from treering.detect._coverage import Scraped
    from treering.detect._principals import Collection
    from treering.model.rows import Rows

_NAME = "vector_access"
_HOUR_NS, _DAY_NS = 3_600 * 10**9, 86_400 * 10**9
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


def foreign_read(event: Event, name: str, known: Collection, *, refused_before: bool) -> Notice:
    """Return what is to be said of reading a collection that is not one's own."""
    facts = {"reads": known.reads, "first_read_ns": known.first_ns, "refused_before": refused_before}
    title = f"{event.principal} reads {name}, which was not its own"
    return Notice("foreign_collection_read", title, (event.principal, name), (name,), facts, start_ns=known.first_ns)


def new_collection(event: Event, name: str, known: Collection) -> Notice:
    """Return what is to be said of the first reads of a collection beside those that somebody kept to."""
    title, facts = f"{event.principal} begins to read {name}", {"reads": known.reads}
    return Notice("new_collection", title, (event.principal, name), (name,), facts, start_ns=known.first_ns)


def hours_of_reading(event: Event, name: str, reads: int) -> Notice:
    """Return what is to be said of more reading than there ever was, once a day."""
    title = f"{event.principal} reads {name} more than it ever did"
    key = (event.principal, name, str(event.at_ns // _DAY_NS))
    start_ns = event.at_ns - 3 * _HOUR_NS
    return Notice("slow_reading", title, key, (name,), {"reads": reads}, start_ns=start_ns)


def refused_change(event: Event, names: tuple[str, ...], first_ns: int) -> Notice:
    """Return what is to be said of refused deletions and changes that began at `first_ns`."""
    title = f"{event.principal} is refused a {'deletion' if event.verb == DELETE else 'change'}"
    key, facts = (event.principal, str(first_ns)), {"collection_inferred": not event.collections}
    return Notice("forbidden_change", title, key, names, facts)


def dormant(event: Event, silent_s: float, since_ns: int) -> Notice:
    """Return what is to be said of somebody who speaks for the first time or after a long silence, since `since_ns`."""
    if event.traced:
        title, facts = f"{event.principal} speaks after a long silence", {"silent_s": silent_s}
    else:
        title = f"{event.principal} speaks for the first time, or after a long silence"
        facts = {"silent_s": round(max(0.0, silent_s), 1)}
    key = (event.principal, str(since_ns))
    return Notice("dormant_principal", title, key, event.collections, facts, start_ns=since_ns, slight=event.traced)


def refused_again(event: Event, names: tuple[str, ...], start_ns: int, facts: dict[str, Any]) -> Notice:
    """Return what is to be said of refusals close together that began at `start_ns`."""
    title, key = f"{event.principal} is refused again and again", (event.principal, str(start_ns))
    return Notice("refused_burst", title, key, names, facts, start_ns=start_ns)


def not_entitled(event: Event, name: str, why: str) -> Notice:
    """Return what is to be said of an access that nobody declared, once a day."""
    title = f"{event.principal} may {event.verb} {name} although {why}"
    key = (event.principal, name, event.verb, str(event.at_ns // _DAY_NS))
    facts = {"verb": event.verb, "why": why, "tenant": event.tenant}
    return Notice("entitlement_mismatch", title, key, (name,), facts)


def granted(event: Event, names: tuple[str, ...], refused_before: int) -> Notice:
    """Return what is to be said of a grant that follows refusals."""
    what = "gets a role" if event.kind == GRANT else "has a role that is widened"
    title, key = f"{event.principal} {what} after it was refused", (event.principal, *event.roles, str(event.at_ns))
    facts = {"roles": list(event.roles), "granted_by": event.by, "refused_before": refused_before}
    more = (*(Entity("role", role) for role in event.roles), Entity("admin", event.by))
    return Notice("granted_after_refusals", title, key, names, facts, more)


def of_another_tenant(event: Event, name: str, owner: str) -> Notice:
    """Return what is to be said of a collection that only `owner` read so far."""
    title = f"{event.tenant} reads {name}, which only {owner} read so far"
    more, facts = (Entity("tenant", event.tenant),), {"tenant_so_far": owner}
    return Notice("new_tenant", title, (name, event.tenant), (name,), facts, more)


def unlike_itself(event: Event, kind: str, value: str) -> Notice:
    """Return what is to be said of an address, a client or a tenant beside those that somebody kept to."""
    title = f"{event.principal} comes with a {kind} that it never had: {value[:100]}"
    more = (Entity(kind, value[:200]),) if kind != "address" else ()
    return Notice(f"new_{kind}", title, (event.principal, kind, value[:200]), event.collections, {}, more)


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
