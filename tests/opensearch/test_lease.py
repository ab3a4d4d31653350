"""One process writes under a prefix: another is refused by name, until the first gives up or is heard of no more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from treering.core.clock import ManualClock
from treering.core.errors import Retryable, UserError
from treering.store.opensearch import Config
from treering.store.opensearch.cluster import Refused
from treering.store.opensearch.engine import OpenSearchStore
from treering.store.opensearch.lease import Lease
from treering.testing.store_contract import count, logs

if TYPE_CHECKING:
    from tests.opensearch.common import Shared


class OneDocument:
    """A cluster of one document, with the compare-and-set of a real one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = 0
        self.source: dict[str, Any] | None = None
        self.away = False

    def call(self, method: str, path: str, body: Any = None, params: Any = (), **_: Any) -> Any:
        if self.away:
            raise Retryable("cannot reach OpenSearch")
        with self.lock:
            assert path == "/p-state/_doc/writer"
            if method == "GET":
                if self.source is None:
                    raise Refused(404, "not_found", "no document")
                return {"_source": self.source, "_seq_no": self.number, "_primary_term": 1}
            if "op_type" in params:
                fits = self.source is None
            else:
                fits = self.source is not None and params["if_seq_no"] == str(self.number)
            if not fits:
                raise Refused(409, "version_conflict_engine_exception", "it has changed")
            self.number += 1
            self.source = body if method == "PUT" else None
            return {}


def lease(cluster: OneDocument, clock: ManualClock) -> Lease:
    return Lease(cluster, "p-state", 60.0, clock)  # type: ignore[arg-type]


def test_of_many_that_ask_at_once_one_gets_it() -> None:
    cluster, clock = OneDocument(), ManualClock()
    leases = [lease(cluster, clock) for _ in range(8)]
    got, refused = list[Lease](), list[str]()

    def ask(one: Lease) -> None:
        try:
            one.hold()
            got.append(one)
        except Retryable as error:
            refused.append(error.message)

    threads = [threading.Thread(target=ask, args=(one,)) for one in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert all("another treering writes under the prefix 'p-'" in message for message in refused)
    assert f"process {os.getpid()}" in refused[0]
    for one in leases:
        one.close()
    assert cluster.source is None


def test_it_is_kept_and_given_up_only_after_its_time() -> None:
    cluster = OneDocument()
    first, second = ManualClock(), ManualClock()
    one, other = lease(cluster, first), lease(cluster, second)
    one.hold()
    for clock in (first, second):
        clock.advance(59)
    with pytest.raises(Retryable, match="writes under"):
        other.hold()
    one.hold()  # its word is nearly over: it is given again
    for clock in (first, second):
        clock.advance(59)
    with pytest.raises(Retryable, match="writes under"):
        other.hold()
    for clock in (first, second):
        clock.advance(2)
    other.hold()
    with pytest.raises(Retryable, match="writes under"):
        one.hold()
    one.close()  # not its own any more: left alone
    assert cluster.source is not None
    other.close()
    assert cluster.source is None


def test_a_cluster_that_cannot_be_asked_gives_no_right_to_write() -> None:
    cluster, clock = OneDocument(), ManualClock()
    one = lease(cluster, clock)
    one.hold()
    cluster.away = True
    one.hold()  # its word still stands
    clock.advance(61)
    with pytest.raises(Retryable, match="cannot reach"):
        one.hold()
    one.close()
    assert "cannot reach" in one.trouble["lease"]


def config(opensearch: Shared, name: str) -> Config:
    return Config(urls=(opensearch.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", replicas=0, read=())


def test_a_second_writer_is_refused_and_still_reads(opensearch: Shared, name: str) -> None:
    first = OpenSearchStore(config(opensearch, name))
    first.append(logs([{"n": 1}]))
    second = OpenSearchStore(config(opensearch, name))
    try:
        for write in (
            lambda: second.append(logs([{"n": 2}])),
            lambda: second.create("more", {}),
            lambda: second.delete("logs"),
        ):
            with pytest.raises(Retryable, match=f"process {os.getpid()} on ") as caught:
                write()
            assert "prefix" in caught.value.hint
        with pytest.raises(UserError, match="another treering writes"):
            second.claim()
        assert count(second, "logs") == 1
        first.close()
        second.append(logs([{"n": 2}]))
        assert count(second, "logs") == 2
    finally:
        first.close()
        second.close()


WRITER = """
import os, sys, time
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import logs
url, name = sys.argv[1:]
store = OpenSearchStore(Config(urls=(url,), prefix=name + "-", alias=name + ".{stream}", replicas=0, read=()))
store.append(logs([{"n": 1}]))
print("there", flush=True)
sys.stdin.read()
os._exit(9)
"""


def test_a_process_that_died_is_followed_at_once(opensearch: Shared, name: str) -> None:
    command = [sys.executable, "-c", WRITER, opensearch.url, name]
    store = OpenSearchStore(config(opensearch, name))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdin is not None
            assert other.stdout is not None
            assert other.stdout.readline() == "there\n"
            with pytest.raises(Retryable, match=f"process {other.pid} on "):
                store.append(logs([{"n": 2}]))
            other.stdin.close()  # it ends without giving the right back
            assert other.wait(30) == 9
            store.append(logs([{"n": 2}]))
            assert count(store, "logs") == 2
        finally:
            store.close()
