"""Incidents over HTTP and on the command line."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.incidents import HOSTILE, MINUTE, START, finding, store_calls
from tests.server import treering
from tests.serving import Server
from treering.core.access import Token, digest
from treering.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    names = {"ana": "analyst", "vi": "viewer", "root": "admin"}
    tokens = tuple(Token(name=name, sha256=digest(name), role=role) for name, role in names.items())
    with Server(tmp_path_factory.mktemp("incidents") / "data", tokens=tokens) as running:
        seqs = store_calls(running.store)
        desk = running.pipeline.incidents
        desk.take([finding("attack", seqs=seqs[:3]), finding("more", START + MINUTE)])
        desk.take(
            [
                finding(
                    "slow",
                    START,
                    seqs[3:5],
                    detector="latency",
                    rule="p95",
                    severity=Severity.MEDIUM,
                    entities={"service": "rag-service", "endpoint": "support"},
                    techniques=(),
                )
            ]
        )
        desk.settle()
        running.pipeline.announce(running.url)
        yield running


def call(server: Server, method: str, path: str, body: Any = None, who: str = "ana") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {who}"}
    data = b"" if body is None else json.dumps(body).encode()
    if data:
        headers |= {"content-type": "application/json", "content-length": str(len(data))}
    answer = server.request(method, path, data, headers)
    try:
        return answer.status, json.loads(answer.body)
    except ValueError:
        return answer.status, answer.body


def get(server: Server, path: str) -> Any:
    status, answer = call(server, "GET", path)
    assert status == 200, answer
    return answer


def security(server: Server) -> str:
    (line,) = get(server, "/api/incidents?kind=security")["incidents"]
    return str(line["id"])


def test_the_list_filters_and_names_the_riskiest(server: Server) -> None:
    answer = get(server, "/api/incidents")
    assert (answer["total"], {line["kind"] for line in answer["incidents"]}) == (2, {"security", "performance"})
    assert answer["risk"][0]["kind"] in {"user", "service"}
    assert get(server, "/api/incidents?state=closed")["incidents"] == []
    assert len(get(server, "/api/incidents?limit=1")["incidents"]) == 1
    assert call(server, "GET", "/api/incidents?state=odd")[0] == 400
    assert call(server, "GET", "/api/incidents?kind=odd")[0] == 400


def test_one_incident_has_everything(server: Server) -> None:
    answer = get(server, f"/api/incidents/{security(server)}")
    assert len(answer["findings"]) == len(answer["timeline"]) == 2
    assert answer["tactics"] == [
        {"id": "AML.TA0005", "name": "Execution", "first": "2026-11-23T18:00:00Z", "moments": 2}
    ]
    assert answer["findings"][0]["evidence"][0]["ref"].startswith("spans/")
    assert {node["kind"] for node in answer["graph"]["nodes"]} == {"user", "service"}
    assert answer["graph"]["edges"][0]["findings"] == 2
    assert len(answer["evidence"]["records"]) == 3
    assert answer["playbook"] == "injection"
    assert HOSTILE in answer["title"]
    assert call(server, "GET", "/api/incidents/inc-none")[0] == 404


def test_analysts_change_and_viewers_do_not(server: Server) -> None:
    path = f"/api/incidents/{security(server)}"
    assert call(server, "POST", path, {"comment": "x"}, who="vi")[0] == 403
    status, answer = call(server, "POST", path, {"state": "acknowledged", "owner": "ana", "comment": HOSTILE})
    assert status == 200
    assert (answer["state"], answer["owner"]) == ("acknowledged", "ana")
    assert [(line["by"], line["text"]) for line in answer["comments"]] == [("ana", HOSTILE)]
    assert call(server, "POST", path, {})[0] == 400
    assert call(server, "POST", path, {"state": "gone"})[0] == 400
    assert call(server, "POST", "/api/incidents/inc-none", {"comment": "x"})[0] == 404


def test_queries_see_incidents(server: Server) -> None:
    body = {"query": "source=incidents | where incident.kind = 'performance' | fields incident.id, severityText"}
    status, answer = call(server, "POST", "/api/query", body)
    assert status == 200, answer
    assert [row[1] for row in answer["datarows"]] == ["medium"]


def test_evidence_as_json_and_zip(server: Server) -> None:
    path = f"/api/incidents/{security(server)}/evidence"
    for line in get(server, path)["records"]:
        assert line["intact"]
        assert hashlib.sha256(line["content"].encode()).hexdigest() == line["sha256"]
    status, content = call(server, "GET", f"{path}?format=zip")
    assert status == 200
    assert "SHA256SUMS" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert call(server, "GET", f"{path}?format=pdf")[0] == 400


def test_the_command_line(server: Server, tmp_path: Path) -> None:
    data = server.pipeline.settings.directory

    def run(*arguments: str) -> str:
        done = treering("incident", *arguments, "--data", data, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode() + done.stderr.decode()

    identifier = security(server)
    assert identifier in run("list", "--kind", "security")
    shown = run("show", identifier)
    assert "Execution" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    run("comment", identifier, "from the shell")
    assert "resolved" in run("resolve", identifier)
    assert json.loads(run("show", identifier, "--format", "json"))["comments"][-1]["text"] == "from the shell"
    run("ack", identifier, "--owner", "bo")
    run("close", identifier, "--comment", "done")
    run("export", identifier)
    assert zipfile.is_zipfile(tmp_path / f"{identifier}-evidence.zip")
    assert treering("incident", "show", "inc-none", "--data", data).returncode == 2


def test_the_command_line_without_a_server(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as running:
        running.pipeline.incidents.take([finding("a", seqs=store_calls(running.store)[:1])])
        running.pipeline.incidents.settle()
    data = tmp_path / "data"
    (line,) = json.loads(treering("incident", "list", "--format", "json", "--data", data).stdout)["incidents"]
    assert treering("incident", "close", line["id"], "--data", data).returncode == 0
    assert b"closed" in treering("incident", "list", "--data", data).stdout
