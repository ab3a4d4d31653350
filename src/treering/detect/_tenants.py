"""Documents of one tenant that were retrieved for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.model.rows import Rows

_FIELD = "attributes.gen_ai.retrieval.documents"
_NAMES = ("tenant", "tenant_id", "tenantId", "tenant.id", "customer_id", "org_id")


def foreign_documents(rows: Rows, detector: str) -> Iterator[Finding]:
    """Yield a finding for each retrieved document whose metadata names another tenant than the request."""
    if not rows.has(_FIELD):
        return
    whom = Whom(rows)
    for index, value in enumerate(rows.values(_FIELD)):
        own = whom.name("tenant", index)
        if (
            not own
            or not value
            or (isinstance(value, str) and not any(name in value for name in _NAMES[:1] + _NAMES[4:]))
        ):
            continue
        for document, tenant in _owners(value):
            if tenant != own:
                yield _finding(rows, whom, index, document, tenant, detector)


def _owners(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return
    for item in value if isinstance(value, list) else ():
        metadata = item.get("metadata", item) if isinstance(item, dict) else None
        if isinstance(metadata, dict):
            tenant = next((metadata[name] for name in _NAMES if isinstance(metadata.get(name), str)), "")
            if tenant:
                yield str(item.get("id", "")), tenant


def _finding(rows: Rows, whom: Whom, index: int, document: str, tenant: str, detector: str) -> Finding:
    own, at_ns = whom.name("tenant", index), int(rows.times[index])
    value = rows.values(_FIELD)[index]
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    entities = (Entity("document", document), Entity("tenant", tenant), *whom.entities(index))
    return Finding(
        detector, "cross_tenant_retrieval", f"a document of {tenant} is retrieved for {own}", Severity.HIGH,
        (own, tenant, document), at_ns, at_ns, at_ns, 1.0, entities, (proof(rows, index, _FIELD, shown),),
        ("owasp-llm@2026:LLM09", "owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0085"), "AML.TA0009",
        {"document_tenant": tenant, "request_tenant": own},
    )  # fmt: skip
