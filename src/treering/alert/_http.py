"""One HTTP request to a receiver: bounded in time and size, no redirects, errors without secrets."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from treering.core.errors import Permanent, Retryable, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_ANSWER = 1 << 20
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Endpoint:
    """A URL that deliveries go to; its text may be a secret and never leaves this object."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Keep `url`; a whole request may take `timeout_s` seconds. Raises `UserError` for what is no HTTP URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError("the url of a receiver begins with http:// or https:// and names a host")
        self._https = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_s = timeout_s

    def post(self, body: bytes, headers: Mapping[str, str], path: str = "") -> bytes:
        """Send `body` and return the answer's. Raises `Retryable` (with what Retry-After says) or `Permanent`."""
        return self.send("POST", body, headers, path)

    def get(self, path: str) -> bytes:
        """Return the body of `GET`. Raises like `post`."""
        return self.send("GET", b"", {}, path)

    def send(self, method: str, body: bytes, headers: Mapping[str, str], path: str = "") -> bytes:
        """Send one request over a connection of its own and return the answer's body. Raises like `post`.

        The connection is cut when the time is up, so that a receiver that answers one byte a second holds nobody.
        """
        connection = self._connection()
        over = threading.Event()
        clock = threading.Timer(self._timeout_s, _cut, (connection, over))
        clock.daemon = True
        clock.start()
        try:
            connection.request(
                method, self._path.rstrip("/") + path if path else self._path, body or None, dict(headers)
            )
            answer = connection.getresponse()
            content = answer.read(_MOST_ANSWER)
            status, wait = answer.status, answer.getheader("retry-after")
        except TimeoutError as error:
            raise Retryable(f"no answer within {self._timeout_s:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"within {self._timeout_s:g} s" if over.is_set() else type(error).__name__
            raise Retryable(f"no answer: {why}") from error
        finally:
            clock.cancel()
            connection.close()
        if over.is_set():  # what was read until the cut may look whole
            raise Retryable(f"no whole answer within {self._timeout_s:g} s")
        _judge(status, wait)
        return content

    def _connection(self) -> http.client.HTTPConnection:
        if self._https:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _cut(connection: http.client.HTTPConnection, over: threading.Event) -> None:
    over.set()
    if (opened := connection.sock) is not None:
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def _judge(status: int, wait: str | None) -> None:
    if 200 <= status < 300:
        return
    if status in _AGAIN:
        raise Retryable(f"the receiver answered {status}", retry_after_s=retry_after(wait))
    if 300 <= status < 400:
        raise Permanent(f"the receiver answered {status}: redirects are not followed")
    raise Permanent(f"the receiver answered {status}")


def retry_after(text: str | None) -> float:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), 0 when it asks for nothing."""
    if not text:
        return 0.0
    if text.strip().isdigit() and len(text) < 9:
        return float(text)
    from datetime import UTC, datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
