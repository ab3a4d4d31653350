"""OTLP log records to records of the stream `logs`, named as Data Prepper's `logs-otel-v1` names them."""

from __future__ import annotations

from typing import Any

from treering.parse.otlp_values import Record, any_value, attributes, resource, scope, shared_fields


def records(request: Any, received_ns: int) -> list[Record]:
    """Return one record per log record; `@timestamp` is its time, else when it was observed, else received."""
    out: list[Record] = []
    for group in request.resource_logs:
        described, service = resource(group.resource, group.schema_url)
        for scoped in group.scope_logs:
            shared = shared_fields(described, service, scope(scoped.scope, scoped.schema_url))
            out.extend(_record(message, shared, received_ns) for message in scoped.log_records)
    return out


def _record(message: Any, shared: Record, received_ns: int) -> Record:  # noqa: C901  a test per optional field
    time = message.time_unix_nano
    observed = message.observed_time_unix_nano
    out: Record = {"@timestamp": time or observed or received_ns, **shared}
    if time:
        out["time"] = time
    if observed:
        out["observedTime"] = observed
    if number := message.severity_number:
        out["severityNumber"] = number
    if text := message.severity_text:
        out["severityText"] = text
    if message.HasField("body"):
        body = message.body
        out["body"] = body.string_value or any_value(body)
    if pairs := message.attributes:
        out["attributes"] = attributes(pairs)
    if trace_id := message.trace_id:
        out["traceId"] = trace_id.hex()
    if span_id := message.span_id:
        out["spanId"] = span_id.hex()
    if flags := message.flags:
        out["flags"] = flags
    if event := message.event_name:
        out["eventName"] = event
    if dropped := message.dropped_attributes_count:
        out["droppedAttributesCount"] = dropped
    return out
