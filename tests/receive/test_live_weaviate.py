"""A real Weaviate, where its binary is on the path: asked for metrics and nodes, its audit trail read."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.receive.test_pulling import named, once
from treering.receive import weaviate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving import Server

BINARY = shutil.which("weaviate-server")
pytestmark = pytest.mark.skipif(BINARY is None, reason="needs weaviate-server on the path")


def ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in sockets]


class Weaviate:
    def __init__(self, url: str, metrics: str, log: Path) -> None:
        self.url, self.metrics, self.log = url, metrics, log

    def call(self, key: str, method: str, path: str, body: Any = None) -> int:
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Weaviate]:
    rest, grpc, metrics, gossip, data, raft, rpc, profiling = ports(8)
    environment = {
        **os.environ, "CLUSTER_ADVERTISE_ADDR": "127.0.0.1", "CLUSTER_HOSTNAME": "node1", "RAFT_BOOTSTRAP_EXPECT": "1",
        "AUTHENTICATION_APIKEY_ENABLED": "true", "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "rootkey,botkey",
        "AUTHENTICATION_APIKEY_USERS": "root,bot", "AUTHORIZATION_RBAC_ENABLED": "true",
        "AUTHORIZATION_RBAC_ROOT_USERS": "root",
        "PERSISTENCE_DATA_PATH": str(tmp_path / "weaviate"), "PROMETHEUS_MONITORING_ENABLED": "true",
        "PROMETHEUS_MONITORING_PORT": metrics, "CLUSTER_GOSSIP_BIND_PORT": gossip, "CLUSTER_DATA_BIND_PORT": data,
        "RAFT_PORT": raft, "RAFT_INTERNAL_RPC_PORT": rpc, "RAFT_JOIN": f"node1:{raft}", "GRPC_PORT": grpc,
        "GO_PROFILING_PORT": profiling, "DEFAULT_VECTORIZER_MODULE": "none", "DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    log = tmp_path / "weaviate.log"
    with log.open("wb") as out:
        command = [str(BINARY), "--host", "127.0.0.1", "--port", rest, "--scheme", "http"]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    found = Weaviate(f"http://127.0.0.1:{rest}", f"http://127.0.0.1:{metrics}/metrics", log)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                if found.call("rootkey", "GET", "/v1/.well-known/ready") == 200:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def test_its_metrics_nodes_and_audit_trail(running: Weaviate, server: Server) -> None:
    assert running.call("rootkey", "POST", "/v1/schema", {"class": "Payroll"}) == 200
    thing = {"class": "Payroll", "properties": {"text": "é"}, "vector": [0.1, 0.2]}
    assert running.call("rootkey", "POST", "/v1/objects", thing) == 200
    assert running.call("botkey", "DELETE", "/v1/schema/Payroll") == 403
    config = weaviate.Config(url=running.url, metrics=running.metrics, api_key="rootkey")
    records, state = once(lambda context: weaviate.build(config, context))
    assert state == "open"
    assert named(records, "weaviate.node.healthy")[0]["value"] == 1
    shards = {record["attributes"]["db.collection.name"] for record in named(records, "weaviate.shard.loaded")}
    assert shards == {"Payroll"}
    assert [record["value"] for record in named(records, "up")] == [1]
    assert named(records, "startup_progress")
    refused, state = once(
        lambda context: weaviate.build(weaviate.Config(url=running.url, metrics="", api_key="no"), context)
    )
    assert (refused, "answered 401" in state) == ([], True)
    body = running.log.read_bytes()
    assert server.request("POST", "/api/ingest/logs", body).status == 200
    query = (
        "source=logs | where attributes.db.system.name='weaviate' and isnotnull(attributes.treering.access.result) "
        "| fields attributes.user.id, attributes.db.operation.name, attributes.treering.access.result"
    )
    asked = json.dumps({"query": query}).encode()
    answer = server.request("POST", "/_plugins/_ppl", asked, {"content-type": "application/json"})
    rows = json.loads(answer.body)["datarows"]
    assert ["root", "create", "allowed"] in rows
    assert ["bot", "delete", "denied"] in rows
