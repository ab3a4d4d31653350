"""The messages of OTLP as JSON has them ("JSON Protobuf Encoding" of the OTLP specification), shaped like upb's.

Ids are hexadecimal, 64-bit integers numbers or strings, enumerations numbers or names, unknown members ignored.
`rename="camel"` gives the wire names; `HasField` and `WhichOneof` are what the record builders ask a message for.
"""

from __future__ import annotations

import binascii
from typing import Any, ClassVar

import msgspec

from treering.parse.otlp_traces import KINDS

_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITY_NUMBERS = {
    f"SEVERITY_NUMBER_{name}{step or ''}": 4 * rank + max(step, 1)
    for rank, name in enumerate(_SEVERITIES)
    for step in (0, 2, 3, 4)
}
_ENUMS = {
    **{name: number for number, name in KINDS.items()},
    **_SEVERITY_NUMBERS,
    "SEVERITY_NUMBER_UNSPECIFIED": 0,
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
    "AGGREGATION_TEMPORALITY_UNSPECIFIED": 0,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
}
_MAX_U64, _MIN_I64, _MAX_I64 = 2**64 - 1, -(2**63), 2**63 - 1


class Message(msgspec.Struct, rename="camel"):
    """Base of the messages; `ONEOF` names the members of which at most one is set."""

    ONEOF: ClassVar[tuple[str, ...]] = ()

    def HasField(self, name: str) -> bool:  # noqa: N802  protobuf's name
        """Whether the optional member `name` was sent."""
        return getattr(self, name) is not None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802  protobuf's name
        """Return the name of the member that was sent, or None."""
        for name in self.ONEOF:
            if getattr(self, name) is not None:
                return name
        return None


def identifier(text: str) -> bytes:
    """Return the bytes of a hexadecimal id. Raises `ValueError`."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("an id is not hexadecimal") from None


def enumeration(value: int | str) -> int:
    """Return the number of an enumeration's value, given by number or name. Raises `ValueError`."""
    if isinstance(value, int):
        return value
    if (known := _ENUMS.get(value)) is not None:
        return known
    if value.removeprefix("-").isdecimal():
        return int(value)
    raise ValueError("unknown enumeration name")


def unsigned(*values: int) -> None:
    """Raise `ValueError` unless all values fit 64 bits without sign."""
    if not all(0 <= value <= _MAX_U64 for value in values):
        raise ValueError("a number is beyond 64 bits")


class ArrayValue(Message):
    """A list of values."""

    values: list[AnyValue] = []


class KeyValueList(Message):
    """A nested set of attributes."""

    values: list[KeyValue] = []


class AnyValue(Message):
    """A value of any type; nothing set is null."""

    ONEOF = (
        "string_value",
        "int_value",
        "double_value",
        "bool_value",
        "array_value",
        "kvlist_value",
        "bytes_value",
    )

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: Any = None

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        if self.int_value is not None and not _MIN_I64 <= self.int_value <= _MAX_I64:
            raise ValueError("intValue is beyond 64 bits")
        if self.bytes_value is not None:
            try:
                self.bytes_value = binascii.a2b_base64(self.bytes_value, strict_mode=True)
            except (ValueError, TypeError):
                raise ValueError("bytesValue is not base64") from None


class KeyValue(Message):
    """One attribute."""

    key: str = ""
    value: AnyValue = msgspec.field(default_factory=AnyValue)


class EntityRef(Message):
    """What a resource's attributes identify."""

    schema_url: str = ""
    type: str = ""
    id_keys: list[str] = []
    description_keys: list[str] = []


class Resource(Message):
    """What sent the telemetry."""

    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0
    entity_refs: list[EntityRef] = []


class Scope(Message):
    """The library that recorded it."""

    name: str = ""
    version: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0


class LogRecord(Message):
    """One log record."""

    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    severity_number: int | str = 0
    severity_text: str = ""
    body: AnyValue | None = None
    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0
    flags: int = 0
    trace_id: Any = ""
    span_id: Any = ""
    event_name: str = ""

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        unsigned(self.time_unix_nano, self.observed_time_unix_nano)
        self.severity_number = enumeration(self.severity_number)
        self.trace_id, self.span_id = identifier(self.trace_id), identifier(self.span_id)


class Event(Message):
    """Something that happened within a span."""

    time_unix_nano: int = 0
    name: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0


class Link(Message):
    """A reference to another span."""

    trace_id: Any = ""
    span_id: Any = ""
    trace_state: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0
    flags: int = 0

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        self.trace_id, self.span_id = identifier(self.trace_id), identifier(self.span_id)


class Status(Message):
    """How a span ended."""

    code: int | str = 0
    message: str = ""

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        self.code = enumeration(self.code)


class Span(Message):
    """One span."""

    trace_id: Any = ""
    span_id: Any = ""
    trace_state: str = ""
    parent_span_id: Any = ""
    flags: int = 0
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: list[KeyValue] = []
    dropped_attributes_count: int = 0
    events: list[Event] = []
    dropped_events_count: int = 0
    links: list[Link] = []
    dropped_links_count: int = 0
    status: Status = msgspec.field(default_factory=Status)

    def __post_init__(self) -> None:
        """Check and convert what JSON spells differently. Raises `ValueError`."""
        unsigned(self.start_time_unix_nano, self.end_time_unix_nano)
        self.kind = enumeration(self.kind)
        self.trace_id, self.span_id = identifier(self.trace_id), identifier(self.span_id)
        self.parent_span_id = identifier(self.parent_span_id)


class ScopeLogs(Message):
    """Log records of one scope."""

    scope: Scope = msgspec.field(default_factory=Scope)
    log_records: list[LogRecord] = []
    schema_url: str = ""


class ResourceLogs(Message):
    """Log records of one resource."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_logs: list[ScopeLogs] = []
    schema_url: str = ""


class ScopeSpans(Message):
    """Spans of one scope."""

    scope: Scope = msgspec.field(default_factory=Scope)
    spans: list[Span] = []
    schema_url: str = ""


class ResourceSpans(Message):
    """Spans of one resource."""

    resource: Resource = msgspec.field(default_factory=Resource)
    scope_spans: list[ScopeSpans] = []
    schema_url: str = ""


class LogsRequest(Message):
    """An export request of log records."""

    resource_logs: list[ResourceLogs] = []


class TracesRequest(Message):
    """An export request of spans."""

    resource_spans: list[ResourceSpans] = []
