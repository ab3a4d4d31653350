"""`source=llm` in every operation that takes a query, before and after calls have come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.receive.recordings import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server


def post(server: Server, path: str, body: dict[str, Any]) -> Any:
    answer = server.request("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def fields(server: Server) -> dict[str, str]:
    answer = server.request("GET", "/api/fields?source=llm")
    assert answer.status == 200, answer.body
    return {field["name"]: field["type"] for field in json.loads(answer.body)["fields"]}


QUERY = {"query": "source=llm", "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}


def test_nothing_has_come(server: Server) -> None:
    assert post(server, "/api/search", QUERY)["records"] == []
    assert not any(sum(bucket["counts"]) for bucket in post(server, "/api/histogram", QUERY)["buckets"])
    assert fields(server)["attributes.gen_ai.usage.input_tokens"] == "long"
    assert post(server, "/api/query", {"query": "source=llm | stats count()"})["datarows"] in ([], [[0]])


@pytest.fixture
def calls(server: Server, shared: Path) -> Server:
    for one in recordings(shared / "captures" / "otel-openai-v2-content"):
        assert server.replay(one.method, one.path, one.headers, one.body).status == 200
    return server


def test_calls_are_listed_counted_and_completed(calls: Server) -> None:
    found = post(calls, "/api/search", {**QUERY, "size": 5})["records"]
    assert {record["stream"] for record in found} == {"spans"}
    assert len(found) == 5
    assert sum(sum(bucket["counts"]) for bucket in post(calls, "/api/histogram", QUERY)["buckets"]) == 14
    values = post(calls, "/api/values", {**QUERY, "field": "attributes.gen_ai.system"})["values"]
    assert values == [{"value": "openai", "count": 14}]
    assert {"traceId", "attributes.gen_ai.usage.cache_write.input_tokens"} <= fields(calls).keys()
    offered = post(calls, "/api/complete", {"query": "source=ll"})["suggestions"]
    assert "llm" in {suggestion["text"] for suggestion in offered}
    offered = post(calls, "/api/complete", {"query": "source=llm | where attributes.gen_ai.usage.cache_w"})[
        "suggestions"
    ]
    assert [one["text"] for one in offered] == ["attributes.gen_ai.usage.cache_write.input_tokens"]


def test_a_records_reference_leads_to_what_its_sender_wrote(calls: Server) -> None:
    (record,) = post(calls, "/api/search", {**QUERY, "size": 1})["records"]
    answer = json.loads(calls.request("GET", f"/api/record/{record['ref']}").body)
    sent = answer["record"]["attributes"]
    assert sent["gen_ai.system"] == "openai"
    assert not [name for name in sent if name.startswith("treering.") or name == "gen_ai.provider.name"]
