"""Queries whose caller leaves stop; slow ones are noted where they can be asked for, without what they looked for."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server import running
from treering.query.shape import shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server

# Two thousand records, each with each, three times over: hours.
ENDLESS = (
    'source=logs body="hunter2" | eval k = 1 | join left=a right=b on a.k = b.k [ source=logs | eval k = 1 ]'
    " | join left=c right=d on c.k = d.k [ source=logs | eval k = 1 ] | stats sum(c.n)"
)
REQUESTS = {
    "/_plugins/_ppl": {"query": ENDLESS},
    "/api/query": {"query": ENDLESS},
    "/api/queries": {"queries": {"one": {"query": ENDLESS}, "two": {"query": ENDLESS}}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("slow")
    (folder / "treering.toml").write_text("[limits]\nslow = 1.0\n[detect]\nenabled = false\n", encoding="utf-8")
    with running(folder / "data", "--config", folder / "treering.toml") as server:
        server.send("logs", [{"body": "hunter2", "n": number, "@timestamp": number} for number in range(2000)])
        yield server


def cpu(server: Server) -> float:
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


def begin(server: Server, path: str, body: dict[str, Any]) -> socket.socket:
    """Send a request and leave its answer unread."""
    data = json.dumps(body).encode()
    client = socket.create_connection(("127.0.0.1", urlsplit(server.address).port or 0), timeout=20)
    head = (
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(data)}",
    )
    client.sendall("\r\n".join((*head, "", "")).encode() + data)
    return client


def wait_for(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("path", REQUESTS)
def test_a_query_stops_when_its_caller_leaves(server: Server, path: str) -> None:
    before = cpu(server)
    client = begin(server, path, REQUESTS[path])
    wait_for(lambda: cpu(server) - before > 0.5)
    client.close()
    wait_for(lambda: is_idle(server))


def is_idle(server: Server) -> bool:
    before = cpu(server)
    time.sleep(0.5)
    return cpu(server) - before < 0.1


def test_a_caller_that_stays_gets_its_answer(server: Server) -> None:
    assert server.post("/_plugins/_ppl", {"query": "source=logs | stats count()"})["datarows"] == [[2000]]


def test_slow_queries_are_records_without_what_they_looked_for(server: Server) -> None:
    client = begin(server, "/api/query", {"query": ENDLESS})
    time.sleep(1.5)
    client.close()
    asked = {
        "query": "source=queries | where attributes.treering.query.outcome = 'cancelled' | sort - @timestamp | head 1"
    }
    wait_for(lambda: server.call("POST", "/api/query", asked)[0] == 200)
    wait_for(lambda: server.post("/api/query", asked)["datarows"])
    fields = "body, attributes.db.query.text, attributes.db.collection.name, attributes.treering.query.took_ms"
    (row,) = server.post("/api/query", {"query": f"{asked['query']} | fields {fields}"})["datarows"]
    assert row[1].startswith("source=logs body=? | eval k = 1 | join left=a")
    assert row[2] == "logs"
    assert 1000 <= row[3] < 60_000
    assert "hunter2" not in json.dumps(row)


def test_a_quick_query_is_not_noted(server: Server) -> None:
    server.post("/api/query", {"query": "source=logs quickly | stats count()"})
    noted = {
        "query": "source=queries | where attributes.db.query.text = 'source=logs ? | stats count()' | stats count()"
    }
    status, answer = server.call("POST", "/api/query", noted)
    assert status == 400 or answer["datarows"] == [[0]]


WORDS = st.text("abcxyz019", min_size=9, max_size=20).map(lambda word: f"zq{word}")


@given(WORDS, WORDS, WORDS)
def test_no_value_is_left_in_the_shape_of_a_query(one: str, two: str, three: str) -> None:
    text = (
        f'search source=logs,spans {one} AND user={two} OR (NOT {three}) tag IN ({one}, {two}) "{three}"'
        f" | where name = '{one}' and like(body, \"%{two}%\") | eval x = '{three}' // {one}\n | fields name"
    )
    found = shape(text)
    assert not any(word in found for word in (one, two, three))
    for kept in ("source=logs,spans", "user=?", "where name = ?", "fields name"):
        assert kept in found


@given(st.text(max_size=200))
def test_any_text_has_a_shape(text: str) -> None:
    assert len(shape(text)) <= 2000
