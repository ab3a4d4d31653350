"""Debian's Alertmanager receives, silences and resolves what the queue sends it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.incidents import START
from treering.alert import alertmanager
from treering.app.alert_settings import Alerts
from treering.app.alertbook import Alertbook
from treering.app.delivering import Delivering, Receivers
from treering.core.clock import SystemClock
from treering.core.telemetry import Telemetry
from treering.model.delivery import Status
from treering.testing.notifier_contract import HOSTILE, alert, delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CONFIG = """
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s}
receivers: [{name: hook}]
"""


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class Alertmanager:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def alerts(self) -> dict[str, str]:
        """The state of each alert by its service: `active` or `suppressed`; resolved ones are no longer there."""
        return {a["labels"]["service"]: a["status"]["state"] for a in self.call("/api/v2/alerts")}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Alertmanager: CI must have it (Debian: prometheus-alertmanager)")
        pytest.skip("needs Alertmanager (Debian: prometheus-alertmanager)")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text(_CONFIG, encoding="utf-8")
    found = Alertmanager(port := _free_port())
    options = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--storage.path={folder}"]
    command = [program, f"--config.file={folder / 'config.yml'}", *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait(lambda: _ready(found), (folder / "log").read_text)
        yield found
    finally:
        process.terminate()
        process.wait(15)


def _ready(found: Alertmanager) -> bool:
    try:
        found.call("/api/v2/status")
    except OSError:
        return False
    return True


def wait(holds: Callable[[], bool], about: Callable[[], object] = str) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, about()
        time.sleep(0.1)


def test_it_receives_silences_and_resolves(manager: Alertmanager, tmp_path: Path) -> None:
    about = Alerts(receivers={"somebody": {"kind": "alertmanager", "url": manager.url}}, page="http://127.0.0.1:7600")
    book, receivers = Alertbook(tmp_path), Receivers(about)
    work = Delivering(about, book, receivers, SystemClock(), Telemetry())

    def send(*deliveries: Any) -> None:
        for item in deliveries:
            book.queue(item, item.id)
        work.pump()
        work.drain()
        assert book.deliveries("waiting") == []
        assert book.deliveries("failed") == []

    send(delivery(alert(1), alert(2, summary=HOSTILE), name="one"))
    wait(lambda: manager.alerts() == {"rag-1": "active", "rag-2": "active"}, manager.alerts)
    sent = next(a for a in manager.call("/api/v2/alerts") if a["labels"]["service"] == "rag-1")
    assert sent["generatorURL"] == "http://127.0.0.1:7600/explore?q=source%3Dlogs"
    assert sent["annotations"]["summary"] == "too many errors"
    assert sent["startsAt"].startswith("2026-11-23T18:00:00")

    silence = {
        "matchers": [{"name": "service", "value": "rag-1", "isRegex": False, "isEqual": True}],
        "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5)),
        "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600)),
        "createdBy": "ana",
        "comment": "rollout",
    }
    identifier = manager.call("/api/v2/silences", silence)["silenceID"]
    wait(lambda: manager.alerts()["rag-1"] == "suppressed", manager.alerts)
    notifier = receivers.notifiers["somebody"]
    assert isinstance(notifier, alertmanager.Alertmanager)
    assert [(s["id"], s["comment"]) for s in notifier.silences()] == [(identifier, "rollout")]

    send(delivery(alert(1), alert(2), name="two"))
    assert len(manager.call("/api/v2/alerts")) == 2, "an alert that is sent again is the same alert"
    send(delivery(alert(1, Status.RESOLVED), alert(2, Status.RESOLVED), name="three"))
    wait(lambda: manager.alerts() == {}, manager.alerts)
    assert time.time_ns() > START
    work.stop()
    book.close()
