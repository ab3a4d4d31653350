"""Post-mortems over HTTP and on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.api.test_incidents import call, security
from tests.api.test_incidents import server as server  # noqa: PLC0414  the same fixture
from tests.respond.test_postmortem import inert_html, inert_markdown
from tests.server import treering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server


def test_both_forms_are_made_from_the_record_and_inert(server: Server) -> None:
    path = f"/api/incidents/{security(server)}/postmortem"
    status, text = call(server, "GET", path, who="vi")
    assert status == 200
    inert_markdown(text.decode())
    assert re.search(r"Calls of the services in that time: [1-9]", text.decode())
    assert "spans/" in text.decode()
    answer = server.request("GET", f"{path}?format=html", headers={"authorization": "Bearer vi"})
    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "sandbox" in answer.headers["content-security-policy"]
    inert_html(answer.body.decode())
    assert "<svg" in answer.body.decode()
    assert call(server, "GET", f"{path}?format=pdf")[0] == 400
    assert call(server, "GET", "/api/incidents/inc-none/postmortem")[0] == 404


def test_the_command_line(server: Server, tmp_path: Path) -> None:
    arguments = ("incident", "postmortem", security(server), "--data", server.pipeline.settings.directory)
    done = treering(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"# Post-mortem of inc-")
    assert treering(*arguments, "--html", "--into", tmp_path / "p.html").returncode == 0
    assert (tmp_path / "p.html").read_text(encoding="utf-8").startswith("<!doctype html>")
