"""The real application in a thread of the test: store, receivers, API, HTTP and gRPC on free ports."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import uvloop

from treering.app.config import Listen, Settings
from treering.app.pipeline import Pipeline
from treering.cli._serve import _http
from treering.core.errors import Retryable
from treering.receive import bulk, otlp_grpc
from treering.stage.source import NO_TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from treering.core.telemetry import Telemetry
    from treering.model.batch import Batch
    from treering.stage.store import Store
    from treering.web.server import HttpServer


@dataclass
class Answer:
    """What the server answered over a socket."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server:
    """A running application; use as a context manager."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        """Keep everything in `directory`; `settings` are those of `treering.toml`."""
        listen = settings.pop("listen", Listen(port=0, conventional=False))
        self.pipeline = Pipeline(Settings(data=str(directory), listen=listen, **settings))
        self.http: HttpServer
        self.busy = False
        self.refused = 0
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), daemon=True)  # as `treering up` does

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(30)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            with patch.object(bulk, "Config", partial(bulk.Config, patience_s=0)):  # tests have no time to be patient
                await self.pipeline.start()
            self._interpose()
            self.grpc = otlp_grpc.build(otlp_grpc.Config(port=0), self.pipeline.context, self.pipeline.access)
            await self.grpc.start()
            self.http = _http(self.pipeline)
            await self.http.start()
        except BaseException as error:  # noqa: BLE001  the test's thread raises it
            self._failure = error
            self._started.set()
            return
        self._started.set()
        await self._stopping.wait()
        await self.http.stop()
        await self.grpc.stop()
        await self.pipeline.stop()

    def _interpose(self) -> None:
        append = self.pipeline.sink.append

        async def guarded(batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
            if self.busy:
                self.refused += 1
                raise Retryable("the store is busy")
            return await append(batches, tombstones)

        self.pipeline.sink.append = guarded  # type: ignore[method-assign]

    @property
    def port(self) -> int:
        """The port of the main HTTP listener."""
        return self.http.listeners[0].port

    @property
    def url(self) -> str:
        """The address of the main HTTP listener."""
        return self.http.listeners[0].address

    @property
    def store(self) -> Store:
        """The store behind it."""
        return self.pipeline.store

    @property
    def telemetry(self) -> Telemetry:
        """Its books."""
        return self.pipeline.telemetry

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return all records of a stream as their senders wrote them, in their order."""
        found = self.store.records(stream, range(self.store.newest_seq() + 1))
        return [dict(found[seq]) for seq in sorted(found)]

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request with these headers and a content length."""
        return self.replay(method, path, [("Host", f"127.0.0.1:{self.port}"), *(headers or {}).items()], body)

    def replay(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """Send a request as recorded, header by header, over a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        names = {line.partition(":")[0].lower() for line in lines}
        if "transfer-encoding" in names:  # recorded without its chunks
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif "content-length" not in names and body:
            lines.append(f"Content-Length: {len(body)}")
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            response = http.client.HTTPResponse(connection, method=method)
            response.begin()
            with response:
                shown = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, shown, response.read())
