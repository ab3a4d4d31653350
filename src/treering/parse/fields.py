"""From a sender's fields to a record: which of them are the time, the level, the message; all others are kept.

The names are those of ECS, structlog, loguru, python-json-logger, Bunyan, pino, zerolog, zap, logrus, slog, Serilog,
GELF, journald, CloudWatch, Google Cloud and Docker. What is recognised moves to its field of the model; everything
else stays under `attributes` by its own name, nested values and nulls included.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from treering.parse.pairs import seconds
from treering.parse.severity import BY_NAME, INFO, WARN, from_number, from_python, from_status, severity_number
from treering.parse.stacktraces import holds_trace, summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.stage.parser import Record, Times

# In order of trust. The second line of each holds names that other data use too: they count only beside another one.
_TIME = (
    "@timestamp", "timestamp", "time", "ts", "@t", "asctime", "Timestamp", "TimeStamp", "eventTime", "event_time",
    "datetime", "time_ms", "__REALTIME_TIMESTAMP", "_time", "logged_at", "timeUnixNano", "time_unix_nano",
    "TIMESTAMP", "date", "created", "created_at", "createdAt", "t", "when", "receiveTimestamp",
    "Time", "DateTime", "Date", "lastTimestamp", "firstTimestamp", "TimeGenerated", "TimeGenerated [UTC]", "Wall time",
)  # fmt: skip
_LEVEL = (
    "level", "severity", "log.level", "levelname", "severityText", "severity_text", "SeverityText", "loglevel",
    "log_level", "logLevel", "lvl", "@l", "Level", "LEVEL", "levelno", "PRIORITY", "syslog_severity", "error_severity",
    "status", "Status", "priority", "s",
)  # fmt: skip
_MESSAGE = (
    "message", "msg", "short_message", "textPayload", "@m", "MESSAGE", "Message", "@mt", "logMessage", "log_message",
    "event", "body", "text", "log", "description", "Content", "LogEntry", "LogMessage", "Line", "line", "@message",
    "_raw",
)  # fmt: skip
_SERVICE = (
    "service.name",
    "serviceName",
    "service_name",
    "service",
    "Service",
    "SYSLOG_IDENTIFIER",
    "otelServiceName",
    "dd.service",
)
_TRACE = (
    "trace.id", "trace_id", "traceId", "traceID", "TraceId", "otelTraceID", "dd.trace_id",
    "logging.googleapis.com/trace", "trace",
)  # fmt: skip
_SPAN = (
    "span.id", "span_id", "spanId", "spanID", "SpanId", "otelSpanID", "dd.span_id", "logging.googleapis.com/spanId",
)  # fmt: skip
_COMMON = frozenset({
    "date", "created", "created_at", "createdAt", "t", "when", "receiveTimestamp", "status", "priority", "s", "event",
    "body", "text", "log", "description", "datetime", "TIMESTAMP", "Time", "DateTime", "Date", "Content",
    "Line", "line", "Status",
})  # fmt: skip
_NESTED = ("log", "service", "trace", "span", "event", "record", "jsonPayload", "httpRequest")
_TRACES = ("exc_info", "stacktrace", "stack_trace", "exception", "traceback", "stack", "exc_text", "error.stack_trace")
# An exchange with a model that has a time is a log of it.
_EXCHANGE = frozenset({"messages", "choices", "completion", "usage", "response", "request", "prompt"})
_EVENT_TYPES = {"Normal": INFO, "Warning": WARN}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{16}(?:[0-9a-fA-F]{16})?")
_ACCESS = re.compile(r'(\S+?)(?::(\d+))? - "([A-Z]{3,10}) (\S+) HTTP/(\d(?:\.\d)?)" (\d{3})')
_OLDEST_NUMBER = 100_000_000  # a number below is a duration or a counter, not seconds since 1970


class Document(dict[str, Any]):
    """An object of a sender that is no log and stays as it is."""


class Plan(NamedTuple):
    """Which of an object's keys may be what, for objects with the same keys."""

    time: tuple[str, ...]
    level: tuple[str, ...]
    message: tuple[str, ...]
    service: tuple[str, ...]
    trace: tuple[str, ...]
    span: tuple[str, ...]
    stack: tuple[str, ...]
    nested: bool
    model: bool
    exchange: bool


TRACE_NAMES = frozenset(_TRACE)
# What only a log record says of itself.
LOG_NAMES = frozenset({*_TIME, *_LEVEL, *_MESSAGE}) - _COMMON
_plans: dict[tuple[str, ...], Plan] = {}


def _plan(keys: tuple[str, ...]) -> Plan:
    plan = _plans.get(keys)
    if plan is None:
        present = frozenset(keys)
        names = (_TIME, _LEVEL, _MESSAGE, _SERVICE, _TRACE, _SPAN, _TRACES)
        picked = [tuple(name for name in group if name in present) for group in names]
        nested = not present.isdisjoint(_NESTED)
        model = "body" in present and bool(present & {"severityText", "severityNumber", "observedTime"})
        time, level, message, service, trace, span, stack = picked
        said = present & _EXCHANGE
        exchange = len(said) > 1 or (bool(said) and "model" in present)
        plan = Plan(time, level, message, service, trace, span, stack, nested, model, exchange)
        if len(_plans) >= 4096:
            _plans.clear()
        _plans[keys] = plan
    return plan


def instant(value: Any, times: Times) -> int | None:
    """Return the instant that a field's value names in nanoseconds, or None."""
    if type(value) is str:
        return times(f"{value}T00:00:00Z") if len(value) == 10 and _DAY.fullmatch(value) else times(value)
    if type(value) in {int, float} and value >= _OLDEST_NUMBER:
        return times.epoch(value)
    if type(value) is dict and len(value) == 1 and type(text := value.get("$date")) is str:  # MongoDB's extended JSON
        return times(text)
    return None


def shape(fields: dict[str, Any], times: Times, *, force: bool = False) -> Record | None:
    """Return the record of a sender's `fields` (which it takes over), or None, and `fields` untouched, for no log.

    A log has a time, a level or a message under a name that logs use; an exchange with a model is one if it has a
    time. With `force` whatever comes is one.
    """
    plan = _plan(tuple(fields))
    if plan.model:
        return _as_it_is(fields, times)
    record: Record = {}
    moved: list[str] = []
    evidence = 2 if force else 0
    evidence += plan.exchange
    evidence += _pick(record, fields, plan, times, moved)
    if plan.nested:
        evidence += _nested(record, fields, times)
        # loguru's `text` is its whole formatted line; the message is inside.
        if "text" in moved and record["body"] is not fields["text"]:
            moved.remove("text")
    if evidence < 2:
        return None
    for key in moved:
        del fields[key]
    _enrich(record, fields, plan)
    if fields:
        record["attributes"] = fields
    return record


def _pick(record: Record, fields: dict[str, Any], plan: Plan, times: Times, moved: list[str]) -> int:
    """Set time, level and message, note the names they came from, and return how telling those are."""
    evidence = 0
    for key in plan.time:
        if (moment := instant(fields[key], times)) is not None:
            record["@timestamp"] = moment
            evidence += 1 if key in _COMMON else 2
            moved.append(key)
            break
    for key in plan.level:
        if (level := _level(key, fields[key])) is not None:
            record["severityText"], record["severityNumber"] = level
            if type(fields[key]) is str:
                evidence += 1 if key in _COMMON else 2
                moved.append(key)
            break
    kind = fields.get("type")
    if "severityText" not in record and type(kind) is str and kind in _EVENT_TYPES and "reason" in fields:
        record["severityText"], record["severityNumber"] = kind, _EVENT_TYPES[kind]  # an event of Kubernetes
        evidence += 2
    for key in plan.message:
        if type(body := fields[key]) is str:
            record["body"] = body
            evidence += 1 if key in _COMMON else 2
            moved.append(key)
            break
    return evidence


def _enrich(record: Record, fields: dict[str, Any], plan: Plan) -> None:
    """Find who speaks, in which trace, and what the message itself says."""
    for key in plan.service:
        if type(name := fields[key]) is str and name:
            record["serviceName"] = fields.pop(key)
            break
    for names, target in ((plan.trace, "traceId"), (plan.span, "spanId")):
        for key in names:
            if (found := identifier(fields[key])) is not None:
                record.setdefault(target, found)
                del fields[key]
                break
    if plan.stack:
        _exception(fields, plan.stack)
    if plan.nested and isinstance(request := fields.get("httpRequest"), dict):
        _google_request(record, fields, request)
    if (body := record.get("body")) and "HTTP/" in body:
        _access(fields, body)


def _access(fields: dict[str, Any], body: str) -> None:
    """Add what a message that is an access-log line of uvicorn says."""
    if access := _ACCESS.match(body):
        for name, text in zip(_ACCESS_FIELDS, access.groups(), strict=True):
            if text is not None:
                fields.setdefault(name, int(text) if name in _ACCESS_NUMBERS else text)


_ACCESS_FIELDS = (
    "client.address", "client.port", "http.request.method", "url.path", "network.protocol.version",
    "http.response.status_code",
)  # fmt: skip
_ACCESS_NUMBERS = {"client.port", "http.response.status_code"}


_STATES = frozenset({"status", "Status", "priority"})


def _level(key: str, value: Any) -> tuple[str, int] | None:
    if type(value) is str:
        number = severity_number(value)
        if number is not None and (key not in _STATES or value.strip().lower() in BY_NAME):
            return value, number
        if value.isdigit() and len(value) <= 2 and key not in _STATES:
            return from_number(int(value))
        return None
    if type(value) in {int, float} and key not in _STATES:
        return from_python(value) if key == "levelno" else from_number(value)
    return None


def identifier(value: Any) -> str | None:
    """Return the trace or span id (32 or 16 hexadecimal digits, not all zero) that `value` is or ends with, or None."""
    if type(value) is not str:
        return None
    name = value.rsplit("/", 1)[-1]
    return name if _HEX.fullmatch(name) and name.strip("0") else None


def _exception(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    """Name the exception of a trace that a sender put into a field, where it does not do so itself."""
    for key in names:
        text = fields[key]
        if type(text) is str and holds_trace("\n" + text) and (found := summary(text)):
            fields.setdefault("exception.type", found[0])
            fields.setdefault("exception.message", found[1])
            return


def _nested(record: Record, fields: dict[str, Any], times: Times) -> int:
    """Take copies of what ECS, loguru, Google Cloud and Pinecone keep inside objects; the objects stay whole."""
    evidence = 0
    inner = {name: one for name in _NESTED if isinstance(one := fields.get(name), dict)}
    if log := inner.get("log"):
        evidence += _take_level(record, log.get("level"))
    for name, part, target in (
        ("service", "name", "serviceName"),
        ("trace", "id", "traceId"),
        ("span", "id", "spanId"),
    ):
        if (one := inner.get(name)) and type(value := one.get(part)) is str and value:
            record[target] = value
    if (event := inner.get("event")) and (moment := instant(event.get("time"), times)) is not None:
        record.setdefault("@timestamp", moment)
        evidence += 2
    if (loguru := inner.get("record")) and isinstance(loguru.get("level"), dict):
        evidence += _loguru(record, loguru, times)
    if payload := inner.get("jsonPayload"):
        for name in _MESSAGE[:5]:
            if type(text := payload.get(name)) is str:
                record.setdefault("body", text)
                evidence += 2
                break
        evidence += _take_level(record, payload.get("level"))
    return evidence


def _take_level(record: Record, value: Any) -> int:
    if "severityNumber" not in record and (level := _level("level", value)) is not None:
        record["severityText"], record["severityNumber"] = level
        return 2
    return 0


def _loguru(record: Record, inner: dict[str, Any], times: Times) -> int:
    time, level = inner.get("time"), inner["level"]
    if isinstance(time, dict) and (moment := instant(time.get("repr"), times) or instant(time.get("timestamp"), times)):
        record["@timestamp"] = moment
    if type(message := inner.get("message")) is str:
        record["body"] = message
    name, number = level.get("name"), level.get("no")
    if type(name) is str:
        found = severity_number(name) or (from_python(number) or ("", None))[1] if isinstance(number, int) else None
        record["severityText"] = name
        if found:
            record["severityNumber"] = found
    return 2


_GOOGLE = {
    "requestMethod": "http.request.method",
    "requestUrl": "url.full",
    "status": "http.response.status_code",
    "userAgent": "user_agent.original",
    "remoteIp": "client.address",
    "referer": "http.request.header.referer",
}


def _google_request(record: Record, fields: dict[str, Any], request: dict[str, Any]) -> None:
    for name, target in _GOOGLE.items():
        if (value := request.get(name)) is not None:
            fields.setdefault(target, value)
    latency = request.get("latency")
    if type(latency) is str and (duration := seconds(latency)) is not None:
        fields.setdefault("http.server.request.duration", duration)
    if type(status := request.get("status")) is int and 100 <= status <= 599:
        record.setdefault("severityNumber", from_status(status))


def _as_it_is(fields: dict[str, Any], times: Times) -> Record:
    """Return a record that already has the model's fields; strangers among them go to the attributes."""
    record: Record = {}
    attributes: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "attributes" and isinstance(value, dict):
            attributes = {**value, **attributes}
        elif name in _MODEL:
            record[name] = value
        else:
            attributes[name] = value
    if (moment := instant(record.get("@timestamp"), times)) is not None:
        record["@timestamp"] = moment
    if attributes:
        record["attributes"] = attributes
    return record


_MODEL = frozenset({
    "@timestamp", "time", "observedTime", "severityText", "severityNumber", "body", "serviceName", "traceId", "spanId",
    "resource", "instrumentationScope", "flags", "eventName", "droppedAttributesCount", "schemaUrl",
})  # fmt: skip


def is_log_shaped(objects: Iterable[dict[str, Any]], times: Times) -> bool:
    """Whether most of `objects` are log records rather than documents of another kind, such as accounts."""
    verdicts = [shape(dict(one), times) is not None for one in objects]
    return sum(verdicts) * 2 > len(verdicts)
