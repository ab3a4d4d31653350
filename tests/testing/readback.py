"""Reads a played day back: payloads become spans, lines and documents."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from treering.testing.day import Day, Emission

START_NS = 1_795_456_800_000_000_000  # 2026-11-23T18:00:00Z: the simulated clock shows UTC on a whole day


class Call(NamedTuple):
    """A span as the tests look at it."""

    service: str
    name: str
    start_ns: int
    end_ns: int
    trace: str
    span: str
    parent: str
    attributes: dict[str, Any]
    failed: bool

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


class Played(NamedTuple):
    """A day and everything it sent."""

    day: Day
    emissions: list[Emission]
    spans: list[Call]
    files: dict[str, list[str]]
    documents: list[dict[str, Any]]


def value(any_value: Any) -> Any:
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    return getattr(any_value, kind) if kind else None


def spans_of(payload: bytes) -> list[Call]:
    out = []
    for resource in ExportTraceServiceRequest.FromString(payload).resource_spans:
        service = next(value(a.value) for a in resource.resource.attributes if a.key == "service.name")
        for scope in resource.scope_spans:
            for s in scope.spans:
                attributes = {a.key: value(a.value) for a in s.attributes}
                ids = (s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex())
                failed = s.status.code == 2
                times = (s.start_time_unix_nano, s.end_time_unix_nano)
                out.append(Call(service, s.name, *times, *ids, attributes, failed))
    return out


def records_of(emission: Emission) -> int:
    """Count what a payload holds by reading it."""
    if emission.channel.endswith("_traces"):
        return len(spans_of(emission.payload))
    if emission.channel == "otlp_logs":
        request = ExportLogsServiceRequest.FromString(emission.payload)
        return sum(len(scope.log_records) for r in request.resource_logs for scope in r.scope_logs)
    if emission.channel == "otlp_metrics":
        metrics = ExportMetricsServiceRequest.FromString(emission.payload)
        found = [m for r in metrics.resource_metrics for scope in r.scope_metrics for m in scope.metrics]
        return sum(len(m.gauge.data_points) + len(m.histogram.data_points) for m in found)
    lines = emission.payload.count(b"\n")
    return lines // 2 if emission.channel == "bulk" else lines


def play_through(day: Day) -> Played:
    emissions = list(day)
    spans: list[Call] = []
    files: dict[str, list[str]] = defaultdict(list)
    documents: list[dict[str, Any]] = []
    for emission in emissions:
        if emission.channel.endswith("_traces"):
            spans += spans_of(emission.payload)
        elif emission.channel.startswith("file:"):
            files[emission.channel[5:]] += emission.payload.decode().splitlines()
        elif emission.channel == "bulk":
            documents += [msgspec.json.decode(line) for line in emission.payload.splitlines()[1::2]]
    return Played(day, emissions, spans, dict(files), documents)
