"""Three nodes, one of them killed while records come in: nothing that was acknowledged is lost, nothing is twice."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.opensearch import node
from treering.core.errors import Retryable
from treering.model.columns import SEQUENCE
from treering.stage.store import Scan
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import answer, column, logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.opensearch.common import Shared

_ROWS = 20


@pytest.fixture
def nodes(tmp_path: Path, opensearch: Shared) -> Iterator[list[node.Node]]:
    """A cluster of three; the shared node only says that nodes can be started here."""
    started = node.cluster(tmp_path / "cluster")
    yield started
    for item in started:
        item.stop()


class Sender(threading.Thread):
    """Appends batch after batch and keeps what was acknowledged; what was refused is sent again, as senders do."""

    def __init__(self, store: OpenSearchStore, worker: int) -> None:
        super().__init__()
        self.acknowledged: dict[int, int] = {}
        self.refused = 0
        self.failure: BaseException | None = None
        self.enough = threading.Event()
        self._store, self._next = store, worker * 1_000_000

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self._send()
        except BaseException as error:  # noqa: BLE001  the test's thread raises it
            self.failure = error

    def _send(self) -> None:
        numbers = range(self._next, self._next + _ROWS)
        try:
            first = self._store.append(logs([{"n": number, "body": f"line {number}"} for number in numbers]))
        except Retryable:
            self.refused += 1
            return
        self.acknowledged.update({number: first + place for place, number in enumerate(numbers)})
        self._next += _ROWS


def test_a_node_is_killed_under_ingest(nodes: list[node.Node]) -> None:
    urls = tuple(item.url for item in nodes)
    store = OpenSearchStore(Config(urls=urls, replicas=1, shards=3, read=(), patience_s=60))
    senders = [Sender(store, worker) for worker in range(2)]
    try:
        store.append(logs([{"n": -1, "body": "first"}]))
        for sender in senders:
            sender.start()
        _wait(senders, 100)
        _copied(nodes[0])
        nodes[1].kill()
        before = {sender: len(sender.acknowledged) for sender in senders}
        _wait(senders, 200, before)
        for sender in senders:
            sender.enough.set()
            sender.join(90)
            assert sender.failure is None, sender.failure
        rows = answer(store, Scan(("logs",), (SEQUENCE, "n")), column("n"), column(SEQUENCE))
        acknowledged = {-1: 0} | {n: seq for sender in senders for n, seq in sender.acknowledged.items()}
        assert dict(rows) == acknowledged
        assert len(rows) == len(acknowledged)
        assert any("127.0.0.1" in url for url in store.health()["trouble"])
    finally:
        for sender in senders:
            sender.enough.set()
        for sender in senders:
            sender.join(90)
        store.close()


def _copied(asked: node.Node) -> None:
    """Wait until each shard has its replica: what only one node holds is gone with it, and no writer can help that."""
    status, told = asked.call("GET", "/_cluster/health?wait_for_status=green&timeout=100s", seconds=120)
    assert (status, told["status"]) == (200, "green"), told


def _wait(senders: list[Sender], rows: int, before: dict[Sender, int] | None = None) -> None:
    until = time.monotonic() + 120
    while any(len(sender.acknowledged) - (before or {}).get(sender, 0) < rows for sender in senders):
        assert time.monotonic() < until, [(len(sender.acknowledged), sender.failure) for sender in senders]
        time.sleep(0.1)
