"""OTLP export requests (opentelemetry-proto 1.x) to record dicts, from protobuf bytes or from JSON.

A request is decoded once into message objects (upb's for protobuf, the structs of `otlp_json` for JSON, which have
the same attributes) and each signal's module turns those into records. Items that cannot be read are left out and
counted with a reason; what frames them being unreadable raises `DecodeError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError as WireError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from treering.core.errors import DecodeError
from treering.parse import otlp_json, otlp_logs, otlp_metrics, otlp_salvage, otlp_traces

if TYPE_CHECKING:
    from collections.abc import Callable


class Signal(StrEnum):
    """What an export request carries; the value is the last step of its HTTP path."""

    LOGS = "logs"
    TRACES = "traces"
    METRICS = "metrics"

    @property
    def stream(self) -> str:
        """The stream that the signal's records belong to."""
        return "spans" if self is Signal.TRACES else self.value


@dataclass(slots=True)
class Export:
    """The records of one request; `rejected` items are missing from them, for the first reason kept."""

    records: list[dict[str, Any]]
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """The rejected items' reasons in one line, for `partial_success`."""
        return "; ".join(self.reasons)


MESSAGES: dict[Signal, Any] = {
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_BUILD: dict[Signal, Callable[[Any, int], list[dict[str, Any]]]] = {
    Signal.LOGS: otlp_logs.records,
    Signal.TRACES: otlp_traces.records,
    Signal.METRICS: otlp_metrics.records,
}


def decode_protobuf(signal: Signal, body: bytes, received_ns: int) -> Export:
    """Return the records of a protobuf export request received at `received_ns` (nanoseconds since the epoch).

    One item with an unreadable field (a string that is not UTF-8) is rejected alone. Raises `DecodeError` when the
    message itself cannot be taken apart.
    """
    message = MESSAGES[signal]
    try:
        request = message.FromString(body)
    except WireError as error:
        request, reasons = otlp_salvage.salvage(message, body)
        if not reasons:
            raise DecodeError(f"not an otlp {signal} request: {error}") from error
        return Export(_BUILD[signal](request, received_ns), len(reasons), _distinct(reasons))
    return Export(_BUILD[signal](request, received_ns))


def decode_json(signal: Signal, body: bytes, received_ns: int) -> Export:
    """Return the records of a JSON export request; 64-bit integers may be numbers or strings.

    Items with a wrong type or value are rejected alone. Raises `DecodeError` when the body is not such a document.
    """
    request, reasons = otlp_json.decode(signal.value, body)
    return Export(_BUILD[signal](request, received_ns), len(reasons), _distinct(reasons))


def _distinct(reasons: list[str], limit: int = 3) -> list[str]:
    return list(dict.fromkeys(reasons))[:limit]
