"""A treering server in a process of its own, and the command line, as users run them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "src"), "COLUMNS": "160"}
# Users start what is installed with its bytecode; compiling it anew in each process is no part of what is measured.
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


def treering(
    *arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "treering", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=ENVIRONMENT, cwd=cwd, check=False)


class Server:
    def __init__(self, process: subprocess.Popen[bytes], data: Path, address: str) -> None:
        self.process = process
        self.data = data
        self.address = address

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"content-type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw

    def get(self, path: str) -> Any:
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: Any) -> Any:
        status, answer = self.call("POST", path, body)
        assert status == 200, answer
        return answer

    def send(self, stream: str, records: list[dict[str, Any]]) -> Any:
        body = b"\n".join(json.dumps(record).encode() for record in records)
        status, answer = self.call("POST", f"/api/ingest/{stream}?format=json", body, "application/x-ndjson")
        assert status == 200, answer
        return answer

    def count(self, stream: str = "logs") -> int:
        return sum(info["rows"] for info in self.get("/api/streams")["streams"] if info["name"] == stream)

    def wait_for(self, rows: int, stream: str = "logs", seconds: float = 60) -> int:
        until = time.monotonic() + seconds
        while (found := self.count(stream)) < rows and time.monotonic() < until:
            time.sleep(0.1)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextlib.contextmanager
def running(data: Path, *arguments: str | Path) -> Iterator[Server]:
    command = [
        sys.executable,
        "-m",
        "treering",
        "up",
        "--data",
        data,
        "--port",
        "0",
        "--no-conventional-ports",
        *arguments,
    ]
    with (data.parent / f"{data.name}.log").open("ab") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, env=ENVIRONMENT)
    try:
        note = data / "server.json"
        until = time.monotonic() + 90
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                about = json.loads(note.read_bytes())
                if about["pid"] == process.pid:
                    break
            time.sleep(0.05)
        else:
            raise AssertionError((data.parent / f"{data.name}.log").read_text())
        yield Server(process, data, about["address"])
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)
