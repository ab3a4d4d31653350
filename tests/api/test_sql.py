"""SQL over HTTP: treering's own operation, and what OpenSearch's clients ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = [{"@timestamp": f"2026-11-24T08:00:{n:02d}Z", "service": "ab"[n % 2], "n": n} for n in range(10)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("sql") / "data") as found:
        found.send("logs", RECORDS)
        yield found


def test_a_table_with_a_time_range_and_a_limit(server: Server) -> None:
    asked = {
        "query": "SELECT n FROM logs ORDER BY n",
        "from": "2026-11-24T08:00:05Z",
        "to": "2026-11-25T00:00:00Z",
        "limit": 2,
    }
    found = server.post("/api/sql", asked)
    assert found["datarows"] == [[5], [6]]
    assert found["schema"] == [{"name": "n", "type": "bigint"}]


def test_the_jdbc_format(server: Server) -> None:
    found = server.post("/_plugins/_sql", {"query": "SELECT service, count(*) AS c FROM logs GROUP BY 1 ORDER BY 1"})
    assert found == {
        "schema": [{"name": "service", "type": "keyword"}, {"name": "c", "type": "long"}],
        "datarows": [["a", 5], ["b", 5]],
        "total": 2,
        "size": 2,
        "status": 200,
    }


def test_lines(server: Server) -> None:
    body = {"query": "SELECT n, service FROM logs WHERE n < 2 ORDER BY n"}
    assert server.call("POST", "/_plugins/_sql?format=csv", body) == (200, b"n,service\n0,a\n1,b\n")
    assert server.call("POST", "/_plugins/_sql?format=raw", body) == (200, b"n|service\n0|a\n1|b\n")


@pytest.mark.parametrize(
    "body",
    [
        {"query": "DROP TABLE logs"},
        {"query": "SELECT upper(n, n) FROM logs"},
        {"query": "SELECT n + service FROM logs"},
        {"query": "SELECT 1", "parameters": [{"type": "string", "value": "x"}]},
        {},
    ],
)
def test_mistakes_are_the_caller_s_in_opensearch_s_shape(server: Server, body: dict[str, object]) -> None:
    status, found = server.call("POST", "/_plugins/_sql", body)
    assert status == 400
    assert found["error"]["reason"] == "Invalid Query"


def test_a_query_of_no_stream_has_rows(server: Server) -> None:
    assert server.post("/api/sql", {"query": "SELECT 1 AS one"})["datarows"] == [[1]]
    assert server.post("/api/query", {"query": "makeresults count=2 | eval x = 1 | fields x"})["datarows"] == [[1], [1]]


def test_the_plan_names_what_is_read(server: Server) -> None:
    found = server.post("/_plugins/_sql/_explain", {"query": "SELECT n FROM logs"})
    assert found["root"]["description"]["scans"] == {"s0": {"streams": ["logs"], "fields": ["n"]}}
