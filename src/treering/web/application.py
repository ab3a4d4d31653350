"""The ASGI application: from the server's events to a route's `Request` and back.

A plain function of the ASGI specification (asgi.readthedocs.io) rather than a framework's stack of middleware: at
50,000 records a second every layer between socket and receiver costs.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from treering.core import encoding
from treering.core.errors import DecodeError, Permanent, Retryable, TreeringError, UserError
from treering.stage.source import Request, Response
from treering.web.guard import HEADERS
from treering.web.leaving import Gone, while_here
from treering.web.problem import Problem
from treering.web.router import Router
from treering.web.stream import send_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from treering.core.telemetry import Telemetry
    from treering.stage.source import Route
    from treering.web.budget import Budget
    from treering.web.guard import Guard
    from treering.web.page import Page

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_INLINE_BYTES = 16_384
_MAX_PARAMS = 256
_log = logging.getLogger("treering.web")


@dataclass(slots=True)
class Site:
    """What one listener serves, and to whom."""

    router: Router
    guard: Guard
    page: Page | None = None


@dataclass(slots=True)
class Application:
    """Answers the requests of all listeners; `sites` is by port."""

    budget: Budget
    telemetry: Telemetry
    max_body: int
    body_timeout_s: float
    sites: dict[int, Site] = field(default_factory=dict)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection scope."""
        if scope["type"] != "http":
            return
        async with AsyncExitStack() as stack:
            try:
                response = await self._respond(scope, receive, stack)
            except Gone:
                self._count("gone")
                return
            except Problem as problem:
                self._count(str(problem.status))
                response = problem.response()
            except TreeringError as error:
                response = _error_response(error)
            except Exception:  # noqa: BLE001  the last line of defence: logged, answered 500, the server goes on
                _log.exception("%s %s failed", scope["method"], scope["path"])
                response = Problem(500, "treering failed on this request; its log says why").response()
            await _send(scope["method"], response, receive, send, self.closing)

    async def _respond(self, scope: Scope, receive: Receive, stack: AsyncExitStack) -> Response:
        site = self.sites[scope["server"][1]]
        method = scope["method"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(method, scope["path"], {}, _query(scope["query_string"]), headers)
        if site.page is not None and (found := site.page.answer(request)) is not None:
            site.guard.check(method, headers, "viewer")
            return found
        route, params = _find(site, method, scope, headers)
        site.guard.check(method, headers, route.role)
        body = await self._body(headers, receive, stack)
        asked = Request(method, scope["path"], params, request.query, headers, body)
        return await (while_here(route.handle(asked), receive) if route.reads else route.handle(asked))

    async def _body(self, headers: Mapping[str, str], receive: Receive, stack: AsyncExitStack) -> bytes:
        """Return the body, whole and unpacked, for as long as `stack` is open."""
        declared = headers.get("content-length")
        if declared is None and "transfer-encoding" not in headers:
            return b""
        size = self._declared(declared)
        if size == 0:
            return b""
        await stack.enter_async_context(self.budget.hold(self.max_body if size is None else size))
        try:
            async with asyncio.timeout(self.body_timeout_s):
                body = await self._read(receive)
        except TimeoutError:
            raise Problem(408, f"the body did not arrive within {self.body_timeout_s:g} seconds") from None
        coding = headers.get("content-encoding", "")
        if not coding or not body:
            return body
        if len(body) < _INLINE_BYTES:
            return _unpack(coding, body, self.max_body)
        return await asyncio.to_thread(_unpack, coding, body, self.max_body)

    def _declared(self, length: str | None) -> int | None:
        if length is None:
            return None
        if not length.isdecimal():
            raise Problem(400, "content-length is not a number")
        if int(length) > self.max_body:
            raise Problem(413, f"the body is larger than {self.max_body} bytes")
        return int(length)

    async def _read(self, receive: Receive) -> bytes:
        # Where this refuses, the server goes on reading and forgetting the rest: a sender that meets a closed
        # connection instead of the 413 would try the same body again.
        parts: list[bytes] = []
        total = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise Gone
            part = event.get("body", b"")
            total += len(part)
            if total > self.max_body:
                raise Problem(413, f"the body is larger than {self.max_body} bytes")
            parts.append(part)
            if not event.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _count(self, reason: str) -> None:
        self.telemetry.add("treering_http_refused_total", reason=reason)


def _unpack(coding: str, body: bytes, limit: int) -> bytes:
    try:
        return encoding.unpack(coding, body, limit)
    except encoding.UnknownEncoding as error:
        raise Problem(415, error.message, {"accept-encoding": ", ".join(encoding.KNOWN)}) from error
    except encoding.TooLarge as error:
        raise Problem(413, error.message) from error
    except DecodeError as error:
        raise Problem(400, error.message) from error


def _find(site: Site, method: str, scope: Scope, headers: Mapping[str, str]) -> tuple[Route, Mapping[str, str]]:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    try:
        return site.router.find(method, raw.partition(b"?")[0])
    except Problem:
        site.guard.check(method, headers, "viewer")  # strangers do not learn which paths there are
        raise


def _query(raw: bytes) -> Mapping[str, str]:
    if not raw:
        return {}
    try:
        text = raw.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMS, errors="replace"))
    except ValueError:
        raise Problem(400, "unreadable query string") from None


def _error_response(error: TreeringError) -> Response:
    """Answer for a route that let an error through: 400 the caller's mistake, 503 later, 500 ours."""
    headers = {"content-type": "application/json"}
    status = 500
    if isinstance(error, Retryable):
        status = 503
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, UserError):
        status = 400
    elif isinstance(error, Permanent):
        status = 507
    return Response(status, msgspec.json.encode({"error": error.as_dict()}), headers)


async def _send(method: str, response: Response, receive: Receive, send: Send, closing: asyncio.Event) -> None:
    headers = {**HEADERS, **response.headers}
    if response.stream is None:
        headers.setdefault("content-length", str(len(response.body)))
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.lower().encode("latin-1"), _value(value)) for name, value in headers.items()],
        }
    )
    if response.stream is not None:
        await send_stream(response.stream, receive, send, closing)
        return
    body = b"" if method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})


def _value(text: str) -> bytes:
    return text.encode("latin-1", errors="replace").replace(b"\r", b" ").replace(b"\n", b" ")
