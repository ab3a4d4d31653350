"""The ports and sources of the configuration, in a server as users run it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.receive.pages import served
from tests.server import ENVIRONMENT, Server, treering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("otlp_grpc", "otlp_http", "opensearch", "splunk_hec", "syslog")


def free(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def up(folder: Path, text: str) -> Iterator[tuple[Server, Path]]:
    """A server with this configuration, and the file of what it says."""
    config, data, log = folder / "treering.toml", folder / "data", folder / "log"
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "treering", "up", "--data", str(data), "--port", "0", "--config", str(config)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=ENVIRONMENT)
    try:
        until = time.monotonic() + 30
        while not (data / "server.json").exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield Server(process, data, json.loads((data / "server.json").read_bytes())["address"]), log
    finally:
        process.terminate()
        assert process.wait(30) == 0


def listeners(server: Server) -> dict[str, str]:
    return {item["name"]: item["state"] for item in server.get("/api/status")["listeners"]}


def test_every_conventional_port_takes_its_protocol_in(tmp_path: Path) -> None:
    ports = dict(zip(NAMES, free(len(NAMES)), strict=True))
    text = "[listen]\n" + "".join(f"{name} = {port}\n" for name, port in ports.items())
    with up(tmp_path, text) as (server, log):
        hec = urllib.request.Request(f"http://127.0.0.1:{ports['splunk_hec']}/services/collector", b'{"event":"hec"}')
        with urllib.request.urlopen(hec, timeout=10) as answer:
            assert json.loads(answer.read()) == {"text": "Success", "code": 0}
        with socket.create_connection(("127.0.0.1", ports["syslog"])) as sender:
            sender.sendall(b"<14>over tcp\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<14>over udp", ("127.0.0.1", ports["syslog"]))
        assert server.wait_for(3) == 3
        assert set(listeners(server).values()) == {"open"}
        assert {"splunk hec", "syslog"} <= set(listeners(server))
        done = treering("doctor", "--data", server.data)
        assert b"receiver syslog: 2 received, 2 stored" in done.stdout, done.stdout
        assert done.returncode == 0
        assert str(ports["syslog"]) in log.read_text()


def test_taken_ports_are_warnings(tmp_path: Path) -> None:
    ports = dict(zip(NAMES, free(len(NAMES)), strict=True))
    with socket.socket() as hec, socket.socket() as syslog:
        for one, name in ((hec, "splunk_hec"), (syslog, "syslog")):
            one.bind(("127.0.0.1", ports[name]))
            one.listen()
        text = "[listen]\n" + "".join(f"{name} = {port}\n" for name, port in ports.items())
        with up(tmp_path, text) as (server, log):
            states = listeners(server)
            assert states["syslog"] == states["splunk hec"] == "address already in use"
            assert states["opensearch"] == "open"
            assert "syslog is not served" in log.read_text()


def test_sources_of_the_configuration_are_asked(tmp_path: Path) -> None:
    with served(metrics=b"up_and_running 1\n") as pages:
        table = (
            f'[[sources]]\nuse = "prometheus"\nurls = ["{pages.address}/metrics"]\nservice = "vllm"\nevery_s = 0.2\n'
        )
        with up(tmp_path, f"[listen]\nconventional = false\n{table}") as (server, _):
            assert server.wait_for(4, "metrics") >= 4
            query = 'source=metrics | where name="up_and_running" | stats count() by serviceName'
            answer = treering("query", query, "--data", server.data, "--format", "ndjson")
            assert b"vllm" in answer.stdout
            assert listeners(server)["prometheus"] == "open"
            pages.statuses["/metrics"] = 500
            until = time.monotonic() + 60
            while listeners(server)["prometheus"] == "open" and time.monotonic() < until:
                time.sleep(0.1)
            done = treering("doctor", "--data", server.data)
            assert done.returncode == 1
            assert b"answered 500" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[sources]]\nuse = "promethesu"', b"did you mean 'prometheus'"),
        ('[[sources]]\nuse = "prometheus"\nurl = "x"', b"did you mean 'urls'"),
        ('[[sources]]\nuse = "bulk"', b"is no source"),
        ('[[sources]]\nuse = "pinecone"\napi_key = "$TREERING_NO_SUCH"', b"TREERING_NO_SUCH is not set"),
    ],
)
def test_mistakes_end_the_start_with_a_hint(tmp_path: Path, text: str, message: bytes) -> None:
    config = tmp_path / "treering.toml"
    config.write_text(f"[listen]\nconventional = false\n{text}\n", encoding="utf-8")
    arguments: list[Any] = ["up", "--data", tmp_path / "data", "--port", "0", "--config", config]
    done = treering(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
