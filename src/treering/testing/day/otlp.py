"""OTLP messages as bytes (opentelemetry-proto 1.x).

Spans, log records and metrics are serialised one by one and put into their request by concatenation: a
length-delimited field of protobuf is its tag, its length and its bytes, and all three requests number resource,
scope and items alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

Value: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = Mapping[str, Value]

SERVER, CLIENT, INTERNAL = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_INTERNAL
SEVERITY = {
    "DEBUG": SeverityNumber.SEVERITY_NUMBER_DEBUG,
    "INFO": SeverityNumber.SEVERITY_NUMBER_INFO,
    "WARN": SeverityNumber.SEVERITY_NUMBER_WARN,
    "ERROR": SeverityNumber.SEVERITY_NUMBER_ERROR,
}


def _any(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))


def _attributes(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def span(  # noqa: PLR0913  the fields of a span
    trace_id: bytes,
    span_id: bytes,
    parent_id: bytes,
    name: str,
    kind: Span.SpanKind.ValueType,
    start_ns: int,
    end_ns: int,
    attributes: Attributes,
    error: str = "",
    exception: tuple[str, str] | None = None,
) -> bytes:
    """Return a Span. `error` sets the status to ERROR with that message, `exception` adds an event (type, message)."""
    message = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_id,
        name=name,
        kind=kind,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=end_ns,
        attributes=_attributes(attributes),
        flags=256,
    )
    if error:
        message.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=error))
    if exception:
        event = {"exception.type": exception[0], "exception.message": exception[1], "exception.escaped": "False"}
        message.events.add(time_unix_nano=end_ns, name="exception", attributes=_attributes(event))
    return _bytes(message)


def log(
    at_ns: int,
    severity: str,
    body: str,
    attributes: Attributes,
    ids: tuple[bytes, bytes] = (b"", b""),
    event_name: str = "",
) -> bytes:
    """Return a LogRecord; `ids` are trace and span."""
    message = LogRecord(
        time_unix_nano=at_ns,
        observed_time_unix_nano=at_ns,
        severity_text=severity,
        severity_number=SEVERITY[severity],
        body=_any(body),
        attributes=_attributes(attributes),
        trace_id=ids[0],
        span_id=ids[1],
        flags=1 if ids[0] else 0,
        event_name=event_name,
    )
    return _bytes(message)


def gauge(name: str, unit: str, at_ns: int, points: Iterable[tuple[Attributes, float]]) -> bytes:
    """Return a gauge Metric with one point for each set of attributes."""
    data = [NumberDataPoint(time_unix_nano=at_ns, as_double=v, attributes=_attributes(a)) for a, v in points]
    return _bytes(Metric(name=name, unit=unit, gauge=Gauge(data_points=data)))


def histogram_point(
    attributes: Attributes, times: tuple[int, int], counts: Sequence[int], total: float, bounds: Sequence[float]
) -> HistogramDataPoint:
    """Return a cumulative point; `times` are start and now in nanoseconds, `total` the sum of the values."""
    return HistogramDataPoint(
        attributes=_attributes(attributes),
        start_time_unix_nano=times[0],
        time_unix_nano=times[1],
        count=sum(counts),
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
    )


def histogram(name: str, unit: str, points: Iterable[HistogramDataPoint]) -> bytes:
    """Return a cumulative histogram Metric."""
    data = Histogram(data_points=points, aggregation_temporality=AGGREGATION_TEMPORALITY_CUMULATIVE)
    return _bytes(Metric(name=name, unit=unit, histogram=data))


def resource(attributes: Attributes) -> bytes:
    """Return a serialised Resource."""
    return _bytes(Resource(attributes=_attributes(attributes)))


def scope(name: str, version: str) -> bytes:
    """Return a serialised InstrumentationScope."""
    return _bytes(InstrumentationScope(name=name, version=version))


def request(resource_bytes: bytes, scope_bytes: bytes, items: Iterable[bytes]) -> bytes:
    """Return an ExportTraceServiceRequest, ExportLogsServiceRequest or ExportMetricsServiceRequest of one resource."""
    scoped = _field(1, scope_bytes) + b"".join(_field(2, item) for item in items)
    return _field(1, _field(1, resource_bytes) + _field(2, scoped))


def _bytes(message: Message) -> bytes:
    serialised: bytes = message.SerializeToString()
    return serialised


def _field(number: int, payload: bytes) -> bytes:
    length = len(payload)
    head = bytearray([number << 3 | 2])
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return bytes(head) + payload
