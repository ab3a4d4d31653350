"""Audit records of vector databases in one form, beside what they say themselves."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from arro3.core import Array, DataType, Field, RecordBatch, Schema
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.model.batch import Batch, batch
from treering.model.columns import OWN, to_record
from treering.parse.reader import Reader
from treering.parse.vector_access import enrich
from treering.testing.sinks import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server

Row = dict[str, Any]


def parsed(lines: list[Row]) -> Batch:
    reader = Reader(now_ns=1_795_489_000 * 10**9)
    records = reader.lines([json.dumps(line) for line in lines]).records + reader.end().records
    return batch("logs", records, received_ns=1)


def found(line: Row) -> Row:
    (row,) = rows(enrich(parsed([line])))
    prefix = f"{OWN}attributes/"
    named = {name.removeprefix(prefix)[:-2]: value for name, value in row.items() if name.startswith(prefix)}
    return {name: value for name, value in named.items() if value is not None}


def weaviate(**fields: Any) -> Row:
    head = {"action": "authorize", "component": "RBAC", "level": "info", "msg": "", "time": "2026-11-24T03:02:17Z"}
    return {**head, "user": "bot", "source_ip": "10.0.0.7", "request_action": "R", "permissions": [], **fields}


def test_the_sender_s_record_stays_as_it_is(shared: Path) -> None:
    lines = [json.loads(line) for line in (shared / "data/vector_access/weaviate.jsonl").read_text().splitlines()]
    plain = parsed(lines)
    enriched = enrich(plain)
    assert enriched.data.num_columns > plain.data.num_columns
    assert [to_record(row) for row in rows(enriched)] == [to_record(row) for row in rows(plain)]


def test_every_kind_of_line_of_a_real_weaviate(server: Server, shared: Path) -> None:
    body = (shared / "data/vector_access/weaviate.jsonl").read_bytes()
    assert server.request("POST", "/api/ingest/logs", body).status == 200

    def ask(query: str) -> list[list[Any]]:
        answer = server.request(
            "POST", "/_plugins/_ppl", json.dumps({"query": query}).encode(), {"content-type": "application/json"}
        )
        assert answer.status == 200, answer.body
        return json.loads(answer.body)["datarows"]

    of = "attributes."
    refused = ask(
        f'source=logs | where {of}treering.access.result="denied" '
        f"| stats count() by {of}user.id, {of}db.collection.name, {of}db.operation.name"
    )
    lines = [json.loads(line) for line in body.splitlines()]
    expected = Counter(
        (line["user"], None, {"R": "read", "D": "delete"}[line["request_action"]])
        for line in lines
        if line["msg"] == "authorization denied"
    )
    expected += Counter(
        (line["error"].split("'")[1], line["class_name"], "read")
        for line in lines
        if line.get("action") == "requests_total"
    )
    assert {(user, name, verb): count for count, user, name, verb in refused} == dict(expected)
    read = ask(
        f'source=logs | where {of}treering.access.result="allowed" and {of}treering.access.kind="data" '
        f'and {of}db.operation.name="read" | stats count() by {of}db.system.name, {of}db.collection.name'
    )
    assert sorted(read) == [
        [83, "weaviate", "Contracts"], [117, "weaviate", "Payroll"], [274, "weaviate", "HrPolicies"],
        [521, "weaviate", "SupportTickets"],
    ]  # fmt: skip
    granted = ask(
        f'source=logs | where {of}treering.access.target="support-bot" and {of}treering.access.role="r-payroll"'
    )
    assert len(granted) == 1
    slow = ask(f"source=logs | where {of}db.client.operation.duration > 0.01 | fields {of}db.collection.name")
    took = [[line["collection"]] for line in lines if line.get("took", 0) > 10_000_000 and "shard" in line]
    assert len(took) > 1
    assert sorted(slow) == sorted(took)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            weaviate(
                permissions=[
                    {"resource": "[Domain: data, Collection: Pay, Tenant: t1, Object: *]", "results": "success"}
                ]
            ),
            {
                "db.system.name": "weaviate",
                "user.id": "bot",
                "client.address": "10.0.0.7",
                "db.operation.name": "read",
                "db.collection.name": "Pay",
                "db.namespace": "t1",
                "treering.access.result": "allowed",
                "treering.access.kind": "data",
            },
        ),
        (
            weaviate(
                request_action="D",
                permissions=[
                    {"resource": "[Domain: collections, Collection: A]", "results": "success"},
                    {"resource": "[Domain: collections, Collection: B]", "results": "failed"},
                ],
            ),
            {
                "db.system.name": "weaviate",
                "user.id": "bot",
                "client.address": "10.0.0.7",
                "db.operation.name": "delete",
                "db.collection.name": "A",
                "treering.access.collections": '["A","B"]',
                "treering.access.result": "denied",
                "treering.access.kind": "schema",
            },
        ),
        (
            weaviate(level="error", msg="authorization denied", resource="[Domain: data, Collection: Pay, Object: *]"),
            {
                "db.collection.name": "Pay",
                "treering.access.kind": "data",
                "db.system.name": "weaviate",
                "user.id": "bot",
                "client.address": "10.0.0.7",
                "db.operation.name": "read",
                "treering.access.result": "denied",
            },
        ),
        (
            {
                "action": "create_role",
                "component": "RBAC",
                "level": "info",
                "msg": "role created",
                "user": "root",
                "roleName": "r-pay",
                "time": "2026-11-24T03:02:18Z",
                "permissions": [{"action": "read_data", "data": {"collection": "Pay", "object": "*"}}],
            },
            {
                "db.system.name": "weaviate",
                "user.id": "root",
                "db.operation.name": "create",
                "db.collection.name": "Pay",
                "treering.access.result": "allowed",
                "treering.access.kind": "role",
                "treering.access.role": "r-pay",
            },
        ),
        (
            {
                "timestamp": "2026-11-24T03:02:18Z",
                "method": "search_points",
                "api": "rest",
                "auth_type": "Jwt",
                "subject": "alice",
                "remote": "10.0.0.9:5123",
                "collection": "docs",
                "tracing_id": "x",
                "result": "denied",
                "error": "forbidden",
            },
            {
                "db.system.name": "qdrant",
                "user.id": "alice",
                "client.address": "10.0.0.9",
                "db.operation.name": "read",
                "db.collection.name": "docs",
                "treering.access.result": "denied",
                "treering.access.kind": "data",
            },
        ),
        (
            {
                "timestamp": "2026-11-24T03:02:18Z",
                "method": "delete_collection",
                "api": "grpc",
                "auth_type": "ApiKey",
                "subject": None,
                "remote": "[::1]:99",
                "collection": "docs",
                "result": "ok",
            },
            {
                "db.system.name": "qdrant",
                "user.id": "ApiKey",
                "client.address": "::1",
                "db.operation.name": "delete",
                "db.collection.name": "docs",
                "treering.access.result": "allowed",
                "treering.access.kind": "schema",
            },
        ),
        (
            {
                "id": "1",
                "organization_id": "o",
                "organization_name": "example-org",
                "client": {"userAgent": "raw"},
                "actor": {
                    "principal_id": "p1",
                    "principal_name": "example@pinecone.io",
                    "principal_type": "user",
                    "display_name": "Example Person",
                },
                "event": {
                    "time": "2024-10-21T20:51:53.697Z",
                    "action": "create",
                    "resource_type": "index",
                    "resource_id": "u",
                    "resource_name": "docs-example",
                    "outcome": {"result": "success", "reason": "", "error_code": ""},
                    "parameters": {},
                },
            },
            {
                "db.system.name": "pinecone",
                "user.id": "example@pinecone.io",
                "db.operation.name": "create",
                "db.collection.name": "docs-example",
                "user_agent.original": "raw",
                "treering.access.result": "allowed",
                "treering.access.kind": "schema",
            },
        ),
        (
            {
                "actor": {"principal_id": "p1"},
                "event": {
                    "time": "2024-10-21T20:51:53.697Z",
                    "action": "delete",
                    "resource_type": "api_key",
                    "resource_name": "prod",
                    "outcome": {"result": "failure", "reason": "forbidden"},
                },
            },
            {
                "db.system.name": "pinecone",
                "user.id": "p1",
                "db.operation.name": "delete",
                "treering.access.result": "denied",
                "treering.access.kind": "role",
                "treering.access.target": "prod",
            },
        ),
    ],
)
def test_one_form_for_all(line: Row, expected: Row) -> None:
    assert found(line) == expected


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"error_code": "PERMISSION_DENIED", "reason": "no"}, "denied"),
        ({"error_code": "UNAUTHENTICATED"}, "denied"),
        ({}, "denied"),
        ({"error_code": "NOT_FOUND", "reason": "Index docs not found"}, None),
        ({"error_code": "", "reason": "Bad request: dimension 7"}, None),
    ],
)
def test_what_fails_for_another_reason_is_no_refusal(outcome: Row, result: str | None) -> None:
    event = {"action": "delete", "resource_type": "index", "outcome": {"result": "failure", **outcome}}
    line = {"actor": {"principal_id": "p1"}, "event": {"time": "2024-10-21T20:51:53.697Z", **event}}
    assert found(line).get("treering.access.result") == result


def test_newer_refusals_name_their_resource() -> None:
    line = weaviate(level="error", msg="authorization denied", resource="[Domain: data, Collection: Pay]", perm="R")
    del line["permissions"]
    assert found(line)["db.collection.name"] == "Pay"


def test_what_other_enrichers_found_stays() -> None:
    plain = parsed([weaviate(), {"level": "info", "msg": "chat", "time": "2026-11-24T03:02:17Z"}])
    name = f"{OWN}attributes/user.id:s"
    fields = [plain.data.schema.field(one) for one in plain.data.schema.names]
    columns = [plain.data.column(one) for one in plain.data.schema.names]
    schema = Schema([*fields, Field(name, DataType.utf8())])
    data = RecordBatch.from_arrays([*columns, Array([None, "alice"], DataType.utf8())], schema=schema)
    enriched = enrich(Batch("logs", data)).data
    assert enriched.column(name).to_pylist() == ["bot", "alice"]
    assert len(set(enriched.schema.names)) == len(enriched.schema.names)


def test_batches_of_other_things_are_left_alone() -> None:
    for stream, record in (
        ("spans", {"attributes": {"component": "RBAC", "action": "authorize", "user": "x"}}),
        ("logs", {"body": "x"}),
    ):
        plain = batch(stream, [record], received_ns=1)
        assert enrich(plain) is plain


NAMES = (
    "component action user permissions resource level roles error class_name query_type took collection shard "
    "auth_type method result actor event remote"
).split()
INNER = st.sampled_from(["principal_id", "resource_type", "action", "resource"])
VALUES = st.recursive(
    st.text(max_size=20) | st.integers() | st.just("RBAC"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=100)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)))
def test_no_record_is_a_fault(attributes: Row) -> None:
    plain = batch("logs", [{"attributes": attributes}, {"body": "other"}], received_ns=1)
    assert [to_record(row) for row in rows(enrich(plain))] == [to_record(row) for row in rows(plain)]
