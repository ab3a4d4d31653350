"""CloudWatch Logs as it leaves AWS: subscription payloads, `get-log-events` answers, single exported events.

Each event's message is a line of the log that was shipped there and is parsed as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.formats.json_lines import decode_object
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_EVENT = frozenset({"timestamp", "message", "ingestionTime", "eventId", "id", "logStreamName", "ptr"})
_SHARED = {"logGroup": "aws.log.group.names", "logStream": "aws.log.stream.names", "owner": "cloud.account.id"}
_NAMES = {
    "eventId": "aws.log.event.id",
    "id": "aws.log.event.id",
    "logStreamName": "aws.log.stream.names",
    "ptr": "aws.log.event.ptr",
    "ingestionTime": "aws.log.ingestion_time",
}


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the shipped line, or lines, of each JSON object that CloudWatch wrote."""
    return [_one(line, times) if '"timestamp"' in line and '"message"' in line else None for line in lines]


def _one(line: str, times: Times) -> Wrapped | None:
    fields = decode_object(line)
    if fields is None:
        return None
    events = fields.get("logEvents", fields.get("events"))
    if not isinstance(events, list):
        return _event(fields, {}, times) if {"ingestionTime", "eventId", "logStreamName"} & fields.keys() else None
    shared: dict[str, Any] = {}
    for name, target in (
        ("logGroup", "aws.log.group.names"),
        ("logStream", "aws.log.stream.names"),
        ("owner", "cloud.account.id"),
    ):
        if isinstance(value := fields.get(name), str):
            shared[target] = value
    found = [_event(event, shared, times) if isinstance(event, dict) else None for event in events]
    whole = [event for event in found if event is not None]
    if not whole or len(whole) != len(found):
        return None
    whole[0].more = whole[1:]
    return whole[0]


def _event(event: dict[str, Any], shared: dict[str, Any], times: Times) -> Wrapped | None:
    time, message = event.get("timestamp"), event.get("message")
    if not event.keys() <= _EVENT or type(time) is not int or type(message) is not str:
        return None
    moment = times.epoch(time)
    if moment is None:
        return None
    attributes = {**shared, **{_NAMES[name]: value for name, value in event.items() if name in _NAMES}}
    outer: Record = {"@timestamp": moment}
    if attributes:
        outer["attributes"] = attributes
    return Wrapped(outer, message, str(attributes.get("aws.log.stream.names", "")))


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="cloudwatch",
        hint=r'\{.*"timestamp"',
        title="CloudWatch Logs export",
        parse=parse,
        rank=10,
        begins=frozenset("{"),
    )
