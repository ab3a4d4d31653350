"""The whole product on a real OpenSearch: records in, queries, findings, incidents, a kill, and all still there."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.server import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.opensearch.common import Shared
    from tests.server import Server

_SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "chat gpt-4o",
    "kind": 3,
    "attributes": [
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
    ],
}


def _spans(now_ns: int) -> dict[str, Any]:
    span = {**_SPAN, "startTimeUnixNano": str(now_ns - 10**9), "endTimeUnixNano": str(now_ns)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "rag"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def _killed() -> dict[str, Any]:
    return {
        "@timestamp": datetime.now(UTC).isoformat(),
        "serviceName": "kernel",
        "body": "Memory cgroup out of memory: Killed process 218 (llm) total-vm:1kB",
        "resource": {"attributes": {"host.name": "gpu-1"}},
    }


def _rows(server: Server, query: str) -> Any:
    return server.post("/_plugins/_ppl", {"query": query})["datarows"]


def _incident(server: Server) -> dict[str, Any]:
    until = time.monotonic() + 90
    while not (found := server.get("/api/incidents")["incidents"]):
        assert time.monotonic() < until, server.get("/api/status")
        time.sleep(0.5)
    return dict(found[0])


def test_everything_runs_on_a_cluster(opensearch: Shared, name: str, tmp_path: Path) -> None:
    config = tmp_path / "treering.toml"
    table = f'[opensearch]\nprefix = "{name}-"\nalias = "{name}.{{stream}}"\nreplicas = 0\nread = []\n'
    config.write_text(table, encoding="utf-8")
    options = ("--config", config, "--store", "opensearch", "--opensearch-url", opensearch.url)
    with running(tmp_path / "data", *options) as server:
        assert server.call("POST", "/v1/traces", _spans(time.time_ns()))[0] == 200
        bulk = b'{"index":{"_id":"7"}}\n{"body":"upstream timed out","n":7}\n' * 2
        status, told = server.call("POST", "/logs/_bulk", bulk, "application/x-ndjson")
        assert (status, told["errors"]) == (200, False)
        assert server.send("logs", [_killed()])["stored"] == 1
        assert _rows(server, "source=logs timed | fields body, n") == [["upstream timed out", 7]]
        model = "`attributes.gen_ai.request.model`"
        assert _rows(server, f"source=spans | stats count() by {model}") == [[1, "gpt-4o"]]
        case = _incident(server)
        assert (case["kind"], case["state"]) == ("availability", "open")
        server.stop(signal.SIGKILL)
    with running(tmp_path / "data", *options) as server:
        assert _incident(server)["id"] == case["id"]
        assert _rows(server, "source=logs | stats count()") == [[2]]
        # What others see of it, in the cluster itself.
        found = opensearch.call("GET", f"/{name}.logs/_search?q=body:timed")[1]["hits"]["hits"]
        assert [hit["_source"]["n"] for hit in found] == [7]
        assert server.stop() == 0
