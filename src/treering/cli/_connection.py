"""To the data: through the server that owns the directory, or by opening the directory."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treering.app import owner
from treering.app.config import Settings, load
from treering.app.remote import Remote, refused
from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.stage.source import Response, Route


class Client(Protocol):
    """Calls operations of `/api/*`."""

    def get(self, path: str) -> Any:
        """Return the answer of `GET path`."""
        ...

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of `POST path`."""
        ...

    def download(self, path: str) -> bytes:
        """Return the bytes that `GET path` answers."""
        ...


def settings(config: Path | None, data: Path | None) -> Settings:
    """Return the settings in `config` (else `./treering.toml`), with the data directory that the command line names."""
    found = load(config)
    return found if data is None else msgspec.structs.replace(found, data=str(data))


def server(settings: Settings) -> Remote | None:
    """Return the running server of the data directory, or None."""
    found = owner.find(settings.directory)
    return None if found is None else Remote(found)


@contextmanager
def connected(settings: Settings) -> Iterator[Client]:
    """Give the running server, else the opened directory. Raises `UserError` when there is neither."""
    if (remote := server(settings)) is not None:
        yield remote
        return
    if not settings.directory.is_dir():
        raise UserError(
            f"no data directory {settings.directory}", hint="start one with `treering up`, or name it with --data"
        )
    from treering.app.pipeline import open_store

    store = open_store(settings)
    try:
        with _opened(store, settings) as client:
            yield client
    finally:
        store.close()


class Local:
    """The operations in this process, called as the server would call them."""

    def __init__(self, routes: list[Route]) -> None:
        """Call `routes`."""
        from treering.web.router import Router

        self._router = Router(routes)

    def get(self, path: str) -> Any:
        """Return the answer of `GET path`."""
        return self._call("GET", path, b"", "")

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of `POST path`."""
        return self._call("POST", path, msgspec.json.encode(body), str(body.get("query", "")))

    def _call(self, method: str, path: str, body: bytes, text: str) -> Any:
        answer = self._answer(method, path, body, text)
        return msgspec.json.decode(answer.body)

    def _answer(self, method: str, path: str, body: bytes, text: str) -> Response:
        from urllib.parse import parse_qsl

        from treering.stage.source import Request

        target, _, query = path.partition("?")
        route, params = self._router.find(method, target.encode())

        async def call() -> Response:
            return await route.handle(Request(method, target, params, dict(parse_qsl(query)), body=body))

        answer = asyncio.run(call())
        if answer.status >= 300:
            raise refused(answer.status, answer.body, None, text)
        return answer

    def download(self, path: str) -> bytes:
        """Return the bytes that `GET path` answers."""
        return self._answer("GET", path, b"", "").body


@contextmanager
def _opened(store: Any, settings: Settings) -> Iterator[Local]:
    from treering.api.routes import routes
    from treering.api.service import Service
    from treering.app.alerts import AlertDesk
    from treering.app.config import limits
    from treering.app.pipeline import open_desk, open_playbooks, open_templates
    from treering.core.clock import SystemClock
    from treering.core.telemetry import Telemetry

    clock = SystemClock()
    incidents = open_desk(settings, store, clock)
    alerts = AlertDesk(settings.alerts, store, clock, Telemetry(), settings.directory)
    try:
        services = Service(
            store,
            limits(settings),
            incidents=incidents,
            alerts=alerts,
            playbooks=open_playbooks(settings, store, clock),
            templates=open_templates(settings),
        )
        yield Local(routes(services))
    finally:
        alerts.stop()
        incidents.stop()
