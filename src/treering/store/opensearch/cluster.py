"""The nodes of a cluster over HTTP: connections kept open, another node when one fails, trying again for a while."""

from __future__ import annotations

import contextlib
import http.client
import random
import ssl
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from treering.core.errors import Permanent, Retryable, UserError
from treering.store.opensearch import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.store.opensearch.config import Config

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REST_S = 5.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_KEPT_CONNECTIONS = 8
_LONGEST_PATH = 3000
_SNIFF_S = 60.0

# A generator of its own: that of the module belongs to the program around us, which may have seeded it.
SPREAD = random.Random()  # noqa: S311  spreads retries, hides nothing

NO_PARAMS: dict[str, str | bool] = {}
# Indexes may come and go under a search.
LENIENT: dict[str, str | bool] = {"ignore_unavailable": True, "allow_no_indices": True}


class Refused(Permanent):
    """A node said no: `status`, the `kind` of the error as OpenSearch names it, and its reason as the message."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        """Keep what the node said."""
        super().__init__(f"OpenSearch refused: {reason} ({kind}, {status})")
        self.status = status
        self.kind = kind
        self.reason = reason


class Node:
    """One address, its idle connections, and until when it is left alone after a failure."""

    def __init__(self, url: str) -> None:
        """Keep the address. Raises `UserError` for what is none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError(f"{url!r} is not the address of a node", hint="as http://localhost:9200")
        if parts.username or parts.password:
            raise UserError("the address of a node holds a secret", hint="set user and password_env or password_file")
        self.url = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 9200)}"
        self.https = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.https else 9200)
        self.path = parts.path.rstrip("/")
        self.idle: deque[http.client.HTTPConnection] = deque()
        self.resting_until = 0.0

    def keep(self, connection: http.client.HTTPConnection, *, usable: bool) -> None:
        """Use a connection again, or close it."""
        if usable and len(self.idle) < _KEPT_CONNECTIONS:
            self.idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self.idle.pop().close()


class Cluster:
    """Sends requests; every method may be called from any thread."""

    def __init__(self, config: Config) -> None:
        """Keep the addresses and secrets; nothing is sent yet."""
        self._config = config
        self._nodes = [Node(url) for url in config.urls]
        self._tls = credentials.tls(config) if any(node.https for node in self._nodes) else None
        self._authorization = credentials.authorization(config)
        self._turn = 0
        self._sniffed = 0.0
        self._lock = threading.Lock()
        self.trouble: dict[str, str] = {}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, str | bool] = NO_PARAMS,
        *,
        patience_s: float | None = None,
    ) -> Any:
        """Send a request (`body`: an object, or bytes of lines) and return the decoded answer. Raises like `raw`."""
        found = self.raw(method, path, body, params, patience_s=patience_s)
        return msgspec.json.decode(found) if found else None

    def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, str | bool] = NO_PARAMS,
        *,
        patience_s: float | None = None,
    ) -> bytes:
        """Send a request and return the bytes of the answer.

        Goes on to other nodes, and tries again for `patience_s` seconds, when a node cannot be reached or is busy;
        then raises `Retryable`. Raises `Refused` when a node says no. Requests must bear being made twice.
        """
        text, headers = _encoded(body)
        target = path + (f"?{urlencode({key: _plain(value) for key, value in params.items()})}" if params else "")
        until = time.monotonic() + (self._config.patience_s if patience_s is None else patience_s)
        pause = _FIRST_PAUSE_S
        while True:
            found, wait_s = self._round(method, target, text, headers)
            if isinstance(found, bytes):
                return found
            pause = max(pause, wait_s)
            if time.monotonic() + pause > until:
                raise found
            time.sleep(pause * SPREAD.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _round(
        self, method: str, target: str, text: bytes | None, headers: Mapping[str, str]
    ) -> tuple[bytes | Retryable, float]:
        """Ask the nodes in turn; returns the answer, or the trouble of the last one and how long it asked to wait."""
        trouble: tuple[Retryable, float] = Retryable("no node of OpenSearch was asked"), 0.0
        for node in self._order():
            try:
                status, found, after = self._exchange(node, method, target, text, headers)
            except (OSError, http.client.HTTPException) as error:
                self._rest(node, error)
                trouble = Retryable(f"cannot reach OpenSearch at {node.url}: {_said(error)}"), 0.0
                continue
            self.trouble.pop(node.url, None)
            if status == 401 and self._renewed():
                return self._round(method, target, text, headers)
            if status not in AGAIN:
                return _answer(status, found), 0.0
            trouble = (
                Retryable(f"OpenSearch at {node.url} is busy: {_reason(status, found)[1]}", retry_after_s=2),
                after,
            )
            if status == 429:
                break
        return trouble

    def _renewed(self) -> bool:
        """Read the secret anew; returns whether it is another one."""
        fresh = credentials.authorization(self._config)
        changed, self._authorization = fresh != self._authorization, fresh
        return changed

    def _order(self) -> list[Node]:
        if self._config.sniff and time.monotonic() - self._sniffed > _SNIFF_S:
            self._sniffed = time.monotonic()
            with contextlib.suppress(Retryable, Permanent):
                self._sniff()
        with self._lock:
            self._turn += 1
            turn = self._turn % len(self._nodes)
            nodes = self._nodes[turn:] + self._nodes[:turn]
        now = time.monotonic()
        # Those that failed a moment ago are asked only when no other can.
        return sorted(nodes, key=lambda node: node.resting_until > now)

    def _sniff(self) -> None:
        told = self.call("GET", "/_nodes/http", patience_s=0)
        scheme = "https" if self._nodes[0].https else "http"
        found = [node["http"]["publish_address"] for node in told.get("nodes", {}).values() if "http" in node]
        with self._lock:
            known = {node.url for node in self._nodes}
            fresh = [Node(f"{scheme}://{address.rpartition('/')[2]}") for address in found]
            self._nodes += [node for node in fresh if node.url not in known]

    def _rest(self, node: Node, error: Exception) -> None:
        node.resting_until = time.monotonic() + _REST_S
        self.trouble[node.url] = _said(error)
        node.close()

    def _exchange(
        self, node: Node, method: str, target: str, text: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        """Return status, body and the seconds that Retry-After asks for."""
        while True:
            connection, kept = self._connection(node)
            try:
                secret = {"Authorization": self._authorization} if self._authorization else {}
                connection.request(method, node.path + target, text, {**headers, **secret})
                answer = connection.getresponse()
                found = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and not isinstance(error, TimeoutError):
                    continue  # the node closed it while it was idle
                raise
            node.keep(connection, usable=not answer.will_close)
            return answer.status, found, _seconds(answer.getheader("Retry-After"))

    def _connection(self, node: Node) -> tuple[http.client.HTTPConnection, bool]:
        with contextlib.suppress(IndexError):
            return node.idle.pop(), True
        if node.https:
            return http.client.HTTPSConnection(
                node.host, node.port, timeout=self._config.timeout_s, context=self._tls
            ), False
        return http.client.HTTPConnection(node.host, node.port, timeout=self._config.timeout_s), False

    def close(self) -> None:
        """Close the idle connections."""
        for node in self._nodes:
            node.close()


def named(*names: str) -> str:
    """Return index names as a part of a path."""
    return quote(",".join(names), safe=",*-_.~")


def parts(names: Sequence[str]) -> Iterator[str]:
    """Yield index names as parts of paths, as many at a time as nodes take in one line (4,096 bytes)."""
    part: list[str] = []
    for name in names:
        if part and len(named(*part, name)) > _LONGEST_PATH:
            yield named(*part)
            part = []
        part.append(name)
    if part:
        yield named(*part)


def _encoded(body: Any) -> tuple[bytes | None, dict[str, str]]:
    headers = {"Accept": "application/json"}
    if body is None:
        return None, headers
    headers["Content-Type"] = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
    return (body if isinstance(body, bytes) else msgspec.json.encode(body)), headers


def _plain(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(text: str | None) -> float:
    try:
        return min(float(text or 0), _LONGEST_PAUSE_S)
    except ValueError:
        return 0.0


def _answer(status: int, found: bytes) -> bytes:
    if status < 400:
        return found
    kind, reason = _reason(status, found)
    if status in {401, 403}:
        raise Retryable(f"OpenSearch does not let treering in: {reason}", hint="see its credentials")
    raise Refused(status, kind, reason)


def _reason(status: int, found: bytes) -> tuple[str, str]:
    """Return kind and reason of an error as a node told it."""
    try:
        error = msgspec.json.decode(found).get("error", {})
    except (msgspec.DecodeError, AttributeError):
        return "error", f"status {status}"
    if not isinstance(error, dict):
        return "error", str(error)[:300]
    causes = [error, *error.get("root_cause", []), error.get("caused_by") or {}]
    reason = next((cause["reason"] for cause in reversed(causes) if cause.get("reason")), f"status {status}")
    return str(error.get("type", "error")), str(reason)[:300]


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
