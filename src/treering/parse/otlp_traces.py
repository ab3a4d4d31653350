"""OTLP spans to records of the stream `spans`, named as Data Prepper's `otel-v1-apm-span` names them."""

from __future__ import annotations

from typing import Any

from treering.parse.otlp_values import Record, attributes, resource, scope, shared_fields

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
KINDS = {number: f"SPAN_KIND_{name}" for number, name in enumerate(_KINDS)}


def records(request: Any, received_ns: int) -> list[Record]:
    """Return one record per span; `@timestamp` is its start, else when it was received."""
    out: list[Record] = []
    for group in request.resource_spans:
        described, service = resource(group.resource, group.schema_url)
        for scoped in group.scope_spans:
            shared = shared_fields(described, service, scope(scoped.scope, scoped.schema_url))
            out.extend(_record(message, shared, received_ns) for message in scoped.spans)
    return out


def _record(message: Any, shared: Record, received_ns: int) -> Record:  # noqa: C901  a test per optional field
    start, end, kind = message.start_time_unix_nano, message.end_time_unix_nano, message.kind
    out: Record = {
        "@timestamp": start or received_ns,
        **shared,
        "traceId": message.trace_id.hex(),
        "spanId": message.span_id.hex(),
        "parentSpanId": message.parent_span_id.hex(),
        "name": message.name,
        "kind": KINDS.get(kind) or str(kind),
    }
    if start:
        out["startTime"] = start
    if end:
        out["endTime"] = end
        if start:
            out["durationInNanos"] = end - start
    if pairs := message.attributes:
        out["attributes"] = attributes(pairs)
    status = message.status
    out["status"] = {"code": status.code, "message": text} if (text := status.message) else {"code": status.code}
    if events := message.events:
        out["events"] = [_event(event) for event in events]
    if links := message.links:
        out["links"] = [_link(link) for link in links]
    if state := message.trace_state:
        out["traceState"] = state
    if flags := message.flags:
        out["flags"] = flags
    if dropped := message.dropped_attributes_count:
        out["droppedAttributesCount"] = dropped
    if dropped := message.dropped_events_count:
        out["droppedEventsCount"] = dropped
    if dropped := message.dropped_links_count:
        out["droppedLinksCount"] = dropped
    return out


def _event(message: Any) -> Record:
    out: Record = {"name": message.name, "time": message.time_unix_nano}
    if message.attributes:
        out["attributes"] = attributes(message.attributes)
    if message.dropped_attributes_count:
        out["droppedAttributesCount"] = message.dropped_attributes_count
    return out


def _link(message: Any) -> Record:
    out: Record = {"traceId": message.trace_id.hex(), "spanId": message.span_id.hex()}
    if message.trace_state:
        out["traceState"] = message.trace_state
    if message.attributes:
        out["attributes"] = attributes(message.attributes)
    if message.flags:
        out["flags"] = message.flags
    if message.dropped_attributes_count:
        out["droppedAttributesCount"] = message.dropped_attributes_count
    return out
