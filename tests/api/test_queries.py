"""`POST /api/queries`: the questions of one page at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS: list[dict[str, Any]] = [
    {"@timestamp": f"2026-11-24T08:00:{number:02d}Z", "body": "x", "serviceName": "rag", "n": number}
    for number in range(60)
]
DAY = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("queries") / "data") as found:
        found.send("logs", RECORDS)
        yield found


def ask(server: Server, queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    answers: dict[str, Any] = server.post("/api/queries", {"queries": queries, **DAY, **more})["answers"]
    return answers


def test_each_query_has_its_own_answer(server: Server) -> None:
    found = ask(
        server,
        {
            "count": {"query": "source=logs | stats count() as n"},
            "top": {"query": "source=logs | stats max(n) as most"},
        },
    )
    assert found["count"]["datarows"] == [[60]]
    assert found["top"]["datarows"] == [[59]]
    assert list(found) == ["count", "top"]


def test_a_query_may_have_its_own_range_and_limit(server: Server) -> None:
    early = {"from": "2026-11-24T08:00:00Z", "to": "2026-11-24T08:00:10Z"}
    found = ask(
        server,
        {"early": {"query": "source=logs | stats count()", **early}, "few": {"query": "source=logs", "limit": 3}},
    )
    assert found["early"]["datarows"] == [[10]]
    assert len(found["few"]["datarows"]) == 3


def test_one_that_cannot_run_leaves_its_neighbours_alone(server: Server) -> None:
    found = ask(
        server,
        {
            "field": {"query": "source=logs | where nobody = 1"},
            "stream": {"query": "source=nothing | stats count()"},
            "wrong": {"query": "source=logs | stat"},
            "good": {"query": "source=logs | stats count()"},
        },
    )
    assert found["field"]["error"]["message"].startswith("unknown field")
    assert found["stream"]["error"]["message"].startswith("no stream named")
    assert "unknown command" in found["wrong"]["error"]["message"]
    assert found["good"]["datarows"] == [[60]]


def test_there_is_a_limit(server: Server) -> None:
    status, answer = server.call(
        "POST", "/api/queries", {"queries": {str(n): {"query": "source=logs"} for n in range(61)}}
    )
    assert status == 400
    assert "the limit is 60" in answer["error"]["message"]


@pytest.mark.parametrize("body", [{}, {"queries": []}, {"queries": {"a": {}}}, {"queries": {"a": {"query": 1}}}])
def test_a_malformed_body_is_the_callers_mistake(server: Server, body: Any) -> None:
    assert server.call("POST", "/api/queries", body)[0] == 400


def test_commands_that_read_no_stream_answer_before_the_first_record(tmp_path: Path) -> None:
    with running(tmp_path / "data") as empty:
        found = ask(
            empty,
            {
                "made": {"query": "makeresults count=2 | eval n = 1 | stats sum(n)"},
                "sources": {"query": "show datasources | stats count()"},
            },
        )
        assert found["made"]["datarows"] == [[2]]
        assert found["sources"]["datarows"] == [[1]]


def test_the_fields_of_a_stream_include_those_that_were_derived(server: Server) -> None:
    sent = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"max_tokens": 50}'}
    server.send("spans", [{"name": "a", "@timestamp": "2026-11-24T08:00:00Z", "attributes": sent}])
    names = [name for (name,) in ask(server, {"q": {"query": "describe spans | fields COLUMN_NAME"}})["q"]["datarows"]]
    assert names[0] == "name"
    assert {"attributes.openinference.span.kind", "attributes.gen_ai.request.max_tokens"} <= set(names)
