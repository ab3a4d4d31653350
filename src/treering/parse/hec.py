"""Splunk's HTTP Event Collector, from a body of events to records.

Events follow each other with or without anything between them (docs.splunk.com, "Format events for HTTP Event
Collector"). An event is a text or an object; `fields` are its attributes. The Collector's exporter packs spans and
metrics into the same shape; they go to their own streams again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

import msgspec

from treering.model.times import epoch_ns
from treering.parse.fields import identifier, shape
from treering.parse.messages import around
from treering.parse.messages import records as explain
from treering.parse.severity import severity_number
from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.parse.messages import Message
    from treering.stage.parser import Record

# Codes of docs.splunk.com, "Troubleshoot HTTP Event Collector", that are about a single event.
MALFORMED, NO_EVENT, BLANK_EVENT, BAD_FIELDS = 6, 12, 13, 15
_SECOND = 1_000_000_000
# Only between two events does valid JSON have these side by side, or inside a text.
_BORDER = re.compile(r"\}\s*(?=\{)")
_NOT_BLANK = re.compile(r"\S")
_RESCANS = 4  # how often, all in all, text is looked at again where borders are inside texts
_MAX_TRIES = 100  # an error of the JSON decoder counts the lines before it
_METRIC = "metric_name:"
_SEVERITY = ("otel.log.severity.text", "otel.log.severity.number")
_RESOURCE = {"host": "host.name", "source": "com.splunk.source", "sourcetype": "com.splunk.sourcetype",
             "index": "com.splunk.index"}  # fmt: skip
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


class _Timed(msgspec.Struct):
    time: msgspec.Raw = msgspec.Raw(b"null")


_object = msgspec.json.Decoder(dict[str, Any])
_timed = msgspec.json.Decoder(_Timed)
_python = JSONDecoder()


@dataclass(slots=True)
class Events:
    """What a body held: records by stream, and per unreadable event its number (from 0) and HEC's code for it."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    rejected: list[tuple[int, int]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of records."""
        return sum(map(len, self.records.values()))


def decode(body: bytes, now_ns: int, about: Mapping[str, str] | None = None) -> Events:
    """Return the events of `body`; `about` (host, source, sourcetype, index) holds where an event is silent."""
    events = Events()
    logs: list[Message] = []
    times = TimeParser(reference_ns=now_ns)
    text = body.decode("utf-8", "surrogateescape")
    for number, (piece, held) in enumerate(_pieces(text)):
        found = MALFORMED if held is None else _event(piece, held, about or {})
        if isinstance(found, int):
            events.rejected.append((number, found))
            continue
        outer, event, fields = found
        if event == "metric" and (points := _metrics(outer, fields)):
            events.records.setdefault("metrics", []).extend(points)
        elif isinstance(event, dict) and (span := _span(outer, event, fields)) is not None:
            events.records.setdefault("spans", []).append(span)
        else:
            logs.append(_log(_attributed(outer, fields), event, times))
    if logs:
        events.records["logs"] = explain(logs, now_ns)
    return events


def about(query: Mapping[str, str]) -> Record:
    """Return what `host`, `source`, `sourcetype`, `index` and `time` say about all lines of a raw body."""
    outer: Record = {}
    resource = {_RESOURCE[name]: text for name, text in query.items() if name in _RESOURCE and text}
    if resource:
        outer["resource"] = {"attributes": resource}
    if (moment := epoch_ns(query.get("time", ""), _SECOND)) is not None:
        outer["@timestamp"] = moment
    return outer


def _pieces(text: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield the text of each event and its object; None for something else, up to where an event may begin again."""
    start, budget, tries = 0, _RESCANS * len(text), _MAX_TRIES
    while start < len(text):
        border = _BORDER.search(text, start)
        end = border.end() if border else len(text)
        piece = text[start:end]
        held = _decoded(piece)
        if held is None and budget > 0 and tries > 0:
            tries -= 1
            length, used = _first_object(text, start)
            budget -= used
            if length is not None:
                end = start + length
                piece = text[start:end]
                held = _decoded(piece)
        if piece and not piece.isspace():
            yield piece, held
        start = end


def _decoded(piece: str) -> dict[str, Any] | None:
    try:
        return _object.decode(piece)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _first_object(text: str, start: int) -> tuple[int | None, int]:
    """Return the length of the JSON that begins at `start`, if it does, and how many characters were looked at."""
    begin = _NOT_BLANK.search(text, start)
    if begin is None:
        return None, len(text) - start
    try:
        end = _python.raw_decode(text, begin.start())[1]
    except JSONDecodeError as error:
        return None, error.pos - start + 1
    except (RecursionError, ValueError):
        return None, len(text) - start
    return end - start, end - start


def _event(piece: str, held: dict[str, Any], about: Mapping[str, str]) -> tuple[Record, Any, dict[str, Any]] | int:
    """Return what surrounds an event, the event, and its fields; or the code of what is wrong with it."""
    fields = held.pop("fields", None)
    fields = {} if fields is None else fields
    if not isinstance(fields, dict):
        return BAD_FIELDS
    event = held.pop("event", "metric" if _is_metric(fields) else None)
    if event is None:
        return NO_EVENT
    if event in ("", {}) or (isinstance(event, str) and event.isspace()):
        return BLANK_EVENT
    outer: Record = {}
    if (time := held.pop("time", None)) is not None:
        moment = _instant(time, piece)
        if moment is None:
            return MALFORMED
        outer["@timestamp"] = moment
    resource = {}
    for name, target in _RESOURCE.items():
        if isinstance(text := held.pop(name, None) or about.get(name), str) and text:
            resource[target] = text
    if resource:
        outer["resource"] = {"attributes": resource}
    return outer, event, {**held, **fields}


def _instant(time: Any, piece: str) -> int | None:
    if isinstance(time, float):  # digits below a microsecond do not survive in a float
        time = bytes(_timed.decode(piece).time).decode()
        if "e" in time.lower():
            time = f"{float(time):.9f}"
    return epoch_ns(str(time).strip(), _SECOND) if isinstance(time, str | int) and time is not True else None


def _attributed(outer: Record, fields: dict[str, Any]) -> Record:
    """Return `outer` with an event's fields: what names the trace, level and service is said in the model's terms."""
    if not fields:
        return outer
    record = {**outer, "attributes": fields}
    for name, target in (("trace_id", "traceId"), ("span_id", "spanId")):
        if (found := identifier(fields.get(name))) is not None:
            record[target] = found
            del fields[name]
    text, number = (fields.get(name) for name in _SEVERITY)
    if isinstance(text, str) and text:
        record["severityText"] = text
        if (known := severity_number(text)) is not None:
            record["severityNumber"] = known
    if type(number) is int and 0 < number <= 24:
        record["severityNumber"] = number
    for name, target in (("service.name", "serviceName"), ("event.name", "eventName")):
        if isinstance(value := fields.get(name), str) and value:
            record[target] = value
    return record


def _log(outer: Record, event: Any, times: TimeParser) -> Message:
    """Return a text, or of an object its message, with everything else around it."""
    if isinstance(event, str):
        return outer, event
    if "eventName" in outer or not isinstance(event, dict):
        return {**outer, "body": event}, ""  # an event of OpenTelemetry: its body is the object
    record = around(outer, shape(event, times, force=True) or {})
    if isinstance(body := record.get("body"), str) and body:
        del record["body"]
        return record, body
    return record, ""


def _span(outer: Record, event: dict[str, Any], fields: dict[str, Any]) -> Record | None:
    """Return the span that the Collector's exporter packed into an event, or None when it is none."""
    start, end, kind = event.get("start_time"), event.get("end_time"), event.get("kind")
    trace, span = identifier(event.get("trace_id")), identifier(event.get("span_id"))
    if not (trace and span and type(start) is int and type(end) is int and isinstance(kind, str)):
        return None
    stated = event.get("status")
    status = stated if isinstance(stated, dict) else {}
    record: Record = {
        **outer, "@timestamp": start, "startTime": start, "endTime": end, "durationInNanos": end - start,
        "traceId": trace, "spanId": span, "parentSpanId": event.get("parent_span_id") or "",
        "name": event.get("name", ""), "kind": kind, "status": {"code": _STATUS.get(str(status.get("code")), 0)},
    }  # fmt: skip
    if message := status.get("message"):
        record["status"]["message"] = message
    for name in ("attributes", "events", "links"):
        if held := event.get(name):
            record[name] = held
    known = {*_SPAN, "attributes", "events", "links", "status"}
    if more := {name: value for name, value in event.items() if name not in known}:
        record["attributes"] = {**more, **record.get("attributes", {})}
    return _described(record, fields)


_SPAN = ("trace_id", "span_id", "parent_span_id", "name", "kind", "start_time", "end_time")


def _described(record: Record, fields: dict[str, Any]) -> Record:
    """Return `record` with `fields` as attributes of its resource, which is where the exporter has them from."""
    known = record.get("resource", {}).get("attributes", {})
    record["resource"] = {"attributes": {**known, **fields}}
    if isinstance(service := fields.get("service.name"), str) and service:
        record["serviceName"] = service
    return record


def _is_metric(fields: dict[str, Any]) -> bool:
    return "_value" in fields or any(name.startswith(_METRIC) for name in fields)


def _metrics(outer: Record, fields: dict[str, Any]) -> list[Record]:
    """Return a data point per `metric_name:…`, or of the older form `metric_name` with `_value`."""
    values = {name[len(_METRIC) :]: value for name, value in fields.items() if name.startswith(_METRIC)}
    rest = {name: value for name, value in fields.items() if not name.startswith(_METRIC)}
    if isinstance(name := rest.get("metric_name"), str) and "_value" in rest:
        values[rest.pop("metric_name")] = rest.pop("_value")
    kind = rest.pop("metric_type", None)
    points = []
    for name, value in values.items():
        record: Record = {**outer, "name": name, "value": _number(value), "attributes": dict(rest)}
        if isinstance(kind, str):
            record["kind"] = kind.upper()
        if "@timestamp" in outer:
            record["time"] = outer["@timestamp"]
        if isinstance(service := rest.get("service.name"), str) and service:
            record["serviceName"] = service
        points.append(record)
    return points


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
