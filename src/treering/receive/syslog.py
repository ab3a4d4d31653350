"""Syslog over UDP and TCP on one port: RFC 3164, RFC 5424, and what programs make of them.

Over TCP a store that is busy holds the sender back: nothing more is read until what was read is stored. UDP cannot be
held back: datagrams beyond a bounded queue are dropped, and counted as dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import Retryable, TreeringError, UserError
from treering.model.batch import batch
from treering.parse.formats import syslog
from treering.parse.messages import decoded, records
from treering.parse.records import surround
from treering.parse.times import TimeParser
from treering.receive._frames import Frames
from treering.receive._intake import off_loop
from treering.stage.parser import Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.batch import Batch
    from treering.parse.messages import Message
    from treering.stage.source import Context

NAME = "syslog"
_log = logging.getLogger("treering.receive")
_READ = 256 << 10
_TOGETHER = 5_000  # datagrams stored at once
_DRAIN_S = 10.0  # how long the stop waits for the store


class Config(BaseConfig, frozen=True):
    """Address and bounds of the syslog port."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="port for UDP and TCP; 0 takes a free one")] = 5514
    into: Annotated[str, Meta(description="the stream that gets the records")] = "logs"
    connections: Annotated[int, Meta(ge=1, description="TCP connections at once")] = 512
    queue_bytes: Annotated[int, Meta(ge=1024, description="bytes of datagrams that may wait for the store")] = 16 << 20
    retry_s: Annotated[float, Meta(gt=0, description="pause before a busy store is asked again")] = 0.25


def build(config: Config, context: Context) -> Syslog:
    """Return the source; nothing listens before its `start`."""
    return Syslog(config, context)


class Syslog:
    """A `Source` on one UDP and one TCP port."""

    def __init__(self, config: Config, context: Context) -> None:
        """Listen as `config` says, store through `context`."""
        self.port = config.port
        self.state = "closed"
        self._config = config
        self._context = context
        self._server: asyncio.Server | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._datagrams = _Datagrams(config.queue_bytes, self._overflow)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @property
    def address(self) -> str:
        """The address that senders are given."""
        return f"{self._config.host}:{self.port}"

    @property
    def listening(self) -> tuple[str, str, str]:
        """Name, address and state, for `treering doctor`."""
        return "syslog", self.address, self.state

    async def start(self) -> None:
        """Open both ports; one that is taken is a warning."""
        loop = asyncio.get_running_loop()
        try:
            stream, datagram = _sockets(self._config.host, self._config.port)
        except OSError as error:
            self.state = (error.strerror or str(error)).lower()
            _log.warning("syslog is not served on %s: %s", self.address, self.state)
            return
        self.port = stream.getsockname()[1]
        self._server = await asyncio.start_server(self._connected, sock=stream, limit=_READ)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self._datagrams, sock=datagram)
        self._spawn(self._drain())
        self.state = "open"

    async def stop(self) -> None:
        """Take in no more, and store what has been read if the store takes it within ten seconds."""
        if self._server is None:
            return
        self._server.close()
        self._stopping.set()
        if self._transport is not None:
            self._transport.close()
        self._datagrams.arrived.set()
        _, late = await asyncio.wait(self._tasks, timeout=_DRAIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._server, self.state = None, "closed"

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) > self._config.connections or self._stopping.is_set():
            self._context.telemetry.add("treering_refused_requests_total", receiver=NAME, reason="connections")
            writer.close()
            return
        self._spawn(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        try:
            while data := await self._read(reader):
                cut = frames.feed(data)
                await self._store(cut.frames, cut.rejected)
        except OSError:
            pass  # the sender is gone; what it has sent counts
        finally:
            left = frames.end()
            await self._store(left.frames, left.rejected)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return the next bytes; none at the end of the connection or when the source stops."""
        reading = asyncio.ensure_future(reader.read(_READ))
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if reading.done():
            return reading.result()
        reading.cancel()
        return b""

    async def _drain(self) -> None:
        while not self._stopping.is_set() or self._datagrams.waiting:
            await self._datagrams.arrived.wait()
            await self._store(self._datagrams.take(_TOGETHER), [])

    def _overflow(self) -> None:
        self._context.telemetry.received(NAME, 1)
        self._context.telemetry.dropped(NAME, 1, "queue full")

    async def _store(self, frames: Sequence[bytes], rejected: Sequence[str]) -> None:
        """Store messages, asking a busy store again and again."""
        telemetry = self._context.telemetry
        telemetry.received(NAME, len(frames) + len(rejected))
        for reason in rejected:
            telemetry.rejected(NAME, 1, reason)
        if not frames:
            return
        left = len(frames)
        try:
            now = self._context.clock.now_ns()
            made = await off_loop(sum(map(len, frames)), lambda: self._batch(frames, now))
            await self._append(made)
            telemetry.stored(NAME, left)
            left = 0
        except TreeringError as error:
            telemetry.rejected(NAME, left, "store refused")
            left = 0
            _log.warning("syslog: %s", error.message)
        except Exception:  # noqa: BLE001  one batch is lost and counted; the port goes on listening
            _log.exception("storing syslog messages")
            telemetry.dropped(NAME, left, "failed")
            left = 0
        finally:
            telemetry.dropped(NAME, left, "stopped while the store was busy")

    async def _append(self, made: Batch) -> None:
        while True:
            try:
                await self._context.sink.append([made])
            except Retryable:
                await asyncio.sleep(self._config.retry_s)
            else:
                return

    def _batch(self, frames: Sequence[bytes], now: int) -> Batch:
        return batch(self._config.into, parse(frames, now), received_ns=now)


def parse(frames: Sequence[bytes], now_ns: int) -> list[dict[str, Any]]:
    """Return the record of each message; one without a priority is text, as RFC 3164 has it."""
    texts = [decoded(frame) for frame in frames]
    times = TimeParser(reference_ns=now_ns)
    messages: list[Message] = []
    for (text, around), entry in zip(texts, syslog.parse([text for text, _ in texts], times), strict=True):
        if isinstance(entry, Wrapped):
            messages.append((surround(around, entry.outer) if around else entry.outer, entry.payload))
        else:
            messages.append((around, text))
    return records(messages, now_ns)


class _Datagrams(asyncio.DatagramProtocol):
    """Datagrams that wait for the store, up to a number of bytes."""

    def __init__(self, limit: int, overflow: Any) -> None:
        self.arrived = asyncio.Event()
        self.waiting: list[bytes] = []
        self._limit = limit
        self._size = 0
        self._overflow = overflow

    def datagram_received(self, data: bytes, _address: Any) -> None:
        """Keep a message, or have it counted as dropped."""
        message = data.strip(b"\0\r\n")
        if not message:
            return
        if self._size + len(message) > self._limit:
            self._overflow()
            return
        self._size += len(message)
        self.waiting.append(message)
        self.arrived.set()

    def take(self, count: int) -> list[bytes]:
        """Return the oldest messages, at most `count`."""
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        self._size -= sum(map(len, taken))
        if not self.waiting:
            self.arrived.clear()
        return taken


def _sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return bound sockets for TCP and UDP with one port number. Raises `OSError` when either is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in range(20):
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stream.bind((host, port))
            with contextlib.suppress(OSError):
                datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            datagram.bind((host, stream.getsockname()[1]))
        except OSError:
            stream.close()
            datagram.close()
            if port or attempt == 19:
                raise
            continue
        stream.setblocking(False)
        datagram.setblocking(False)
        return stream, datagram
    raise UserError(f"no free port on {host}")
