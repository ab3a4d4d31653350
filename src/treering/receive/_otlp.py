"""What OTLP over HTTP and over gRPC share: from a body to stored records, and the answers' messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from treering.model.batch import Batch, batch
from treering.parse import otlp_wire, packed
from treering.parse.otlp import Export, Signal, decode_json, decode_protobuf
from treering.receive._intake import off_loop, store

if TYPE_CHECKING:
    from treering.stage.source import Context

# google.rpc.Code, as gRPC and the bodies of OTLP/HTTP errors use it.
INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE = 3, 8, 13, 14
_REJECTED_FIELD = {
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
}


async def receive(context: Context, receiver: str, signal: Signal, body: bytes, *, json: bool = False) -> Export:
    """Store the records of an export request and return what was rejected.

    Raises `DecodeError` for a body that is no such request, `Retryable` and `Permanent` as the store does.
    """

    def work() -> tuple[Export, list[Batch]]:
        return decoded(signal, body, context.clock.now_ns(), json=json)

    export, batches = await off_loop(len(body), work)
    await store(context, receiver, batches, rejected=export.rejected)
    return export


def decoded(signal: Signal, body: bytes, now_ns: int, *, json: bool = False) -> tuple[Export, list[Batch]]:
    """Return what was rejected of an export request, and its records as batches. Raises `DecodeError`."""
    if not json and (quick := _quickly(signal, body, now_ns)) is not None:
        return Export([]), [quick]
    export = (decode_json if json else decode_protobuf)(signal, body, now_ns)
    return export, [batch(signal.stream, export.records, received_ns=now_ns)] if export.records else []


def _quickly(signal: Signal, body: bytes, now_ns: int) -> Batch | None:
    """Return a request's records when nothing about it is out of the ordinary."""
    if signal not in otlp_wire.SIGNALS or len(body) < otlp_wire.LEAST_BYTES:
        return None
    data = otlp_wire.packed(signal, body, now_ns)
    return None if data is None else packed.batch(signal.stream, data, received_ns=now_ns)


def answer(signal: Signal, export: Export) -> bytes:
    """Return the success message: empty, or with `partial_success` naming how many items were rejected and why."""
    if not export.rejected:
        return b""
    kind, field = _REJECTED_FIELD[signal]
    message: Any = kind()
    setattr(message.partial_success, field, export.rejected)
    message.partial_success.error_message = export.reason
    data: bytes = message.SerializeToString()
    return data


def answer_json(signal: Signal, export: Export) -> dict[str, object]:
    """Return the success message as JSON has it."""
    if not export.rejected:
        return {}
    field = {
        Signal.LOGS: "rejectedLogRecords",
        Signal.TRACES: "rejectedSpans",
        Signal.METRICS: "rejectedDataPoints",
    }[signal]
    return {"partialSuccess": {field: str(export.rejected), "errorMessage": export.reason}}


def status(code: int, message: str, retry_after_s: float | None = None) -> bytes:
    """Return a `google.rpc.Status`, with a `RetryInfo` detail when the sender is to try again.

    Three fields of two small messages: written by hand so that googleapis-common-protos is not a dependency.
    """
    text = message.encode()
    out = b"\x08" + bytes([code]) + b"\x12" + _length(len(text)) + text
    if retry_after_s is not None:
        seconds, nanos = divmod(round(retry_after_s * 1e9), 1_000_000_000)
        delay = Duration(seconds=seconds, nanos=nanos).SerializeToString()
        info = b"\x0a" + _length(len(delay)) + delay
        detail = AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info).SerializeToString()
        out += b"\x1a" + _length(len(detail)) + detail
    return out


def _length(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
