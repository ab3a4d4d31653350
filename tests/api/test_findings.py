"""Findings over HTTP: listed by what they are about, one by its id, triaged."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.serving import Server

KILL = "Memory cgroup out of memory: Killed process 12 ({}) total-vm:1kB"


def get(server: Server, path: str) -> tuple[int, Any]:
    answer = server.request("GET", path)
    return answer.status, json.loads(answer.body)


def post(server: Server, path: str, body: Any) -> tuple[int, Any]:
    answer = server.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return answer.status, json.loads(answer.body)


def watched(server: Server) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        detection = server.pipeline.detection
        if detection is not None and detection.settled() and detection.lag == 0:
            return
        time.sleep(0.05)
    raise AssertionError("detection did not catch up")


def test_findings_are_listed_and_triaged(server: Server) -> None:
    assert get(server, "/api/findings")[1] == {"findings": [], "total": 0}
    lines = [
        {"@timestamp": "2026-03-01T04:00:00Z", "serviceName": "kernel", "body": KILL.format("llm")},
        {"@timestamp": "2026-03-01T05:00:00Z", "serviceName": "kernel", "body": KILL.format("web")},
        {"@timestamp": "2026-03-01T06:00:00Z", "serviceName": "web", "body": "worker died unexpectedly"},
    ]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    assert server.request("POST", "/api/ingest/logs?format=json", body).status == 200
    watched(server)
    status, answer = get(server, "/api/findings")
    assert (status, answer["total"]) == (200, 3)
    assert [item["@timestamp"][11:13] for item in answer["findings"]] == ["06", "05", "04"]
    newest = answer["findings"][0]
    assert newest["finding"]["rule"] == "died"
    assert get(server, "/api/findings?entity=process:llm")[1]["total"] == 1
    assert get(server, "/api/findings?entity=planet:mars")[1]["total"] == 0
    assert get(server, "/api/findings?rule=oom_kill&limit=1")[1]["total"] == 2
    assert get(server, "/api/findings?from=2026-03-01T05:30:00Z&severity=high&detector=crashes")[1]["total"] == 1
    assert get(server, "/api/findings?severity=critical")[1]["total"] == 0
    name = newest["finding"]["id"]
    status, kept = post(server, f"/api/findings/{name}", {"state": "dismissed", "comment": "planned"})
    assert (status, kept["finding"]["state"], kept["triage"]["comment"]) == (200, "dismissed", "planned")
    assert get(server, f"/api/findings/{name}")[1]["finding"]["state"] == "dismissed"
    assert get(server, "/api/findings?state=dismissed")[1]["total"] == 1
    assert get(server, "/api/findings")[1]["total"] == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/findings?colour=red", None, 400),
        ("GET", "/api/findings?state=odd", None, 400),
        ("GET", "/api/findings?severity=odd", None, 400),
        ("GET", "/api/findings?entity=odd", None, 400),
        ("GET", "/api/findings/nobody", None, 404),
        ("POST", "/api/findings/nobody", {"state": "closed"}, 404),
        ("POST", "/api/findings/nobody", {"state": "odd"}, 400),
        ("POST", "/api/findings/nobody", {}, 400),
    ],
)
def test_mistakes_are_named(server: Server, method: str, path: str, body: Any, status: int) -> None:
    answer = get(server, path) if method == "GET" else post(server, path, body)
    assert answer[0] == status
    assert answer[1]["error"]["message"]


def test_doctor_and_metrics_show_detection(server: Server) -> None:
    status = get(server, "/api/status")[1]["detection"]
    assert "crashes" in status["detectors"]
    assert status["failures"] == {}
    assert b"treering_detection_lag_records" in server.request("GET", "/metrics").body
