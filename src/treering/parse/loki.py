"""Loki's push requests, protobuf or JSON, to records (grafana.com/docs/loki, "HTTP API"; pkg/logproto)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import DecodeError
from treering.parse.fields import identifier
from treering.parse.messages import records as explain
from treering.parse.prometheus import labels_of
from treering.parse.protobuf import decode, messages
from treering.parse.severity import severity_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.parse.messages import Message
    from treering.stage.parser import Record

_MESSAGES = messages(
    "logproto",
    {
        "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
        "Label": {"name": (1, "string"), "value": (2, "string")},
        "Entry": {"timestamp": (1, "Timestamp"), "line": (2, "bytes"), "metadata": (3, "*Label")},
        "Stream": {"labels": (1, "string"), "entries": (2, "*Entry")},
        "PushRequest": {"streams": (1, "*Stream")},
    },
)
_SERVICES = ("service_name", "service", "app", "job")
_LEVELS = ("level", "detected_level", "severity")
_TRACES = (("trace_id", "traceId"), ("traceID", "traceId"), ("span_id", "spanId"), ("spanID", "spanId"))
_MAX_NS = 2**63


@dataclass(slots=True)
class Push:
    """The records of a request, and how many of its entries are none."""

    records: list[Record] = field(default_factory=list)
    rejected: int = 0


def from_protobuf(body: bytes, now_ns: int) -> Push:
    """Return the records of an unpacked protobuf request. Raises `DecodeError`."""
    push, found = Push(), []
    for stream in decode(_MESSAGES["PushRequest"], body).streams:
        labels = labels_of(stream.labels.strip().removeprefix("{").removesuffix("}"))
        if labels is None:
            push.rejected += len(stream.entries)
            continue
        for entry in stream.entries:
            moment = entry.timestamp.seconds * 1_000_000_000 + entry.timestamp.nanos
            metadata = {pair.name: pair.value for pair in entry.metadata}
            found.append((_outer(moment, labels, metadata), entry.line.decode("utf-8", "replace")))
    return _explained(push, found, now_ns)


def from_json(body: bytes, now_ns: int) -> Push:
    """Return the records of a JSON request. Raises `DecodeError`."""
    try:
        streams = msgspec.json.decode(body, type=dict[str, Any]).get("streams")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not json: {error}") from error
    if not isinstance(streams, list):
        raise DecodeError("a push request has a list of streams")
    push, found = Push(), []
    for item in (item for stream in streams for item in _entries(stream)):
        if item is None:
            push.rejected += 1
        else:
            found.append(item)
    return _explained(push, found, now_ns)


def _entries(stream: Any) -> Iterator[Message | None]:
    labels = stream.get("stream") if isinstance(stream, dict) else None
    values = stream.get("values") if isinstance(stream, dict) else None
    if not isinstance(labels, dict) or not isinstance(values, list):
        yield None
        return
    named = {str(name): text for name, text in labels.items()}
    for value in values:
        yield _entry(value, named)


def _entry(value: Any, labels: Mapping[str, Any]) -> Message | None:
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[1], str):
        return None
    time = value[0]
    if not isinstance(time, str) or not time.isascii() or not time.isdigit() or int(time) >= _MAX_NS:
        return None
    metadata = value[2] if len(value) > 2 and isinstance(value[2], dict) else {}
    return _outer(int(time), labels, metadata), value[1]


def _outer(moment: int, labels: Mapping[str, Any], metadata: Mapping[str, Any]) -> Record:
    attributes = {**labels, **metadata}
    record: Record = {"@timestamp": moment} if 0 < moment < _MAX_NS else {}
    if attributes:
        record["attributes"] = attributes
    for name in _SERVICES:
        if isinstance(service := attributes.get(name), str) and service:
            record["serviceName"] = service
            break
    for name in _LEVELS:
        if isinstance(level := attributes.get(name), str) and (number := severity_number(level)) is not None:
            record["severityText"], record["severityNumber"] = level, number
            break
    for name, target in _TRACES:
        if (known := identifier(attributes.get(name))) is not None:
            record[target] = known
    return record


def _explained(push: Push, found: list[Message], now_ns: int) -> Push:
    whole = [(outer, text) for outer, text in found if text]
    push.records = explain(whole, now_ns)
    push.rejected += len(found) - len(whole)
    return push
