"""The whole way through a server in a process of its own: a record, a finding, an incident, an alert, a kill."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.server import running
from treering.testing.peers import http_peer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server
    from treering.testing.peers import Peer

_CONFIG = """
[alerts]
page = "http://127.0.0.1:7600"
[[alerts.rules]]
name = "incident"
incidents = {{ severity = "high" }}
[[alerts.routes]]
receiver = "hook"
group_wait = "0s"
group_by = ["incident"]
[alerts.receivers.hook]
kind = "webhook"
url = "http://127.0.0.1:{port}/"
"""


def _kill(process: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    body = f"Memory cgroup out of memory: Killed process {process} (llm) total-vm:1kB"
    return {
        "@timestamp": now,
        "serviceName": "kernel",
        "body": body,
        "resource": {"attributes": {"host.name": "gpu-1"}},
    }


def _told(peer: Peer) -> dict[str, list[dict[str, Any]]]:
    """Alerts of each delivery, however often it came."""
    return {r.headers["idempotency-key"]: json.loads(r.body)["alerts"] for r in peer.received}


def _wait(server: Server, peer: Peer, deliveries: int) -> None:
    until = time.monotonic() + 60
    while len(_told(peer)) < deliveries:
        assert time.monotonic() < until, (server.get("/api/alerts"), server.get("/api/incidents")["total"])
        time.sleep(0.2)


def test_a_record_becomes_one_alert_also_when_the_server_is_killed(tmp_path: Path) -> None:
    with http_peer(mode="busy") as peer:
        config = tmp_path / "treering.toml"
        config.write_text(_CONFIG.format(port=peer.port), encoding="utf-8")
        with running(tmp_path / "data", "--config", config) as server:
            server.send("logs", [_kill(218)])
            _wait(server, peer, 1)
            (case,) = server.get("/api/incidents")["incidents"]
            assert (case["kind"], case["state"]) == ("availability", "open")
            server.stop(signal.SIGKILL)
        peer.mode = "ok"
        with running(tmp_path / "data", "--config", config) as server:
            until = time.monotonic() + 60
            while not server.get("/api/alerts/deliveries?state=delivered")["deliveries"]:
                assert time.monotonic() < until
                time.sleep(0.2)
            (again,) = server.get("/api/incidents")["incidents"]
            assert again["id"] == case["id"]
            ((fired,),) = _told(peer).values()
            assert fired["labels"]["incident"] == case["id"]
            assert fired["generatorURL"] == f"http://127.0.0.1:7600/incidents?incident={case['id']}"
            server.post(f"/api/incidents/{case['id']}", {"state": "closed"})
            whole = server.get(f"/api/incidents/{case['id']}")
            assert [record["ref"] for record in whole["evidence"]["records"]] == ["logs/0"]
            text = server.call("GET", f"/api/incidents/{case['id']}/postmortem")[1]
            assert b"The first alert reached the receiver hook" in text
            assert "resolved" in {item["status"] for item in server.get("/api/alerts")["alerts"]}
