"""One process writes under a prefix: a document in the cluster says which one, and until when.

It is taken with the first write, or by `claim`, kept alive by a thread, and given back by `close`. Who finds it taken
is refused and told by whom; who dies without giving it back is followed after `lease_s` seconds, a process of the same
machine at once. The machines' clocks should agree to a few seconds. Kept by compare-and-set on the document's sequence
number (OpenSearch, Optimistic concurrency control).
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Permanent, Retryable
from treering.model.times import format_ns
from treering.store.opensearch.cluster import Refused, named

if TYPE_CHECKING:
    from treering.core.clock import Clock
    from treering.store.opensearch.cluster import Cluster

_NS = 1_000_000_000


class Card(msgspec.Struct, frozen=True):
    """What the document says: a writer's own name, where it runs, and the instant at which its word ends."""

    owner: str = ""
    host: str = ""
    pid: int = 0
    until_ns: int = 0


class Lease:
    """The right to write under one prefix; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, index: str, lease_s: float, clock: Clock) -> None:
        """Hold nothing yet; the document is in `index`."""
        self._cluster = cluster
        self._path = f"/{named(index)}/_doc/writer"
        self._prefix = index.removesuffix("state")
        self._lease_s = lease_s
        self._clock = clock
        self._me = uuid.uuid4().hex
        self._good_until = float("-inf")
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.trouble: dict[str, str] = {}

    def hold(self) -> None:
        """Be the writer from now on. Raises `Retryable` naming the other one, or when the cluster cannot be asked."""
        if self._clock.monotonic() < self._good_until:
            return
        with self._lock:
            if self._clock.monotonic() < self._good_until:
                return
            self._take()
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._keep, name="treering-lease", daemon=True)
                self._thread.start()

    def _take(self) -> None:
        """Write our name into the document, over none, our own, or one whose word has ended."""
        asked = self._clock.monotonic()
        card, version = self._read()
        now_ns = self._clock.now_ns()
        if card.owner not in {"", self._me} and card.until_ns > now_ns and not _is_gone(card):
            raise self._taken(card)
        mine = Card(self._me, socket.gethostname(), os.getpid(), now_ns + int(self._lease_s * _NS))
        try:
            self._cluster.call("PUT", self._path, msgspec.to_builtins(mine), version)
        except Refused as refused:
            if refused.status != 409:
                raise
            found, _ = self._read()
            if found.owner != self._me:  # else our own answer got lost on the way
                raise self._taken(found) from refused
        self._good_until = asked + self._lease_s * 0.9

    def _read(self) -> tuple[Card, dict[str, str | bool]]:
        """Return what the document says, and what makes a write fail when it has changed since."""
        try:
            told: dict[str, Any] = self._cluster.call("GET", self._path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return Card(), {"op_type": "create"}
        place = {"if_seq_no": str(told["_seq_no"]), "if_primary_term": str(told["_primary_term"])}
        return msgspec.convert(told["_source"], Card), dict(place)

    def _taken(self, card: Card) -> Retryable:
        who = f"process {card.pid} on {card.host}"
        return Retryable(
            f"another treering writes under the prefix {self._prefix!r}: {who}, until {format_ns(card.until_ns)}",
            hint="stop it, or give this one another prefix; reading needs no lease",
            retry_after_s=self._lease_s,
        )

    def _keep(self) -> None:
        while not self._stopping.wait(self._lease_s / 3):
            try:
                with self._lock:
                    if not self._stopping.is_set():
                        self._take()
                self.trouble.pop("lease", None)
            except (Retryable, Permanent) as error:
                self.trouble["lease"] = error.message

    def close(self) -> None:
        """Give it back, if it is held. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            if self._good_until == float("-inf"):
                return
            self._good_until = float("-inf")
            try:
                card, version = self._read()
                if card.owner == self._me:
                    version.pop("op_type", None)
                    self._cluster.call("DELETE", self._path, None, version, patience_s=1.0)
            except (Retryable, Permanent) as error:
                self.trouble["lease"] = error.message


def _is_gone(card: Card) -> bool:
    """Whether the writer was a process of this machine that has ended."""
    if card.host != socket.gethostname() or not card.pid:
        return False
    try:
        os.kill(card.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
