"""OTLP metrics to records of the stream `metrics`: one per data point, named as Data Prepper's `metrics-otel-v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.otlp_values import Record, attributes, resource, scope, shared_fields

if TYPE_CHECKING:
    from collections.abc import Callable

_TEMPORALITIES = {
    1: "AGGREGATION_TEMPORALITY_DELTA",
    2: "AGGREGATION_TEMPORALITY_CUMULATIVE",
}


def records(request: Any, received_ns: int) -> list[Record]:
    """Return one record per data point; a metric without points is one record of its own.

    `@timestamp` is the point's time, else when it was received.
    """
    out: list[Record] = []
    for group in request.resource_metrics:
        described, service = resource(group.resource, group.schema_url)
        for scoped in group.scope_metrics:
            shared = shared_fields(described, service, scope(scoped.scope, scoped.schema_url))
            for metric in scoped.metrics:
                out.extend(_points(metric, shared, received_ns))
    return out


def _points(metric: Any, shared: Record, received_ns: int) -> list[Record]:
    kind = metric.WhichOneof("data")
    head: Record = {**shared, "name": metric.name}
    if metric.description:
        head["description"] = metric.description
    if metric.unit:
        head["unit"] = metric.unit
    if metric.metadata:
        head["metadata"] = attributes(metric.metadata)
    if kind is None:
        return [{"@timestamp": received_ns, **head}]
    data = getattr(metric, kind)
    head["kind"] = _KINDS[kind]
    if kind != "gauge" and kind != "summary":
        number = data.aggregation_temporality
        head["aggregationTemporality"] = _TEMPORALITIES.get(number, "AGGREGATION_TEMPORALITY_UNSPECIFIED")
    if kind == "sum":
        head["isMonotonic"] = data.is_monotonic
    if not data.data_points:
        return [{"@timestamp": received_ns, **head}]
    fill = _FILL[kind]
    return [_point(point, head, fill, received_ns) for point in data.data_points]


def _point(point: Any, head: Record, fill: Callable[[Any, Record], None], received_ns: int) -> Record:
    time = point.time_unix_nano
    out: Record = {"@timestamp": time or received_ns, **head}
    if time:
        out["time"] = time
    if start := point.start_time_unix_nano:
        out["startTime"] = start
    fill(point, out)
    if point.attributes:
        out["attributes"] = attributes(point.attributes)
    if point.flags:
        out["flags"] = point.flags
    return out


def _number(point: Any, out: Record) -> None:
    if which := point.WhichOneof("value"):
        out["value"] = getattr(point, which)
    _exemplars(point, out)


def _totals(point: Any, out: Record) -> None:
    out["count"] = point.count
    for name in ("sum", "min", "max"):
        if point.HasField(name):
            out[name] = getattr(point, name)


def _histogram(point: Any, out: Record) -> None:
    _totals(point, out)
    if point.bucket_counts:
        out["bucketCountsList"] = list(point.bucket_counts)
    if point.explicit_bounds:
        out["explicitBounds"] = list(point.explicit_bounds)
    _exemplars(point, out)


def _exponential(point: Any, out: Record) -> None:
    _totals(point, out)
    out["scale"] = point.scale
    out["zeroCount"] = point.zero_count
    if point.zero_threshold:
        out["zeroThreshold"] = point.zero_threshold
    for side in ("positive", "negative"):
        if point.HasField(side):
            buckets = getattr(point, side)
            out[side] = list(buckets.bucket_counts)
            out[f"{side}Offset"] = buckets.offset
    _exemplars(point, out)


def _summary(point: Any, out: Record) -> None:
    out["count"] = point.count
    out["sum"] = point.sum
    out["quantiles"] = [{"quantile": item.quantile, "value": item.value} for item in point.quantile_values]


def _exemplars(point: Any, out: Record) -> None:
    if point.exemplars:
        out["exemplars"] = [_exemplar(item) for item in point.exemplars]


def _exemplar(message: Any) -> Record:
    out: Record = {"time": message.time_unix_nano}
    if which := message.WhichOneof("value"):
        out["value"] = getattr(message, which)
    if message.trace_id:
        out["traceId"] = message.trace_id.hex()
    if message.span_id:
        out["spanId"] = message.span_id.hex()
    if message.filtered_attributes:
        out["attributes"] = attributes(message.filtered_attributes)
    return out


_KINDS = {
    "gauge": "GAUGE",
    "sum": "SUM",
    "histogram": "HISTOGRAM",
    "exponential_histogram": "EXPONENTIAL_HISTOGRAM",
    "summary": "SUMMARY",
}
_FILL: dict[str, Callable[[Any, Record], None]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
