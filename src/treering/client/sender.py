"""`Sender`: spans and log records to a treering server, from a bounded queue by a thread of its own.

A program that uses it goes on whatever the server does: `span` and `log` encode, put into the queue and return. A queue
that is full drops what is new. A server that is down or busy is asked again with growing pauses; what it refuses for
good is dropped. All of it is counted. When the program ends, what is left has `exit_s` seconds to go out.
"""

from __future__ import annotations

import atexit
import http.client
import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from treering.client import otlp

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("treering.client")
ENDPOINT, TOKEN = "TREERING_ENDPOINT", "TREERING_TOKEN"
DEFAULT = "http://127.0.0.1:7600"
_PATHS = {"spans": "/v1/traces", "logs": "/v1/logs"}
_SHAPES = {
    "spans": (b'{"resourceSpans":[{"resource":', b',"scopeSpans":[', b'"spans":['),
    "logs": (b'{"resourceLogs":[{"resource":', b',"scopeLogs":[', b'"logRecords":['),
}
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_FAULTS = 5  # times that a status 500 is met with another try: something in the batch may be the cause
_LONGEST_PAUSE_S = 30.0
_WARN_S = 60.0
# A generator of its own: the program around us may have seeded the module's and count on what it draws.
_SPREAD = random.Random()  # noqa: S311  only so that senders do not march in step


class _Item(NamedTuple):
    signal: str
    scope: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a sender may hold and how long it may take."""

    max_items: int = 20_000
    max_bytes: int = 64 << 20
    batch: int = 500
    interval_s: float = 0.5
    timeout_s: float = 10.0
    exit_s: float = 3.0


class Sender:
    """Sends in the background. One per process and server is enough; see `shared`."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        token: str | None = None,
        service: str | None = None,
        resource: Mapping[str, Any] | None = None,
        bounds: Bounds = Bounds(),
    ) -> None:
        """Send to `endpoint` (`TREERING_ENDPOINT`, else this machine's port 7600) with `token` (`TREERING_TOKEN`).

        Raises `ValueError` for an endpoint that is no http or https address: that is a mistake to see at the start.
        """
        parts = urlsplit(endpoint or os.environ.get(ENDPOINT) or DEFAULT)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{endpoint!r} is not an http or https address")
        self.sent = self.dropped = self.refused = self.failures = 0
        self._parts, self._token = parts, token or os.environ.get(TOKEN)
        self._resource = otlp.resource(service, resource)
        self.bounds = bounds
        self._warned = -_WARN_S
        self._reset()
        _alive.add(self)

    def _reset(self) -> None:
        """Begin with nothing queued and no thread, as in the child of a fork."""
        self._queue: deque[_Item] = deque()
        self._size = self._busy = 0
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._hurry = threading.Event()

    def span(self, span: Mapping[str, Any], scope: str = "treering") -> bool:
        """Queue a span in OTLP's JSON form; return False when it was dropped. Never blocks, never raises."""
        return self._put("spans", scope, span)

    def log(self, record: Mapping[str, Any], scope: str = "treering") -> bool:
        """Queue a log record in OTLP's JSON form; return False when it was dropped. Never blocks, never raises."""
        return self._put("logs", scope, record)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything queued so far is sent or dropped, at most `timeout_s`; return whether it is."""
        until = time.monotonic() + timeout_s
        self._hurry.set()
        with self._lock:
            self._lock.notify_all()
            while self._queue or self._busy:
                left = until - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._lock.wait(min(left, 0.1))
        return True

    def close(self, timeout_s: float | None = None) -> None:
        """Send what is left within `timeout_s` (else `exit_s`) seconds, then drop the rest and end the thread."""
        self.flush(self.bounds.exit_s if timeout_s is None else timeout_s)
        with self._lock:
            self._closing = True
            self.dropped += len(self._queue)
            self._queue.clear()
            self._size = 0
            self._lock.notify_all()

    def _put(self, signal: str, scope: str, item: Mapping[str, Any]) -> bool:
        try:
            data = otlp.encode(item)
            with self._lock:
                full = len(self._queue) >= self.bounds.max_items or self._size + len(data) > self.bounds.max_bytes
                if full or self._closing:
                    self.dropped += 1
                    return False
                self._queue.append(_Item(signal, scope, data))
                self._size += len(data)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="treering-sender", daemon=True)
                    self._thread.start()
                if len(self._queue) == 1 or len(self._queue) >= self.bounds.batch:
                    self._lock.notify_all()
        except Exception:  # noqa: BLE001  the program comes first
            self.dropped += 1
            return False
        return True

    def _run(self) -> None:
        while not self._closing:
            batch = self._take()
            if not batch:
                continue
            try:
                self._deliver(batch)
            finally:
                with self._lock:
                    self._busy = 0
                    self._lock.notify_all()

    def _take(self) -> list[_Item]:
        """Return the next items of one kind: at once when there are many or somebody waits, else after a moment."""
        with self._lock:
            if not self._queue:
                self._hurry.clear()
                self._lock.wait()
                return []
            if len(self._queue) < self.bounds.batch and not self._hurry.is_set() and not self._closing:
                self._lock.wait(self.bounds.interval_s)
            if not self._queue:
                return []
            taken: list[_Item] = []
            signal = self._queue[0].signal
            while self._queue and len(taken) < self.bounds.batch and self._queue[0].signal == signal:
                taken.append(self._queue.popleft())
            self._size -= sum(len(item.data) for item in taken)
            self._busy = len(taken)
            return taken

    def _deliver(self, batch: list[_Item]) -> None:
        body = _body(self._resource, batch)
        pause, faults = 0.25, 0
        while not self._closing:
            try:
                status, wait = self._post(_PATHS[batch[0].signal], body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, wait = 503, 0.0
                self._warn(f"cannot reach {self._parts.geturl()}: {error}")
            if status < 300:
                self.sent += len(batch)
                return
            faults += status == 500
            if status not in _AGAIN or faults > _FAULTS:
                self.refused += len(batch)
                self._warn(f"{self._parts.geturl()} refused {len(batch)} items with status {status}")
                return
            self.failures += 1
            self._hurry.clear()
            self._pause(max(wait, pause * _SPREAD.uniform(0.8, 1.2)))
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        self.dropped += len(batch)

    def _pause(self, seconds: float) -> None:
        """Wait; a `flush` or `close` ends the wait, so that the last try is not minutes away."""
        until = time.monotonic() + min(seconds, _LONGEST_PAUSE_S)
        while not self._closing and not self._hurry.is_set() and (left := until - time.monotonic()) > 0:
            self._hurry.wait(min(left, 0.2))

    def _post(self, path: str, body: bytes) -> tuple[int, float]:
        parts = self._parts
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.bounds.timeout_s)
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            connection.request("POST", parts.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            after = answer.headers.get("retry-after", "")
            answer.read(65_536)
            return answer.status, float(after) if after.isdecimal() else 0.0
        finally:
            connection.close()

    def _warn(self, message: str) -> None:
        now = time.monotonic()
        if now - self._warned >= _WARN_S:
            self._warned = now
            _log.warning("%s (%d dropped so far)", message[:300], self.dropped)


def _body(resource: bytes, batch: list[_Item]) -> bytes:
    head, scopes, items = _SHAPES[batch[0].signal]
    grouped: dict[str, list[bytes]] = {}
    for item in batch:
        grouped.setdefault(item.scope, []).append(item.data)
    parts = [
        b'{"scope":' + otlp.encode({"name": scope}) + b"," + items + b",".join(held) + b"]}"
        for scope, held in grouped.items()
    ]
    return head + resource + scopes + b",".join(parts) + b"]}]}"


_alive: weakref.WeakSet[Sender] = weakref.WeakSet()
_shared: dict[tuple[str | None, str | None], Sender] = {}
_sharing = threading.Lock()


def shared(endpoint: str | None = None, token: str | None = None) -> Sender:
    """Return this process's sender to `endpoint`, made at the first call."""
    with _sharing:
        key = (endpoint, token)
        if key not in _shared:
            _shared[key] = Sender(endpoint, token=token)
        return _shared[key]


def _at_exit() -> None:
    until = time.monotonic() + max((sender.bounds.exit_s for sender in _alive), default=0.0)
    for sender in list(_alive):
        sender.close(max(0.0, min(sender.bounds.exit_s, until - time.monotonic())))


def _after_fork() -> None:
    global _sharing  # noqa: PLW0603  another thread of the parent may have held it
    _sharing = threading.Lock()
    for sender in list(_alive):
        sender._reset()  # noqa: SLF001  the parent's thread sends what the parent queued


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
