"""Recordings of real clients, and what their documents say, decoded without any of treering's own code."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """One request of a client and what it was told."""

    name: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    answered: int | None
    answer: str
    meta: Record
    otlp: Any

    @property
    def plain(self) -> bytes:
        """The body without gzip."""
        return gzip.decompress(self.body) if self.body.startswith(b"\x1f\x8b") else self.body


def recordings(folder: Path) -> list[Recording]:
    """Return the requests of a capture in their order."""
    found = []
    for path in sorted(folder.glob("*.headers.json")):
        meta = json.loads(path.read_text())
        stem = path.name.removesuffix(".headers.json")
        otlp = path.with_name(f"{stem}.otlp.json")
        headers = [(name, value) for name, value in meta.get("headers") or []]
        body = path.with_name(f"{stem}.body").read_bytes()
        document = json.loads(otlp.read_text()) if otlp.exists() else None
        found.append(
            Recording(
                f"{folder.name}/{stem}", meta["method"], meta.get("path", ""), headers, body,
                meta.get("answered"), meta.get("answer_body") or "", meta, document,
            )
        )  # fmt: skip
    return found


def bulk_documents(body: bytes) -> list[tuple[str, str, str | None, Record]]:
    """Return operation, index, id and document of each pair of a bulk body without deletes."""
    lines = [line for line in body.decode().split("\n") if line.strip()]
    out = []
    for action_line, document_line in zip(lines[::2], lines[1::2], strict=True):
        ((operation, meta),) = json.loads(action_line).items()
        out.append((operation, meta["_index"], meta.get("_id"), json.loads(document_line)))
    return out


def instant(value: Any, unit: int = 1_000_000) -> int:
    """Return the nanoseconds of an RFC 3339 text or of a number of `unit` nanoseconds."""
    text = str(value)
    if text.replace(".", "", 1).isdigit():
        return int(Decimal(text) * unit)
    whole = datetime.fromisoformat(text)
    fraction = text.partition(".")[2].rstrip("Z").partition("+")[0] if "." in text else ""
    seconds = (
        whole.replace(microsecond=0, tzinfo=whole.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    ).total_seconds()
    return int(seconds) * 1_000_000_000 + int((fraction or "0").ljust(9, "0")[:9])


def value_of(value: Record) -> Any:
    """Return an AnyValue of OTLP's JSON."""
    if "stringValue" in value:
        return value["stringValue"]
    if "intValue" in value:
        return int(value["intValue"])
    if "doubleValue" in value:
        return float(value["doubleValue"])
    if "arrayValue" in value:
        return [value_of(item) for item in value["arrayValue"].get("values", [])]
    if "kvlistValue" in value:
        return pairs(value["kvlistValue"].get("values", []))
    return value.get("boolValue", value.get("bytesValue"))


def pairs(items: list[Record]) -> Record:
    """Return attributes as a dict."""
    return {item["key"]: value_of(item.get("value", {})) for item in items}


def identifier(text: str) -> str:
    """Return an id in hexadecimal; recordings decoded from protobuf have base64."""
    if len(text) in (16, 32) and not text.strip("0123456789abcdef"):
        return text
    return base64.b64decode(text).hex()


_SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_STATUSES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_SPAN_KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
_TEMPORALITIES = ["UNSPECIFIED", "DELTA", "CUMULATIVE"]


def otlp_records(document: Record) -> list[Record]:
    """Return the records that an export request in JSON should become, leaf by leaf."""
    out: list[Record] = []
    for outer, scopes, items, build in (
        ("resourceLogs", "scopeLogs", "logRecords", _log),
        ("resourceSpans", "scopeSpans", "spans", _span),
        ("resourceMetrics", "scopeMetrics", "metrics", _metric),
    ):
        for group in document.get(outer, []):
            for scope in group.get(scopes, []):
                shared = _shared(group, scope)
                for item in scope.get(items, []):
                    out.extend({**shared, **record} for record in build(item))
    return out


def _shared(group: Record, scope: Record) -> Record:
    resource = group.get("resource", {})
    out: Record = {}
    described = _described(resource, group.get("schemaUrl"))
    described.setdefault("attributes", {})
    if described != {"attributes": {}}:
        out["resource"] = described
    if (service := described["attributes"].get("service.name")) is not None:
        out["serviceName"] = service
    named = _described(scope.get("scope", {}), scope.get("schemaUrl"))
    if named:
        out["instrumentationScope"] = named
    return out


def _described(item: Record, schema_url: str | None) -> Record:
    out = {name: item[name] for name in ("name", "version") if item.get(name)}
    if item.get("attributes"):
        out["attributes"] = pairs(item["attributes"])
    if item.get("droppedAttributesCount"):
        out["droppedAttributesCount"] = int(item["droppedAttributesCount"])
    if schema_url:
        out["schemaUrl"] = schema_url
    return out


def _common(item: Record) -> Record:  # noqa: C901  a test per optional member
    """Return what logs, spans, events, links and points have alike."""
    out: Record = {}
    for name in ("traceId", "spanId", "parentSpanId"):
        if item.get(name):
            out[name] = identifier(item[name])
    for name in ("name", "traceState", "eventName", "severityText", "unit", "description"):
        if item.get(name):
            out[name] = item[name]
    for name in ("flags", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        if item.get(name):
            out[name] = int(item[name])
    for sent, name in (
        ("timeUnixNano", "time"),
        ("observedTimeUnixNano", "observedTime"),
        ("startTimeUnixNano", "startTime"),
        ("endTimeUnixNano", "endTime"),
    ):
        if int(item.get(sent, 0)):
            out[name] = int(item[sent])
    for name in ("attributes", "filteredAttributes"):
        if item.get(name):
            out["attributes"] = pairs(item[name])
    return out


def _log(item: Record) -> list[Record]:
    out = _common(item)
    if (stamp := out.get("time") or out.get("observedTime")) is not None:
        out["@timestamp"] = stamp
    number = item.get("severityNumber", 0)
    if isinstance(number, str):
        name = number.removeprefix("SEVERITY_NUMBER_")
        number = _SEVERITIES[name.rstrip("234")] + int(name[-1]) - 1 if name[-1].isdigit() else _SEVERITIES[name]
    if number:
        out["severityNumber"] = number
    if "body" in item:
        out["body"] = value_of(item["body"])
    return [out]


def _span(item: Record) -> list[Record]:
    out = {"name": "", "parentSpanId": "", **_common(item)}
    kind = item.get("kind", 0)
    out["kind"] = kind if isinstance(kind, str) else f"SPAN_KIND_{_SPAN_KINDS[kind]}"
    out["@timestamp"] = out["startTime"]
    out["durationInNanos"] = out["endTime"] - out["startTime"]
    status = item.get("status", {})
    code = status.get("code", 0)
    out["status"] = {"code": _STATUSES[code] if isinstance(code, str) else code}
    if status.get("message"):
        out["status"]["message"] = status["message"]
    if item.get("events"):
        out["events"] = [_common(event) for event in item["events"]]
    if item.get("links"):
        out["links"] = [_common(link) for link in item["links"]]
    return [out]


_DATA = {
    "gauge": "GAUGE",
    "sum": "SUM",
    "histogram": "HISTOGRAM",
    "exponentialHistogram": "EXPONENTIAL_HISTOGRAM",
    "summary": "SUMMARY",
}


def _metric(item: Record) -> list[Record]:
    ((data_name, data),) = [(name, item[name]) for name in _DATA if name in item]
    head = {**_common(item), "kind": _DATA[data_name]}
    if data_name not in ("gauge", "summary"):
        sent = data.get("aggregationTemporality", 0)
        prefix = "AGGREGATION_TEMPORALITY_"
        head["aggregationTemporality"] = sent if isinstance(sent, str) else prefix + _TEMPORALITIES[sent]
    if data_name == "sum":
        head["isMonotonic"] = data.get("isMonotonic", False)
    return [{**head, **_point(point, data_name)} for point in data["dataPoints"]]


def _value(point: Record) -> Record:
    if "asInt" in point:
        return {"value": int(point["asInt"])}
    return {"value": float(point["asDouble"])} if "asDouble" in point else {}


def _point(point: Record, data_name: str) -> Record:
    out = {**_common(point), **_value(point)}
    out["@timestamp"] = out["time"]
    if data_name in ("histogram", "exponentialHistogram", "summary"):
        out["count"] = int(point.get("count", 0))
    for name in ("sum", "min", "max", "zeroThreshold"):
        if name in point:
            out[name] = float(point[name])
    if data_name == "summary":
        out.setdefault("sum", 0.0)
        out["quantiles"] = [
            {"quantile": float(one.get("quantile", 0)), "value": float(one.get("value", 0))}
            for one in point["quantileValues"]
        ]
    if point.get("bucketCounts"):
        out["bucketCountsList"] = [int(one) for one in point["bucketCounts"]]
        out["explicitBounds"] = [float(one) for one in point["explicitBounds"]]
    if data_name == "exponentialHistogram":
        out["scale"], out["zeroCount"] = int(point.get("scale", 0)), int(point.get("zeroCount", 0))
        for side in ("positive", "negative"):
            if side in point:
                out[side] = [int(one) for one in point[side].get("bucketCounts", [])]
                out[f"{side}Offset"] = int(point[side].get("offset", 0))
    if point.get("exemplars"):
        out["exemplars"] = [{**_common(one), **_value(one)} for one in point["exemplars"]]
    return out
