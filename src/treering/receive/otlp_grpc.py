"""OTLP over gRPC, port 4317: the three export services on raw message bytes.

Messages may be packed with any coding that OTLP/HTTP takes, zstd and snappy of the Collector included. What the store
cannot take now is answered UNAVAILABLE with `RetryInfo`, without which exporters drop the batch on some codes.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from treering.core.access import Access
from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, Permanent, Retryable, TreeringError, UserError
from treering.parse.otlp import Signal
from treering.receive import _grpc, _otlp
from treering.receive._grpc import Bounds, Failure, GrpcServer
from treering.receive._intake import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.stage.source import Context

NAME = "otlp_grpc"
_log = logging.getLogger("treering.receive")
_PATHS = {
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}
_RETRY_S = 1.0


class Config(BaseConfig, frozen=True):
    """Address and bounds of the gRPC listener."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="port; 0 takes a free one")] = 4317
    required: Annotated[bool, Meta(description="whether a taken port is an error instead of a warning")] = False
    max_message_bytes: Annotated[int, Meta(ge=1024, description="largest message, unpacked")] = 64 << 20
    in_flight_bytes: Annotated[int, Meta(ge=1024, description="bytes of messages in work at once")] = 256 << 20
    stop_s: Annotated[float, Meta(gt=0, description="how long calls in flight may take at the stop")] = 10.0


def build(config: Config, context: Context, access: Access | None = None) -> OtlpGrpc:
    """Return the source; nothing listens before its `start`."""
    return OtlpGrpc(config, context, access or Access())


class OtlpGrpc:
    """A `Source` that serves the export services."""

    def __init__(self, config: Config, context: Context, access: Access) -> None:
        """Serve as `config` says, store through `context`, let in whom `access` allows."""
        self._config = config
        self._context = context
        self._access = access
        self._server: GrpcServer | None = None
        self.port = config.port
        self.state = "closed"

    @property
    def address(self) -> str:
        """The address that exporters are given."""
        return f"{self._config.host}:{self.port}"

    @property
    def listening(self) -> tuple[str, str, str]:
        """Name, address and state, for `treering doctor`."""
        return "otlp/grpc", self.address, self.state

    async def start(self) -> None:
        """Open the port. Raises `UserError` when it would be open to strangers, or is taken and `required`."""
        config = self._config
        self._access.require_for(config.host)
        try:
            listening = _listen(config.host, config.port)
        except OSError as error:
            if config.required:
                raise UserError(f"cannot listen on {self.address}", hint="choose another port") from error
            self.state = "address already in use"
            _log.warning("otlp/grpc is not served on %s: %s", self.address, self.state)
            return
        self.port = listening.getsockname()[1]
        self._server = GrpcServer(self._export, Bounds(config.max_message_bytes, config.in_flight_bytes, self._busy))
        await self._server.start(listening)
        self.state = "open"

    async def stop(self) -> None:
        """Take no more calls and finish those in flight within `stop_s` seconds."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(self._config.stop_s)
            self.state = "closed"

    async def _export(self, path: str, metadata: Mapping[str, str], body: bytes) -> bytes:
        self._authenticate(metadata)
        signal = _PATHS.get(path)
        if signal is None:
            raise Failure(_grpc.UNIMPLEMENTED, f"no method {path[:200]}")
        try:
            return _otlp.answer(signal, await _otlp.receive(self._context, NAME, signal, body))
        except TreeringError as error:
            raise self._failure(error) from error

    def _authenticate(self, metadata: Mapping[str, str]) -> None:
        if self._access.open:
            return
        allowed = self._access.allows(metadata.get("authorization", ""), "ingest")
        if allowed is None:
            raise Failure(_grpc.UNAUTHENTICATED, "authentication is needed")
        if not allowed:
            raise Failure(_grpc.PERMISSION_DENIED, "this token does not have the role 'ingest'")

    def _busy(self) -> Failure:
        refuse(self._context, NAME, "too many bytes in flight")
        error = Retryable("too many bytes of messages in flight", retry_after_s=_RETRY_S)
        return _failure(_otlp.RESOURCE_EXHAUSTED, error)

    def _failure(self, error: TreeringError) -> Failure:
        if isinstance(error, Retryable):
            return _failure(_otlp.UNAVAILABLE, error)
        if isinstance(error, DecodeError):
            refuse(self._context, NAME, "unreadable")
        if isinstance(error, DecodeError | Permanent | UserError):
            return _failure(_otlp.INVALID_ARGUMENT, error)
        return _failure(_otlp.INTERNAL, error)


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _failure(code: int, error: TreeringError) -> Failure:
    delay = error.retry_after_s if isinstance(error, Retryable) else None
    return Failure(code, error.message, _otlp.status(code, error.message, delay))
