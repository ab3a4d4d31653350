"""Unary gRPC calls over HTTP/2, as grpc/doc/PROTOCOL-HTTP2.md describes them, on the h2 library.

What gRPC's own server does not have, and senders use: messages packed with zstd or snappy. One message comes in, one
goes out; streaming calls, TLS and HTTP/1.1 are not spoken here.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from treering.core import encoding
from treering.core.errors import DecodeError
from treering.receive._intake import off_loop

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    Handle = Callable[[str, Mapping[str, str], bytes], Awaitable[bytes]]

# google.rpc.Code
DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 4, 7, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED, INVALID_ARGUMENT = 12, 13, 14, 16, 3
CODINGS = ("identity", *encoding.KNOWN)
_log = logging.getLogger("treering.receive")
_PREFACE = b"PRI * HTTP/2.0"
_PREFIX = 5  # one byte that says whether the message is packed, four of its length
_WINDOW = 1 << 20
_CONNECTION_WINDOW = 16 << 20
_CALLS = 100  # of one connection at once
_CONNECTIONS = 512
_UNREAD = 1 << 20
_HTTP1 = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
    b"this port speaks gRPC; OTLP over HTTP has its own\n"
)


class Failure(Exception):  # noqa: N818  an answer, not a fault
    """A status other than OK; `details` is a serialised `google.rpc.Status`."""

    def __init__(self, code: int, message: str, details: bytes = b"") -> None:
        """Keep the status to answer with."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much strangers may use. `busy` makes the failure for a call that would take more than `in_flight_bytes`."""

    message_bytes: int
    in_flight_bytes: int
    busy: Callable[[], Failure]
    receive_s: float = 60.0


@dataclass(slots=True)
class _Stream:
    path: str
    headers: Mapping[str, str]
    timer: asyncio.TimerHandle
    body: bytearray = field(default_factory=bytearray)


class GrpcServer:
    """Listens on a bound socket and gives each call's path, metadata and message to `handle`."""

    def __init__(self, handle: Handle, bounds: Bounds) -> None:
        """Keep what to call; `handle` raises `Failure` for any status but OK."""
        self.handle = handle
        self.bounds = bounds
        self.held = 0
        self.stopping = False
        self.calls: set[asyncio.Task[None]] = set()
        self.connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve what connects to `listening`."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Connection(self), sock=listening)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, wait up to `grace_s` seconds for those in work, close every connection."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        if self.calls:
            await asyncio.wait(self.calls, timeout=grace_s)
        for connection in list(self.connections):
            connection.end()

    def room(self, more: int) -> None:
        """Raise the failure for a call that would take the server above its bounds."""
        if self.stopping or (self.held and self.held + more > self.bounds.in_flight_bytes):
            raise self.bounds.busy()


class _Connection(asyncio.Protocol):
    """One client's connection and its calls."""

    def __init__(self, server: GrpcServer) -> None:
        self._server = server
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._streams: dict[int, _Stream] = {}
        self._unsent: dict[int, bytes] = {}
        self._running = 0
        self._begun = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of uvloop, which has classes of its own
        self._transport.set_write_buffer_limits(high=_UNREAD)
        if len(self._server.connections) >= _CONNECTIONS:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_CONCURRENT_STREAMS: _CALLS,
                SettingCodes.MAX_HEADER_LIST_SIZE: 16_384,
            }
        )
        # Sent with the first answer: a client of HTTP/1.1 must not be greeted with HTTP/2.
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the protocol's signature
        self._server.connections.discard(self)
        for number in list(self._streams):
            self._forget(number)

    def pause_writing(self) -> None:
        # Answers are a few bytes: a client that leaves a megabyte of them unread is up to no good.
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if len(self._begun) < len(_PREFACE):
            self._begun += data[: len(_PREFACE)]
            if not _PREFACE.startswith(self._begun[: len(_PREFACE)]):
                self._transport.write(_HTTP1)
                self._transport.close()
                return
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except ProtocolError:
            self._flush()
            self._transport.close()
            return
        self._flush()

    def end(self) -> None:
        """Say goodbye and close."""
        self._h2.close_connection()
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and not self._transport.is_closing():
            self._transport.write(data)

    def _take(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._more(event)
        elif isinstance(event, RequestReceived):
            self._open(event)
        elif isinstance(event, StreamEnded):
            self._ended(event.stream_id)
        elif isinstance(event, StreamReset):
            self._forget(event.stream_id)
            self._unsent.pop(event.stream_id, None)
        elif isinstance(event, WindowUpdated):
            for number in [event.stream_id] if event.stream_id else list(self._unsent):
                self._send_rest(number)
        elif isinstance(event, ConnectionTerminated):
            self._transport.close()

    def _open(self, event: RequestReceived) -> None:
        assert event.stream_id is not None
        headers = {str(name): str(value) for name, value in event.headers or ()}
        number = event.stream_id
        if not headers.get("content-type", "").startswith("application/grpc"):
            self._h2.send_headers(number, [(":status", "415"), ("content-length", "0")], end_stream=True)
            self._h2.reset_stream(number, ErrorCodes.NO_ERROR)
            return
        loop = asyncio.get_running_loop()
        late = Failure(
            DEADLINE_EXCEEDED, f"the message did not arrive within {self._server.bounds.receive_s:g} seconds"
        )
        timer = loop.call_later(self._server.bounds.receive_s, self._refuse, number, late)
        self._streams[number] = _Stream(headers.get(":path", ""), headers, timer)

    def _more(self, event: DataReceived) -> None:
        number = event.stream_id
        assert number is not None
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
        if (stream := self._streams.get(number)) is None:
            return
        data = event.data or b""
        bounds = self._server.bounds
        try:
            if len(stream.body) + len(data) > bounds.message_bytes + _PREFIX:
                raise Failure(RESOURCE_EXHAUSTED, f"the message is larger than {bounds.message_bytes} bytes")
            self._server.room(len(data))
        except Failure as failure:
            self._refuse(number, failure)
            return
        stream.body += data
        self._server.held += len(data)

    def _ended(self, number: int) -> None:
        if (stream := self._forget(number)) is None:
            return
        if self._running >= _CALLS:  # also counts calls whose streams the client has reset
            self._answer(number, self._server.bounds.busy())
            return
        self._running += 1
        task = asyncio.ensure_future(self._call(number, stream))
        self._server.calls.add(task)
        task.add_done_callback(self._called)

    def _called(self, task: asyncio.Task[None]) -> None:
        self._running -= 1
        self._server.calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a gRPC call failed", exc_info=error)

    async def _call(self, number: int, stream: _Stream) -> None:
        server, held = self._server, 0
        try:
            server.room(len(stream.body))
            coding = stream.headers.get("grpc-encoding", "identity")
            message = await off_loop(
                len(stream.body), lambda: _message(stream.body, coding, server.bounds.message_bytes)
            )
            server.room(len(message))
            held = len(message)
            server.held += held
            answer: bytes | Failure = await server.handle(stream.path, stream.headers, message)
        except Failure as failure:
            answer = failure
        except Exception:  # noqa: BLE001  the caller must hear of a bug, too
            _log.exception("a gRPC call failed")
            answer = Failure(INTERNAL, "treering failed on this request; its log says why")
        finally:
            server.held -= held
        self._answer(number, answer)
        self._flush()

    def _forget(self, number: int) -> _Stream | None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.timer.cancel()
            self._server.held -= len(stream.body)
        return stream

    def _refuse(self, number: int, failure: Failure) -> None:
        """Answer before the message is whole, and let the rest of it go by."""
        self._forget(number)
        self._answer(number, failure, reset=True)
        self._flush()

    def _answer(self, number: int, answer: bytes | Failure, *, reset: bool = False) -> None:
        head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-accept-encoding", ",".join(CODINGS))]
        try:
            if isinstance(answer, Failure):
                self._h2.send_headers(number, head + _trailers(answer), end_stream=True)
                if reset:
                    self._h2.reset_stream(number, ErrorCodes.NO_ERROR)
                return
            self._h2.send_headers(number, head)
            self._unsent[number] = b"\0" + len(answer).to_bytes(4, "big") + answer
            self._send_rest(number)
        except ProtocolError:
            self._unsent.pop(number, None)  # the client is gone; what it sent is stored all the same

    def _send_rest(self, number: int) -> None:
        """Send as much of an answer as the client's windows allow, and the status after its last byte."""
        left = self._unsent.get(number)
        if left is None:
            return
        room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
        while left and room > 0:
            self._h2.send_data(number, left[:room])
            left = left[room:]
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
        self._unsent[number] = left
        if not left:
            del self._unsent[number]
            self._h2.send_headers(number, [("grpc-status", "0")], end_stream=True)


def _message(body: bytearray, coding: str, limit: int) -> bytes:
    """Return the one message of a call, unpacked. Raises `Failure`."""
    length = int.from_bytes(body[1:_PREFIX], "big")
    if len(body) < _PREFIX or len(body) != _PREFIX + length or body[0] > 1:
        raise Failure(INVALID_ARGUMENT, "the call does not hold exactly one whole message")
    packed = bytes(memoryview(body)[_PREFIX:])
    if not body[0]:
        return packed
    try:
        return encoding.unpack(coding, packed, limit)
    except encoding.UnknownEncoding as error:
        raise Failure(UNIMPLEMENTED, error.message) from error
    except encoding.TooLarge as error:
        raise Failure(RESOURCE_EXHAUSTED, error.message) from error
    except DecodeError as error:
        raise Failure(INVALID_ARGUMENT, error.message) from error


def _trailers(failure: Failure) -> list[tuple[str, str]]:
    found = [("grpc-status", str(failure.code)), ("grpc-message", quote(failure.message, safe=" !#$&'()*+,/:;=?@[]"))]
    if failure.details:
        found.append(("grpc-status-details-bin", base64.b64encode(failure.details).decode().rstrip("=")))
    return found
