"""Documents and collections of one tenant that are retrieved for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.detect._recent import recent
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.detect._access import Event
    from treering.model.rows import Rows

_FIELD = "attributes.gen_ai.retrieval.documents"
_NAMES = (
    "tenant", "tenant_id", "tenantId", "tenant.id", "customer_id", "customerId", "org_id", "orgId", "organization_id",
    "workspace_id",
)  # fmt: skip
_HINTS = ("tenant", "customer", "org", "workspace")
_EVERYBODY = frozenset({"", "*", "all", "any", "common", "default", "everyone", "global", "public", "shared", "system"})
_FEW, _MOST = 3, 2_000


class Readers(msgspec.Struct):
    """Which tenants read a collection; `others` are those that were told."""

    first_ns: int
    reads: int = 0
    tenants: list[str] = []
    others: list[str] = []


class Tenants(msgspec.Struct):
    """Who asks, whose documents were retrieved for whom, and who reads which collection."""

    asking: dict[str, bool] = {}
    owners: dict[str, list[str]] = {}
    collections: dict[str, Readers] = {}

    def foreign_documents(self, rows: Rows, detector: str) -> Iterator[Finding]:
        """Yield a finding for each retrieved document whose metadata names only other tenants than the request.

        What is everybody's is none: by its name (`public`), or because its owner never asks and others get it.
        """
        if not rows.has(_FIELD):
            return
        whom = Whom(rows)
        for index, value in enumerate(rows.values(_FIELD)):
            own = whom.name("tenant", index) if value else ""
            if not own:
                continue
            recent(self.asking, own.casefold(), _MOST, lambda: True)
            if isinstance(value, str) and not any(hint in value for hint in _HINTS):
                continue
            for document, tenants in _owners(value):
                if not self._may_have(own, tenants):
                    yield _finding(rows, whom, index, document, tenants[0], detector)

    def _may_have(self, own: str, tenants: list[str]) -> bool:
        """Whether a document of `tenants` may be retrieved for the tenant `own`."""
        folded = {tenant.casefold() for tenant in tenants}
        if own.casefold() in folded or folded & _EVERYBODY:
            return True
        given = recent(self.owners, tenants[0], _MOST, list)
        if own not in given and len(given) <= _FEW:
            given.append(own)
        return len(given) > _FEW and not any(tenant in self.asking for tenant in folded)

    def intrudes(self, event: Event, name: str, least: int, long_ns: int) -> str:
        """Return the only tenant that read the collection `name` so far, where the one of `event` is told from it.

        That takes `least` reads over `long_ns` of that tenant, and a collection that only the other one has.
        """
        tenant = event.tenant
        held = recent(self.collections, name, _MOST, lambda: Readers(event.at_ns))
        if tenant in held.tenants:
            held.reads += 1
            return ""
        settled = len(held.tenants) == 1 and held.reads >= least and event.at_ns - held.first_ns >= long_ns
        if settled and any(one.tenants == [tenant] and one.reads >= least for one in self.collections.values()):
            new = tenant not in held.others and len(held.others) < _FEW
            held.others += [tenant] if new else []
            return held.tenants[0] if new else ""
        held.tenants += [tenant] if len(held.tenants) <= _FEW else []
        return ""


def _owners(value: object) -> Iterator[tuple[str, list[str]]]:
    """Yield each document that names tenants, with them."""
    documents = _decoded(value)
    for item in documents if isinstance(documents, list) else ():
        metadata = _decoded(item.get("metadata", item)) if isinstance(item, dict) else None
        if not isinstance(metadata, dict):
            continue
        named = next((metadata[name] for name in _NAMES if metadata.get(name)), None)
        if tenants := [str(one) for one in (named if isinstance(named, list) else [named]) if _is_name(one)]:
            yield str(item.get("id", "")), tenants


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _decoded(value: object) -> object:
    """Return what a text of JSON says, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


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
