"""Access to vector databases: the real recording to the line, the known day in time, and each rule by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.detect.feeding import START_NS, built, call, encode, feed, fold
from treering.detect import vector_access
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows
from treering.model.times import rfc3339_ns
from treering.parse.reader import Reader

RULES = {
    "denied probing of other collections": "refused_burst",
    "role granted shortly after denied attempts": "granted_after_refusals",
    "whole collection read by a new reader": "foreign_collection_read",
    "dormant key awakes": "dormant_principal",
    "attempt to delete a collection": "forbidden_change",
}


def scan(records: list[dict[str, Any]], size: int) -> list[Finding]:
    detector = built(vector_access)
    parts = range(0, len(records), size)
    return fold(
        finding
        for start in parts
        for finding in detector.observe(Rows(batch("logs", records[start : start + size], received_ns=0), start))
    )


@pytest.mark.parametrize("size", [1, 37, 4000])
def test_the_recording_of_a_real_weaviate_to_the_line(shared: Path, size: int) -> None:
    folder = shared / "data" / "vector_access"
    reader = Reader({"serviceName": "weaviate"}, now_ns=rfc3339_ns("2026-11-24T04:00:00Z"))
    records = reader.feed((folder / "weaviate.jsonl").read_bytes()).records + reader.end().records
    found = {finding.rule: finding for finding in scan(records, size)}
    truth = json.loads((folder / "truth.json").read_text())
    assert set(found) == {RULES[line["what"]] for line in truth}
    for line in truth:
        finding = found[RULES[line["what"]]]
        assert finding.values("user") == (line["user"],)
        assert set(finding.values("collection")) == set(line.get("collections", [line.get("collection")]))
        assert finding.noticed_ns - rfc3339_ns(line["end"]) <= 10 * 10**9
        assert abs(finding.start_ns - rfc3339_ns(line["start"])) <= 10 * 10**9


def line(
    second: float, user: str, collection: str = "", verb: str = "R", *, refused: bool = False, **more: Any
) -> dict[str, Any]:
    resource = f"[Domain: data, Collection: {collection}, Tenant: *, Object: *]"
    attributes = {
        "component": "RBAC",
        "action": "authorize",
        "user": user,
        "request_action": verb,
        "permissions": [] if refused else [{"resource": resource, "results": "success"}],
        **more,
    }
    body = "authorization denied" if refused else ""
    return {
        "@timestamp": START_NS + int(second * 1e9),
        "body": body,
        "serviceName": "weaviate",
        "attributes": attributes,
    }


def assign(second: float, user: str, role: str) -> dict[str, Any]:
    attributes = {
        "component": "RBAC",
        "action": "assign_roles",
        "user": "root",
        "roles": [role],
        "user_to_assign_roles_to": user,
    }
    return {"@timestamp": START_NS + int(second * 1e9), "body": "roles assigned to user", "attributes": attributes}


def test_honest_refusals_are_nothing() -> None:
    busy = [line(n / 10, "bot", "Tickets", refused=n % 60 == 30) for n in range(1200)]
    assert feed(built(vector_access), busy, "logs") == []


def test_slow_refusals_are_a_burst_when_most_is_refused() -> None:
    lines = [line(60 * n, "bot", refused=True) for n in range(6)]
    (finding,) = feed(built(vector_access), lines, "logs", 1)
    assert finding.rule == "refused_burst"
    assert finding.noticed_ns == START_NS + 240 * 10**9


def test_a_role_without_refusals_before_is_nothing() -> None:
    lines = [assign(1, "bot", "reader"), *(line(n, "bot", "Tickets") for n in range(2, 60))]
    assert feed(built(vector_access), lines, "logs", 5) == []


def test_a_new_collection_read_in_bulk_by_somebody_known() -> None:
    usual = [line(n / 5, "bot", "Tickets") for n in range(400)]
    bulk = [line(100 + n / 20, "bot", "Salaries") for n in range(60)]
    (finding,) = feed(built(vector_access), [*usual, *bulk], "logs", 50)
    assert (finding.rule, finding.values("collection")) == ("foreign_collection_read", ("Salaries",))


def test_a_refused_deletion_learns_its_collection_later() -> None:
    lines = [line(1, "bot", verb="D", refused=True), *(line(5 + n, "bot", refused=True) for n in range(6))]
    reason = {
        "class_name": "Salaries",
        "error": "rbac: user 'bot' has insufficient permissions to read_data [[Domain: data]]",
    }
    lines += [
        {"@timestamp": START_NS + 10 * 10**9, "body": "unexpected error", "attributes": reason},
        line(60, "bot", "Salaries"),
    ]
    found = {finding.rule: finding for finding in feed(built(vector_access), lines, "logs", 1)}
    assert found["forbidden_change"].values("collection") == ("Salaries",)
    assert found["forbidden_change"].noticed_ns == START_NS + 10**9


def test_a_principal_that_was_silent_for_weeks() -> None:
    day = 86400
    lines = [line(n * day, "old-key", "Tickets") for n in range(3)]
    lines += [line(n * day + 5, "bot", "Tickets") for n in range(40)]
    lines = sorted([*lines, line(39 * day, "old-key", "Tickets")], key=lambda record: record["@timestamp"])
    (finding,) = feed(built(vector_access), lines, "logs", 10)
    assert (finding.rule, finding.values("user")) == ("dormant_principal", ("old-key",))


def test_canonical_fields_are_read_as_well() -> None:
    def record(second: float, result: str) -> dict[str, Any]:
        attributes = {
            "user.id": "svc-7",
            "db.collection.name": "invoices",
            "db.operation.name": "query",
            "treering.access.result": result,
            "client.address": "192.0.2.9",
        }
        return {"@timestamp": START_NS + int(second * 1e9), "body": "audit", "attributes": attributes}

    found = feed(built(vector_access), [*(record(n, "denied") for n in range(7)), record(30, "allowed")], "logs")
    assert {finding.rule for finding in found} == {"refused_burst", "foreign_collection_read"}
    assert all(finding.values("address") == ("192.0.2.9",) for finding in found)


def test_documents_of_another_tenant() -> None:
    def retrieval(tenant: str) -> dict[str, Any]:
        documents = encode([{"id": "d1", "score": 0.8, "metadata": {"tenant_id": tenant}}])
        return call(**{"gen_ai.retrieval.documents": documents, "tenant.id": "vintra"})

    (finding,) = feed(built(vector_access), [retrieval("vintra"), retrieval("corvane")])
    assert finding.rule == "cross_tenant_retrieval"
    assert set(finding.values("tenant")) == {"corvane", "vintra"}
