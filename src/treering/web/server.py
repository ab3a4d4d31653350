"""The HTTP server: one process, one event loop, several listeners.

The main listener must open. The conventional ports of protocols (4318, 9200) are a convenience: one that is taken
is a warning and a line in `treering doctor`, because somebody's real OpenSearch may well be running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import uvicorn
from msgspec import Meta

from treering.core.access import Access
from treering.core.config import Config
from treering.core.errors import UserError
from treering.web.application import Application, Site
from treering.web.budget import Budget
from treering.web.guard import Guard
from treering.web.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.core.telemetry import Telemetry
    from treering.stage.source import Route
    from treering.web.page import Page

_log = logging.getLogger("treering.web")
_BACKLOG = 512
_KEEP_ALIVE_S = 75


class HttpConfig(Config, frozen=True):
    """Bounds of the HTTP server."""

    max_body_bytes: Annotated[int, Meta(ge=1024, description="largest request body, packed or unpacked")] = 64 << 20
    in_flight_bytes: Annotated[int, Meta(ge=1024, description="bytes of request bodies in memory at once")] = 256 << 20
    wait_s: Annotated[float, Meta(gt=0, description="how long a request waits for its share of them")] = 20.0
    body_timeout_s: Annotated[float, Meta(gt=0, description="how long a body may take to arrive")] = 60.0
    stop_s: Annotated[float, Meta(gt=0, description="how long requests in flight may take at the stop")] = 15.0
    allowed_hosts: Annotated[tuple[str, ...], Meta(description="further names the server is called by")] = ()


@dataclass(slots=True)
class Listener:
    """An address and what is served there; `state` is `open`, or why it is not."""

    name: str
    host: str
    port: int
    routes: Sequence[Route]
    page: Page | None = None
    required: bool = False
    state: str = "closed"

    @property
    def address(self) -> str:
        """The address as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own idea of signals: whoever runs the loop decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class HttpServer:
    """A `Source`: opens the listeners, serves their routes, settles what is in flight when told to stop."""

    listeners: Sequence[Listener]
    telemetry: Telemetry
    access: Access = field(default_factory=Access)
    config: HttpConfig = field(default_factory=HttpConfig)
    _server: _Uvicorn | None = None
    _application: Application | None = None
    _running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open every listener. Raises `UserError` when a required one cannot be, or would be open to strangers."""
        config = self.config
        budget = Budget(config.in_flight_bytes, config.wait_s)
        self._application = Application(budget, self.telemetry, config.max_body_bytes, config.body_timeout_s)
        sockets = []
        try:
            for listener in self.listeners:
                self.access.require_for(listener.host)
                if (opened := _open(listener)) is not None:
                    sockets.append(opened)
                    guard = Guard(self.access, listener.host, config.allowed_hosts)
                    self._application.sites[listener.port] = Site(Router(listener.routes), guard, listener.page)
            self._server = _Uvicorn(_uvicorn_config(self._application, config.stop_s))
            self._running = asyncio.create_task(self._server.serve(sockets=sockets))
        except BaseException:
            for opened in sockets:
                opened.close()
            raise
        while not self._server.started and not self._running.done():  # noqa: ASYNC110  uvicorn has only this flag
            await asyncio.sleep(0.005)
        if self._running.done():
            await self._running

    async def stop(self) -> None:
        """Take no more requests, finish those in flight within `stop_s` seconds, close everything."""
        if self._server is None or self._running is None or self._application is None:
            return
        self._application.closing.set()
        self._server.should_exit = True
        running, self._running = self._running, None
        await running
        for listener in self.listeners:
            if listener.state == "open":
                listener.state = "closed"


def _uvicorn_config(application: Application, stop_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(stop_s)),
    )


def _open(listener: Listener) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((listener.host, listener.port))
    except OSError as error:
        opened.close()
        reason = error.strerror or str(error)
        if listener.required:
            raise UserError(
                f"cannot listen on {listener.address}: {reason.lower()}",
                hint="choose another with --port or listen.port",
            ) from error
        listener.state = reason.lower()
        _log.warning("%s is not served on %s: %s", listener.name, listener.address, listener.state)
        return None
    opened.setblocking(False)
    listener.port = opened.getsockname()[1]
    listener.state = "open"
    return opened
