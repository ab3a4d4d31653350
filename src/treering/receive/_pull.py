"""What sources that ask somebody else have in common: bounded requests, secrets, a pace, a state to show."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import logging
import os
import ssl
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from treering.core.errors import Permanent, Retryable, TreeringError, UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger("treering.receive")
MAX_ANSWER = 64 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, type and body, unpacked."""

    status: int
    kind: str
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON. Raises `Permanent` when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Permanent("the answer is not json") from error


def secret(text: str) -> str:
    """Return a secret of the configuration: `$NAME` stands for an environment variable. Raises `UserError`."""
    if not text.startswith("$"):
        return text
    found = os.environ.get(text[1:], "")
    if not found:
        raise UserError(f"the environment variable {text[1:]} is not set")
    return found


def check_url(url: str) -> str:
    """Return `url` without a slash at its end. Raises `UserError` unless it is http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url[:100]!r} is not an http or https address")
    return url.rstrip("/")


def may_have_secret(url: str, home: str) -> bool:
    """Whether a secret for `home` may go to `url`, which somebody's answer named: same domain, and not in the clear."""
    there, here = urlsplit(url), urlsplit(home)
    host, at_home = there.hostname or "", here.hostname or ""
    if host == at_home:
        return there.scheme == "https" or here.scheme == "http"
    domain = at_home.split(".")[-2:]
    named = len(domain) == 2 and not at_home.replace(".", "").isdigit()
    return there.scheme == "https" and named and host.split(".")[-2:] == domain


def ask(
    url: str,
    headers: Mapping[str, str],
    timeout_s: float,
    *,
    method: str = "GET",
    body: bytes = b"",
    ca: str = "",
) -> Answer:
    """Return the answer of `url`; redirects are not followed, so that secrets stay where they were meant for.

    Raises `Retryable` when nobody answers, `Permanent` for an answer beyond 64 MiB.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    context = ssl.create_default_context(cafile=ca or None) if parts.scheme == "https" else None
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if context is not None:
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    try:
        connection.request(method, target, body or None, {"accept-encoding": "gzip", **headers})
        answer = connection.getresponse()
        data = answer.read(MAX_ANSWER + 1)
        if answer.headers.get("content-encoding", "") == "gzip":
            data = _unpacked(data)
    except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
        raise Retryable(f"no answer from {parts.netloc}: {error}") from error
    finally:
        connection.close()
    if len(data) > MAX_ANSWER:
        raise Permanent(f"the answer of {parts.netloc} is larger than {MAX_ANSWER} bytes")
    return Answer(answer.status, answer.headers.get("content-type", ""), data)


def _unpacked(data: bytes) -> bytes:
    inflater = zlib.decompressobj(31)
    out = inflater.decompress(data, MAX_ANSWER + 1)
    if not inflater.eof and len(out) <= MAX_ANSWER:
        raise gzip.BadGzipFile("it ends too early")
    return out


def ok(answer: Answer, what: str) -> Answer:
    """Return an answer of success. Raises `Permanent` or `Retryable` for another."""
    if answer.status < 300:
        return answer
    kind = Retryable if answer.status in (408, 425, 429) or answer.status >= 500 else Permanent
    raise kind(f"{what} answered {answer.status}")


@dataclass(slots=True)
class Rounds:
    """A `Source` that does the same again and again; what goes wrong is its state, and a warning when it changes."""

    name: str
    address: str
    every_s: float
    work: Callable[[], Awaitable[None]]
    state: str = "closed"
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> tuple[str, str, str]:
        """Name, address and state, for `treering doctor`."""
        return self.name, self.address, self.state

    async def start(self) -> None:
        """Begin with the first round at once."""
        self.state = "open"
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the round under way, if it ends within ten seconds."""
        self._stopping.set()
        if self._task is not None:
            _, late = await asyncio.wait((self._task,), timeout=10)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            self._task = None
        self.state = "closed"

    @property
    def stopping(self) -> bool:
        """Whether the source has been told to stop."""
        return self._stopping.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait, or return at once when the source stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _run(self) -> None:
        while not self.stopping:
            try:
                await self.work()
                self._say("open")
            except TreeringError as error:
                self._say(f"failing: {error.message}")
            except Exception as error:  # noqa: BLE001  the next round may go well
                self._say(f"failing: {repr(error)[:200]}")
                _log.exception("%s", self.name)
            await self.pause(self.every_s)

    def _say(self, state: str) -> None:
        if state not in ("open", self.state):
            _log.warning("%s %s: %s", self.name, self.address, state)
        self.state = state
