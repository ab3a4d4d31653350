"""`explain` and `_explain`: what a query reads, how, and what it took, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server import running
from treering import query
from treering.query.commands.explain import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server

TEXT = "source=logs body=alpha | stats count() as n by serviceName"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("explain") / "data") as server:
        server.send("logs", [{"body": f"alpha {n}", "serviceName": "rag" if n % 2 else "web"} for n in range(300)])
        yield server


def lines(server: Server, text: str) -> list[str]:
    answer = server.post("/api/query", {"query": text})
    assert answer["schema"] == [{"name": "plan", "type": "string"}]
    return [row[0] for row in answer["datarows"]]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_says_what_is_read(server: Server, mode: str) -> None:
    found = "\n".join(lines(server, f"explain {mode} {TEXT}"))
    assert found.startswith("answer: n bigint, serviceName string\nscan s0: logs\n")
    assert "words: body:alpha" in found
    assert ("SELECT" in found) == (mode == "extended")
    assert ("measured: 2 rows" in found) == (mode == "analyze")
    assert ("steps of DuckDB" in found) == (mode != "simple")
    assert ("at most 300 rows" in found) == (mode != "simple")


def test_standard_is_the_mode_of_none(server: Server) -> None:
    assert lines(server, f"explain {TEXT}") == lines(server, f"EXPLAIN standard {TEXT}")


@pytest.mark.parametrize("path", ["/_plugins/_ppl", "/_plugins/_ppl/_explain"])
def test_programs_get_the_plan_as_values(server: Server, path: str) -> None:
    answer: dict[str, Any] = server.post(path, {"query": f"explain analyze {TEXT}"})
    about = answer["root"]["description"]
    assert about["scans"]["s0"]["reads"]["rows"] == 300
    assert about["measured"]["rows"] == 2
    assert answer["root"]["children"][0]["rows"] == 2
    assert answer["plan"].startswith("answer: n bigint")


def test_the_mode_can_be_a_parameter(server: Server) -> None:
    answer = server.post("/_plugins/_ppl/_explain?mode=analyze", {"query": TEXT})
    assert answer["root"]["description"]["measured"]["rows"] == 2
    status, refused = server.call("POST", "/_plugins/_ppl/_explain?mode=guess", {"query": TEXT})
    assert (status, "analyze" in str(refused)) == (400, True)


def test_a_mistake_in_the_query_has_its_place(server: Server) -> None:
    status, answer = server.call("POST", "/api/query", {"query": "explain source=logs | wher a = 1"})
    assert (status, answer["error"]["position"]["offset"]) == (400, 22)


def test_nothing_is_explained_after_a_pipe(server: Server) -> None:
    status, answer = server.call("POST", "/api/query", {"query": "source=logs | explain source=logs"})
    assert status == 400
    assert "explain can only come first" in answer["error"]["message"]


@pytest.mark.parametrize("text", [f"explain {TEXT}", f"explain analyze {TEXT}", "explain describe logs"])
def test_what_is_printed_reads_the_same(text: str) -> None:
    pipeline = query.parse(text)
    assert query.parse(query.print(pipeline)) == pipeline


def test_a_stream_that_nobody_sent_to_is_explained(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("empty") / "data") as empty:
        assert "scan s0: logs" in lines(empty, "explain source=logs")
