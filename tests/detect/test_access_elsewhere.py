"""Vector access where there is no Weaviate: Pinecone's audit events and the spans of applications, each attack with a
harmless twin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.detect.feeding import START_NS, built, encode, feed, fold
from treering.detect import vector_access
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.model.times import format_ns
from treering.parse.reader import Reader
from treering.parse.vector_access import enrich

if TYPE_CHECKING:
    from treering.model.finding import Finding

HOUR = 3600.0
Events = list[dict[str, Any]]


def event(
    second: float, who: str, action: str, kind: str, name: str, *, ok: bool = True, **more: Any
) -> dict[str, Any]:
    """An event of Pinecone's audit log (docs.pinecone.io, "Security overview")."""
    agent, parameters = more.pop("agent", "python-client-5.0.1"), more
    outcome = {"result": "success"} if ok else {"result": "failure", "reason": "not permitted", "error_code": "403"}
    return {
        "id": f"{second}",
        "client": {"userAgent": agent},
        "actor": {"principal_id": f"id-{who}", "principal_name": who, "principal_type": "api_key"},
        "event": {
            "time": format_ns(START_NS + int(second * 1e9)), "action": action, "resource_type": kind,
            "resource_id": "u", "resource_name": name, "outcome": outcome, "parameters": parameters,
        },
    }  # fmt: skip


def query(second: float, who: str, index: str, *, ok: bool = True, **more: Any) -> dict[str, Any]:
    return event(second, who, "query", "vector", index, ok=ok, index_name=index, **more)


def usual(who: str = "key-a", index: str = "docs", **more: Any) -> Events:
    """Two hours of a key that keeps to what it does."""
    return [query(n * 60, who, index, **more) for n in range(120)]


AFTER = 2 * HOUR
OTHERS = [one for n in range(3) for one in usual(f"key-{n}", f"index-{n}")]


def audited(events: Events) -> list[Finding]:
    lines = [json.dumps(one).encode() for one in sorted(events, key=lambda one: str(one["event"]["time"]))]
    reader = Reader({"serviceName": "pinecone"}, now_ns=START_NS + 90 * 86_400 * 10**9)
    records = reader.feed(b"\n".join(lines) + b"\n").records + reader.end().records
    detector, size = built(vector_access), 100
    parts = [(start, records[start : start + size]) for start in range(0, len(records), size)]
    return fold(f for at, part in parts for f in detector.observe(Rows(enrich(batch("logs", part, received_ns=0)), at)))


def refused(count: int) -> Events:
    return [query(AFTER + n / 2, "key-a", "payroll", ok=False) for n in range(count)]


def read(count: int, start: float = AFTER, every: float = 100, who: str = "key-a", **more: Any) -> Events:
    return [query(start + n * every, who, "payroll", **more) for n in range(count)]


GRANT = event(AFTER + 60, "boss", "update", "api_key", "key-a")
STOLEN = ["foreign_collection_read", "granted_after_refusals", "refused_burst"]
MONTH = [query(n * 86_400, f"bot-{bot}", "docs") for n in range(40) for bot in range(4)]
HOURLY = [query(n * HOUR, "key-a", "docs") for n in range(26)]


@pytest.mark.parametrize(
    ("events", "rules"),
    [
        pytest.param([*usual(), *read(30)], ["foreign_collection_read", "new_collection"], id="not entitled so far"),
        pytest.param(
            [*(query(n * 60, "analyst", f"index-{n % 7}") for n in range(120)), *read(30, who="analyst")],
            [], id="an analyst who reads everything",
        ),
        pytest.param([*usual(namespace="acme"), *read(1, namespace="umbra")], ["new_tenant"], id="another tenant"),
        pytest.param(
            [*(query(n * 60, "key-a", "payroll", namespace=f"t{n % 30}") for n in range(120)), *read(1, namespace="t")],
            [], id="a service of many tenants",
        ),
        pytest.param([*usual(), *OTHERS, *refused(8), GRANT, *read(9, AFTER + 90)], STOLEN, id="refused, given, read"),
        pytest.param([*usual(), *OTHERS, *refused(2), GRANT, *read(2, AFTER + 90)], [], id="asked for and given"),
        pytest.param([event(1, "key-a", "create", "api_key", "mine", ok=False)], ["forbidden_change"], id="no new key"),
        pytest.param([event(1, "boss", "create", "api_key", "team-b")], [], id="a new key"),
        pytest.param(
            [*HOURLY, *(query(26 * HOUR + n, "key-a", "docs") for n in range(300))], ["slow_reading"], id="scraping",
        ),
        pytest.param(
            [*HOURLY, *(query(26 * HOUR + n, "key-a", "docs") for n in range(100))], [], id="a busy quarter of an hour",
        ),
        pytest.param(
            [*MONTH, *(query(n * 86_400, "old", "docs") for n in (1, 2, 35))], ["dormant_principal"], id="dormant",
        ),
        pytest.param([*MONTH, *(query(n * 604_800, "weekly", "docs") for n in range(5))], [], id="once a week"),
        pytest.param([*usual(), query(AFTER, "key-a", "docs", agent="curl/8.1")], ["new_client"], id="another client"),
        pytest.param([*usual(), query(AFTER, "key-a", "docs", agent="python-client-5.1")], [], id="its next version"),
        pytest.param([*usual(), event(AFTER, "key-a", "create", "backup", "b")], ["export"], id="a first backup"),
        pytest.param([event(n * HOUR, "job", "create", "backup", "b") for n in range(30)], [], id="a backup job"),
    ],
)  # fmt: skip
def test_pinecone_tells_it_and_its_harmless_twin_is_nothing(events: Events, rules: list[str]) -> None:
    assert sorted({finding.rule for finding in audited(events)}) == rules


def span(second: float, collection: str = "docs", documents: Any = None, **more: Any) -> dict[str, Any]:
    """A span of retrieval; names in `more` are attributes, `service` is the service."""
    service = more.pop("service", "rag")
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": collection, **more}
    if documents is not None:
        attributes["gen_ai.retrieval.documents"] = encode(documents)
    at = {"@timestamp": START_NS + int(second * 1e9), "traceId": f"{int(second * 1e3):032x}"}
    return at | {"serviceName": service, "attributes": attributes}


def of(*owners: Any, name: str = "tenant_id") -> list[dict[str, Any]]:
    return [{"id": f"d{n}", "score": 0.8, "metadata": {name: owner}} for n, owner in enumerate(owners)]


def asks(documents: Any, tenant: str = "vintra", second: float = 1) -> dict[str, Any]:
    return span(second, "docs", documents, **{"tenant.id": tenant, "user.id": f"u-{tenant}"})


BOTS = [
    span(n * 60 + place, collection, service=bot)
    for n in range(120)
    for place, (bot, collection) in enumerate((("support-bot", "Support"), ("hr-bot", "Salaries")))
]
APART = [
    span(n * 60 + place, f"{tenant}-kb", **{"tenant.id": tenant, "user.id": f"{tenant}-{n % 9}"})
    for n in range(120)
    for place, tenant in enumerate(("acme", "umbra", "stark"))
]


def shown(documents: list[int], second: float, **who: Any) -> dict[str, Any]:
    return span(second, "kb", [{"id": f"d{one}", "score": 0.7} for one in documents], **who)


CROWD = [
    shown([(n * 3 + u + k) % 30 for k in range(4)], n * 60 + u, **{"gen_ai.key.id": f"k-{u}"})
    for n in range(20)
    for u in range(8)
]
BACKUP: dict[str, Any] = {"db.operation.name": "create_snapshot"}


@pytest.mark.parametrize(
    ("records", "rules"),
    [
        pytest.param([asks(of(42, name="customer_id"), "17")], ["cross_tenant_retrieval"], id="a number"),
        pytest.param([asks(of(17, name="customer_id"), "17")], [], id="the same number"),
        pytest.param(
            [asks([{"id": "a", "metadata": encode({"organization_id": "corvane"})}])], ["cross_tenant_retrieval"],
            id="metadata as a text",
        ),
        pytest.param([asks(of("Vintra"))], [], id="spelled otherwise"),
        pytest.param([asks(of(["ostberg", "corvane"]))], ["cross_tenant_retrieval"], id="shared by others"),
        pytest.param([asks(of(["vintra", "corvane"], "public", "shared", "*"))], [], id="shared with it"),
        pytest.param(
            [*BOTS, *(span(AFTER + n * 30, "Salaries", service="support-bot") for n in range(30))],
            ["foreign_collection_read", "new_collection"], id="a service not entitled so far",
        ),
        pytest.param([*BOTS, *(span(AFTER + n, "Support", service="support-bot") for n in range(30))], [], id="busy"),
        pytest.param(
            [*APART, span(AFTER, "umbra-kb", **{"tenant.id": "acme", "user.id": "acme-3"})], ["new_tenant"],
            id="a tenant at what is another one's",
        ),
        pytest.param(
            [*APART, *(span(AFTER + n, "handbook", **{"tenant.id": t}) for n in range(9) for t in ("acme", "umbra"))],
            [], id="a collection for all tenants",
        ),
        pytest.param(
            [*CROWD, *(shown(list(range(n * 4, n * 4 + 4)), n * 12, **{"gen_ai.key.id": "k"}) for n in range(90))],
            ["scraping"], id="scraping with a key",
        ),
        pytest.param(
            [*CROWD, *(shown([n % 50, (n * 7) % 50], n * 12, **{"gen_ai.key.id": "k"}) for n in range(90))],
            [], id="a diligent key",
        ),
        pytest.param([*BOTS, span(AFTER, "Support", service="support-bot", **BACKUP)], ["export"], id="a first backup"),
        pytest.param([span(n * HOUR, service="job", **BACKUP) for n in range(30)], [], id="a backup job"),
    ],
)  # fmt: skip
def test_spans_tell_it_and_its_harmless_twin_is_nothing(records: Events, rules: list[str]) -> None:
    ordered = sorted(records, key=lambda record: int(record["@timestamp"]))
    assert sorted({finding.rule for finding in feed(built(vector_access), ordered, "spans", 100)}) == rules


def test_documents_of_an_owner_that_never_asks_are_everybodys_once_enough_got_them() -> None:
    many = [asks(of("platform"), f"t-{n % 9}", n) for n in range(60)]
    found = feed(built(vector_access), many, "spans", 7)
    assert {finding.values("tenant")[0] for finding in found} == {"platform"}
    assert len({finding.facts["request_tenant"] for finding in found}) == 3
    leak = [asks(of(f"t-{(n + 1) % 9}"), f"t-{n % 9}", n) for n in range(60)]
    assert len(feed(built(vector_access), leak, "spans", 7)) == 9
