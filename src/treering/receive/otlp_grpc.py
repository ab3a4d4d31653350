"""OTLP over gRPC, port 4317: the three export services on raw message bytes.

gRPC's C core unpacks gzip and deflate; it knows neither zstd nor snappy and answers those INTERNAL itself, which
makes a Collector that is configured for them drop its data: configure gzip there. What the store cannot take now is
answered UNAVAILABLE with `RetryInfo`, without which exporters drop the batch on some codes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import grpc
from msgspec import Meta

from treering.core.access import Access
from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, Permanent, Retryable, TreeringError, UserError
from treering.parse.otlp import Signal
from treering.receive import _otlp
from treering.receive._intake import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treering.stage.source import Context

NAME = "otlp_grpc"
_log = logging.getLogger("treering.receive")
_SERVICES = {
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_DETAILS = "grpc-status-details-bin"
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
        self._server: grpc.aio.Server | None = None
        self._in_flight = 0
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
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", config.max_message_bytes),
                ("grpc.so_reuseport", 0),  # otherwise two processes share the port and half the data
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ]
        )
        server.add_generic_rpc_handlers(tuple(self._service(signal) for signal in Signal))
        host = f"[{config.host}]" if ":" in config.host else config.host
        try:
            _probe(config.host, config.port)
            self.port = server.add_insecure_port(f"{host}:{config.port}")
        except (OSError, RuntimeError) as error:
            await server.stop(None)
            if config.required:
                raise UserError(f"cannot listen on {self.address}", hint="choose another port") from error
            self.state = "address already in use"
            _log.warning("otlp/grpc is not served on %s: %s", self.address, self.state)
            return
        await server.start()
        self._server = server
        self.state = "open"

    async def stop(self) -> None:
        """Take no more calls and finish those in flight within `stop_s` seconds."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(self._config.stop_s)
            self.state = "closed"

    def _service(self, signal: Signal) -> Any:
        method = grpc.unary_unary_rpc_method_handler(self._export(signal))
        return grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})

    def _export(self, signal: Signal) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def export(body: bytes, call: Any) -> bytes:
            await self._authenticate(call)
            if self._in_flight and self._in_flight + len(body) > self._config.in_flight_bytes:
                refuse(self._context, NAME, "too many bytes in flight")
                error = Retryable("too many bytes of messages in flight", retry_after_s=_RETRY_S)
                await _abort(call, grpc.StatusCode.RESOURCE_EXHAUSTED, _otlp.RESOURCE_EXHAUSTED, error)
            self._in_flight += len(body)
            try:
                return _otlp.answer(signal, await _otlp.receive(self._context, NAME, signal, body))
            except TreeringError as error:
                await self._refuse(call, error)
            finally:
                self._in_flight -= len(body)

        return export

    async def _authenticate(self, call: Any) -> None:
        if self._access.open:
            return
        metadata = dict(call.invocation_metadata())
        allowed = self._access.allows(str(metadata.get("authorization", "")), "ingest")
        if allowed is None:
            await call.abort(grpc.StatusCode.UNAUTHENTICATED, "authentication is needed")
        if not allowed:
            await call.abort(grpc.StatusCode.PERMISSION_DENIED, "this token does not have the role 'ingest'")

    async def _refuse(self, call: Any, error: TreeringError) -> NoReturn:
        if isinstance(error, Retryable):
            await _abort(call, grpc.StatusCode.UNAVAILABLE, _otlp.UNAVAILABLE, error)
        if isinstance(error, DecodeError):
            refuse(self._context, NAME, "unreadable")
        if isinstance(error, DecodeError | Permanent | UserError):
            await _abort(call, grpc.StatusCode.INVALID_ARGUMENT, _otlp.INVALID_ARGUMENT, error)
        await _abort(call, grpc.StatusCode.INTERNAL, _otlp.INTERNAL, error)


def _probe(host: str, port: int) -> None:
    """Raise `OSError` when the port is taken, before gRPC's C core writes its own lines about it to stderr."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


async def _abort(call: Any, status: grpc.StatusCode, code: int, error: TreeringError) -> NoReturn:
    delay = error.retry_after_s if isinstance(error, Retryable) else None
    details = ((_DETAILS, _otlp.status(code, error.message, delay)),)
    await call.abort(status, error.message, trailing_metadata=details)
    raise asyncio.CancelledError  # not reached: abort raises
