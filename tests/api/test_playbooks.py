"""Playbooks over HTTP and on the command line: run for an incident, read-only, steps kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.api.test_incidents import call, get, security
from tests.api.test_incidents import server as server  # noqa: PLC0414  the same fixture
from tests.server import treering

if TYPE_CHECKING:
    from tests.serving import Server


def test_they_are_listed_and_shown(server: Server) -> None:
    found = {item["playbook"]: item for item in get(server, "/api/playbooks")["playbooks"]}
    assert {"injection", "latency", "hallucination", "vector_access", "spend", "training"} <= set(found)
    steps = get(server, "/api/playbooks/injection")["steps"]
    assert steps[0]["id"] == "what-was-tried"
    assert call(server, "GET", "/api/playbooks/nothing")[0] == 404


def test_a_run_answers_with_the_incidents_rows_and_changes_nothing(server: Server) -> None:
    path = f"/api/incidents/{security(server)}"
    before = server.store.newest_seq()
    status, answer = call(server, "POST", f"{path}/playbook", {}, who="vi")
    assert (status, answer["playbook"]) == (200, "injection")
    assert server.store.newest_seq() == before
    calls = next(step for step in answer["steps"] if step["id"] == "what-else-they-did")["answers"][0]
    assert "'mallory'" in calls["query"]
    assert "{{" not in calls["query"]
    documents = next(step for step in answer["steps"] if step["id"] == "who-or-which-document")["answers"][1]
    assert documents["note"] == "this incident has no entity.document"
    status, answer = call(server, "POST", f"{path}/playbook", {"playbook": "latency", "step": "where-the-time-goes"})
    assert (status, len(answer["steps"])) == (200, 1)
    assert answer["steps"][0]["answers"][0]["datarows"]
    assert call(server, "POST", f"{path}/playbook", {"playbook": "nothing"})[0] == 400
    assert call(server, "POST", f"{path}/playbook", {"step": "nothing"})[0] == 400
    assert call(server, "POST", "/api/incidents/inc-none/playbook", {})[0] == 404


def test_steps_are_ticked_off_by_analysts(server: Server) -> None:
    path = f"/api/incidents/{security(server)}"
    body = {"playbook": "injection", "step": "stop-it", "state": "done", "note": "sessions suspended"}
    assert call(server, "POST", f"{path}/steps", body, who="vi")[0] == 403
    status, answer = call(server, "POST", f"{path}/steps", body)
    assert (status, answer["steps"]["stop-it"], answer["steps"]["afterwards"]) == (200, "done", "open")
    shown = get(server, path)
    assert [(step["step"], step["state"], step["by"]) for step in shown["steps"]] == [("stop-it", "done", "ana")]
    assert ("ana", "step", "done") in {(line["by"], line["what"], line["after"]) for line in shown["history"]}
    for wrong in ({"state": "odd"}, {"step": "odd"}, {"playbook": "odd"}, {"note": "x" * 3000}):
        assert call(server, "POST", f"{path}/steps", {**body, **wrong})[0] == 400


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command_line(server: Server, form: str) -> None:
    data, identifier = server.pipeline.settings.directory, security(server)

    def run(*arguments: str) -> str:
        done = treering("playbook", *arguments, "--data", data)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    assert "injection" in run("list", "--format", form)
    assert "who-or-which-document" in run("show", "injection", "--format", form)
    shown = run("run", identifier, "--step", "what-else-they-did", "--format", form)
    assert "mallory" in (json.loads(shown)["steps"][0]["answers"][0]["query"] if form == "json" else shown)
    run("check", identifier, "injection", "what-was-tried", "--note", "it is one")
