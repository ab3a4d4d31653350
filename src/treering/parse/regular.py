"""Regular formats: line formats that are data, with samples that prove them (`treering/content/formats/*.json`).

A pattern's named groups say what a part of the line is. A few names have a meaning of their own (`time`, `level`,
`body`, `pid` …, see `GROUPS`); a format adds its own in `fields` as `"group": "target kind"`. A target is a field of
the model or the name of an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from treering.parse.fields import TRACE_NAMES, identifier
from treering.parse.pairs import STYLES, seconds, unescape
from treering.parse.severity import from_status, severity_number
from treering.parse.times import TimeParser
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

Put: TypeAlias = "Callable[[Record, dict[str, Any], str, Times], bool]"

GROUPS = {
    "time": "@timestamp time",
    "level": "severityText level",
    "body": "body",
    "service": "serviceName",
    "trace": "traceId",
    "span": "spanId",
    "logger": "instrumentationScope.name",
    "host": "resource.host.name",
    "pid": "process.pid int",
    "thread": "thread.name",
    "tid": "thread.id int",
    "file": "code.file.path",
    "line": "code.line.number int",
    "function": "code.function.name",
    "client": "client.address",
    "client_port": "client.port int",
    "user": "user.name",
    "request": "http.request request",
    "method": "http.request.method",
    "target": "url.path target",
    "protocol": "network.protocol.version",
    "status": "http.response.status_code status",
    "size": "http.response.body.size int",
    "referer": "http.request.header.referer",
    "agent": "user_agent.original",
    "duration": "http.server.request.duration float",
    "elapsed": "http.server.request.duration seconds",
    "stack": "exception.stacktrace",
    "rank": "training.rank int",
}


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pattern: where `regex` matches, its groups become fields.

    As one of a format's `patterns` it takes a whole line, as one of `follows` a whole line after the record; as one of
    `details` it is searched in the body, or in the attribute `of`, if `has` occurs there.
    """

    regex: str
    of: str = "body"
    has: str = ""
    fields: dict[str, str] = {}
    set: dict[str, Any] = {}
    pairs: dict[str, str] = {}


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines and the records that a reader makes of them; times as RFC 3339."""

    lines: list[str]
    records: list[dict[str, Any]]


class FormatData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of `content/formats`."""

    name: str
    title: str
    samples: list[Sample]
    not_this: list[str]
    about: str = ""
    rank: int = 50
    begins: str = ""
    multiline: bool = False
    module: str = ""
    patterns: list[Detail] = []
    details: list[Detail] = []
    follows: list[Detail] = []
    set: dict[str, Any] = {}


_TOP = frozenset({"@timestamp", "body", "severityText", "severityNumber", "serviceName", "traceId", "spanId"})


def put(record: Record, name: str, value: Any) -> None:
    """Set a field of the model, a resource attribute (`resource.x`) or an attribute (any other name)."""
    if name in _TOP:
        record[name] = value
    elif name.startswith("resource."):
        record.setdefault("resource", {}).setdefault("attributes", {})[name[9:]] = value
    elif name == "instrumentationScope.name":
        record["instrumentationScope"] = {"name": value}
    else:
        record.setdefault("attributes", {})[name] = value


def split_target(attributes: dict[str, Any], target: str) -> None:
    """Put the target of a request line into `url.path` and `url.query`, or `url.full` when it is absolute."""
    if target.startswith(("http://", "https://")):
        attributes["url.full"] = target
        return
    path, mark, query = target.partition("?")
    attributes["url.path"] = path
    if mark:
        attributes["url.query"] = query


_REQUEST = re.compile(r"([A-Z]{3,20}) (\S+)(?: HTTP/(\d(?:\.\d)?))?")


def split_request(attributes: dict[str, Any], request: str) -> None:
    """Put a request line (`GET /v1/models HTTP/1.1`) into its semantic-convention attributes, as far as it is one."""
    found = _REQUEST.fullmatch(request)
    if found is None:
        attributes["http.request.line"] = request
        return
    attributes["http.request.method"] = found[1]
    split_target(attributes, found[2])
    if found[3]:
        attributes["network.protocol.version"] = found[3]


def _as_time(name: str) -> Put:
    def apply(record: Record, attributes: dict[str, Any], text: str, times: Times) -> bool:
        value = times(text)
        if value is None:
            return False
        if name == "@timestamp":
            record[name] = value
        else:
            attributes[name] = text
        return True

    return apply


def _as_level(record: Record, _attributes: dict[str, Any], text: str, _times: Times) -> bool:
    number = severity_number(text)
    if number is None:
        return False
    record["severityText"] = text
    record["severityNumber"] = number
    return True


def _as_status(record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
    attributes["http.response.status_code"] = status = int(text)
    record.setdefault("severityNumber", from_status(status))
    return True


def _as_target(_record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
    split_target(attributes, text)
    return True


def _as_request(_record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
    split_request(attributes, text)
    return True


def _int(text: str) -> int | str:
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 19 else text


def _float(text: str) -> float | str:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text


def _seconds(text: str) -> float | str:
    value = seconds(text)
    return text if value is None else value


def _millis(text: str) -> float | str:
    """Return the seconds of a number of milliseconds."""
    try:
        return float(f"{text}e-3")
    except ValueError:
        return text


def _as_quoted(name: str) -> Put:
    inner = _as_text(name)

    def apply(record: Record, attributes: dict[str, Any], text: str, times: Times) -> bool:
        return inner(record, attributes, unescape(text), times)

    return apply


def _as_number(name: str, read: Callable[[str], float | str]) -> Put:
    def apply(_record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
        attributes[name] = read(text)
        return True

    return apply


def _as_text(name: str) -> Put:
    if name in _TOP:

        def top(record: Record, _attributes: dict[str, Any], text: str, _times: Times) -> bool:
            record[name] = text
            return True

        return top
    if name.startswith("resource.") or name == "instrumentationScope.name":

        def deep(record: Record, _attributes: dict[str, Any], text: str, _times: Times) -> bool:
            put(record, name, text)
            return True

        return deep

    if name == "tracing.spans":

        def listed(_record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
            attributes[name] = [*attributes.get(name, ()), text]
            return True

        return listed

    def flat(_record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
        attributes[name] = text
        return True

    return flat


def _as_pairs(style: str, prefix: str) -> Put:
    read = STYLES[style]

    def apply(record: Record, attributes: dict[str, Any], text: str, _times: Times) -> bool:
        pairs, extent = read(text)
        for key, value in pairs.items():
            if key in TRACE_NAMES and (found := identifier(value)):
                record.setdefault("traceId", found)
            else:
                attributes[prefix + key] = value
        if rest := text[extent:].strip():
            attributes.setdefault("log.rest", rest)
        return True

    return apply


_WHOLE: dict[str, Put] = {"level": _as_level, "status": _as_status, "target": _as_target, "request": _as_request}
_NUMBERS: dict[str, Callable[[str], float | str]] = {
    "int": _int,
    "float": _float,
    "seconds": _seconds,
    "millis": _millis,
}


def _step(target: str) -> Put:
    name, _, kind = target.partition(" ")
    if kind in {"time", "quoted"}:
        return _as_time(name) if kind == "time" else _as_quoted(name)
    if kind in _NUMBERS:
        return _as_number(name, _NUMBERS[kind])
    return _WHOLE[kind] if kind else _as_text(name)


_NAMES = re.compile(r"\(\?P<\w+>")


class Pattern:
    """A compiled `Detail`."""

    def __init__(self, data: Detail, constants: dict[str, Any]) -> None:
        """Compile `data`; `constants` are set on every record. Raises `KeyError` or `re.error` when it is wrong."""
        self.regex = re.compile(data.regex)
        self.has = data.has
        self.of = data.of
        self.constants = list({**constants, **data.set}.items())
        self.steps: list[tuple[int, Put]] = []
        for name, index in self.regex.groupindex.items():
            if name in data.pairs:
                style, _, prefix = data.pairs[name].partition(" ")
                self.steps.append((index - 1, _as_pairs(style, prefix)))
            else:
                self.steps.append((index - 1, _step(data.fields.get(name) or GROUPS[name])))

    def build(self, found: re.Match[str], times: Times) -> Record | None:
        """Return the record of a match, or None when a part is not what its group says."""
        record: Record = {}
        return record if self.fill(record, found, times) else None

    def fill(self, record: Record, found: re.Match[str], times: Times) -> bool:
        """Add what a match says to `record`; False when a part is not what its group says."""
        attributes: dict[str, Any] = record.get("attributes") or {}
        groups = found.groups()
        for index, apply in self.steps:
            text = groups[index]
            if text is not None and text != "-" and not apply(record, attributes, text, times):
                return False
        if attributes:
            record["attributes"] = attributes
        for name, value in self.constants:
            put(record, name, value)
        return True


def regular(data: FormatData) -> LineFormat:
    """Return the line format that `data` describes."""
    patterns = [Pattern(one, data.set) for one in data.patterns]
    details = [Pattern(one, {}) for one in data.details]
    follows = [Pattern(one, {}) for one in data.follows]

    def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
        return [_one(line, patterns, details, times) for line in lines]

    def finish(record: Record, lines: Sequence[str]) -> bool:
        found = [_first(follows, line) for line in lines]
        if None in found:
            return False
        for one in found:
            if one is not None:
                one[0].fill(record, one[1], TimeParser())
        return True

    begins = (
        frozenset(filter(re.compile(f"[{data.begins}]").match, map(chr, range(128)))) if data.begins else frozenset()
    )
    hint = "|".join(rf"(?:{_NAMES.sub('(?:', one.regex)})\Z" for one in data.patterns)
    return LineFormat(
        hint=hint,
        name=data.name, title=data.title, parse=parse, rank=data.rank, begins=begins, multiline=data.multiline,
        finish=finish if follows else None,
    )  # fmt: skip


def _first(patterns: Sequence[Pattern], line: str) -> tuple[Pattern, re.Match[str]] | None:
    for pattern in patterns:
        if found := pattern.regex.fullmatch(line):
            return pattern, found
    return None


def _one(line: str, patterns: Sequence[Pattern], details: Sequence[Pattern], times: Times) -> Record | None:
    for pattern in patterns:
        found = pattern.regex.fullmatch(line)
        if found is None:
            continue
        record = pattern.build(found, times)
        if record is None:
            continue
        for detail in details:
            text = record.get("body") if detail.of == "body" else record.get("attributes", {}).get(detail.of)
            if text and detail.has in text and (inner := detail.regex.search(text)):
                detail.fill(record, inner, times)
        return record
    return None
