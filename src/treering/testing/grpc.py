"""A blocking client for unary gRPC calls on the h2 library, for senders of the known day and for tests.

It sends what gRPC's own client does not: messages packed with codings of the caller's choice.
"""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

_READ = 65_536


@dataclass(slots=True)
class Outcome:
    """What a call came to: `status` is a `google.rpc.Code`, 0 for success with `message` as its answer."""

    status: int = 2
    reason: str = ""
    message: bytes = b""
    details: bytes = b""
    ended: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class Client:
    """One connection without TLS. Raises `OSError` where the network does, also for a broken connection."""

    def __init__(self, address: str, timeout_s: float = 30.0) -> None:
        """Call the server at `address` (host:port), which is connected to with the first call."""
        host, _, port = address.rpartition(":")
        self._target = host.strip("[]"), int(port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._h2 = H2Connection()

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, path: str, message: bytes, metadata: Mapping[str, str], coding: str = "") -> Outcome:
        """Send one message, packed already when `coding` names how, and return the outcome."""
        try:
            return self._call(path, message, metadata, coding)
        except ProtocolError as error:
            self.close()
            raise OSError(f"not gRPC: {error}") from error
        except OSError:
            self.close()
            raise

    def _call(self, path: str, message: bytes, metadata: Mapping[str, str], coding: str) -> Outcome:
        if self._socket is None:
            self._socket = socket.create_connection(self._target, self._timeout_s)
            self._h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
            self._h2.initiate_connection()
        number = self._h2.get_next_available_stream_id()
        packed = [("grpc-encoding", coding)] if coding else []
        head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", self._target[0])]
        given = [(name.lower(), value) for name, value in metadata.items()]
        plain = [("te", "trailers"), ("content-type", "application/grpc")]
        self._h2.send_headers(number, [*head, *plain, *packed, *given])
        left = bytes([bool(coding)]) + len(message).to_bytes(4, "big") + message
        outcome = Outcome()
        while not outcome.ended:
            left = self._send(number, left, outcome)
            self._receive(number, outcome)
        return outcome

    def _send(self, number: int, left: bytes, outcome: Outcome) -> bytes:
        """Send as much as the server's windows allow and return the rest."""
        assert self._socket is not None
        while left and not outcome.headers:  # a server that has answered already does not want the rest
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                break
            self._h2.send_data(number, left[:room], end_stream=len(left) <= room)
            left = left[room:]
        self._socket.sendall(self._h2.data_to_send())
        return left

    def _receive(self, number: int, outcome: Outcome) -> None:
        assert self._socket is not None
        data = self._socket.recv(_READ)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        for event in self._h2.receive_data(data):
            self._take(event, number, outcome)
        self._socket.sendall(self._h2.data_to_send())

    def _take(self, event: Event, number: int, outcome: Outcome) -> None:
        if isinstance(event, ConnectionTerminated):
            raise ConnectionResetError("the server ended the connection")
        if getattr(event, "stream_id", None) != number:
            return
        if isinstance(event, ResponseReceived | TrailersReceived):
            outcome.headers.update((str(name), str(value)) for name, value in event.headers or ())
        elif isinstance(event, DataReceived):
            outcome.message += event.data or b""
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
        elif isinstance(event, StreamEnded | StreamReset):
            _settle(outcome)


def _settle(outcome: Outcome) -> None:
    headers = outcome.headers
    outcome.ended = True
    outcome.status = int(headers.get("grpc-status", "2"))
    outcome.reason = unquote(headers.get("grpc-message", ""))
    outcome.message = outcome.message[5:]
    details = headers.get("grpc-status-details-bin", "")
    outcome.details = base64.b64decode(details + "=" * (-len(details) % 4))
