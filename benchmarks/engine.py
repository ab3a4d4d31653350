"""A running engine as the benchmarks see it: where to send, what it costs in CPU seconds and bytes."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.opensearch import node as opensearch_node


@dataclass
class Engine:
    """A server process that answers on `port`; `data` is the folder it writes to."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    data: Path

    def cpu(self) -> float:
        """CPU seconds used by the process and its children so far."""
        root = psutil.Process(self.process.pid)
        total = 0.0
        for process in [root, *root.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def resident(self) -> int:
        """Resident memory in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def disk(self) -> int:
        """Bytes of the files in the data folder."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> tuple[int, bytes]:
        """Send one request and return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body or None, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ppl(self, query: str) -> dict[str, Any]:
        """Return the answer to a PPL query."""
        status, body = self.call("POST", "/_plugins/_ppl", json.dumps({"query": query}).encode())
        if status != 200:
            raise RuntimeError(f"{query}: {status} {body[:300]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def wait(self, path: str, seconds: float = 60) -> float:
        """Wait until `path` answers 200; returns the seconds it took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
            try:
                if self.call("GET", path)[0] == 200:
                    return time.monotonic() - started
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not answer on {path} within {seconds} s")

    def settle(self, seconds: float = 120) -> None:
        """Wait until the process has been idle for two seconds: background work counts too."""
        last, quiet = self.cpu(), 0
        for _ in range(int(seconds * 2)):
            time.sleep(0.5)
            now = self.cpu()
            quiet = quiet + 1 if now - last < 0.03 else 0
            last = now
            if quiet >= 4:
                return

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


def treering(data: Path, port: int, *, detect: bool = False, plain: bool = False) -> Engine:
    """Start this checkout's server on `port` with its data in `data`.

    The detectors watch if `detect`; with `plain` records are stored and indexed as they are, without enrichers.
    """
    config = data.parent / "treering.toml"
    config.write_text(f"[detect]\nenabled = {str(detect).lower()}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "benchmarks.plain" if plain else "treering",
        "up",
        "--config",
        str(config),
        "--data",
        str(data),
        "--port",
        str(port),
        "--no-conventional-ports",
    ]
    log = (data.parent / "treering.log").open("wb")
    return Engine("treering", subprocess.Popen(command, stdout=log, stderr=log), port, data)


def victoria_logs(data: Path, port: int) -> Engine | None:
    """Start VictoriaLogs when the environment variable VICTORIA_LOGS names its binary."""
    binary = os.environ.get("VICTORIA_LOGS")
    if not binary:
        return None
    command = [binary, f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y"]
    log = (data.parent / "victoria-logs.log").open("wb")
    return Engine("victoria-logs", subprocess.Popen(command, stdout=log, stderr=log), port, data)


def opensearch(data: Path) -> Engine | None:
    """Start OpenSearch when the environment variable OPENSEARCH is set and Java and Maven are there."""
    if not os.environ.get("OPENSEARCH"):
        return None
    node = opensearch_node.start(data, heap="1g", quick=False)
    return Engine("opensearch", node.process, node.port, data)
