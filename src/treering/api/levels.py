"""The level and the message of a record, found in the fields that logging libraries use.

`level_of` (for records) and `level_sql` (for counting them in the store) read the same tables, so a histogram and the
rows under it never disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.api.lines import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEVELS = ("fatal", "error", "warn", "info", "debug", "trace")
LEVEL_FIELDS = ("severityText", "severityNumber", "level", "log.level", "log.syslog.severity.name")
MESSAGE_FIELDS = ("body", "message", "msg", "log", "event", "name")

_METHODS = ("GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "HEAD ", "OPTIONS ")
_NAMES = {
    "fatal": ("fatal", "critical", "crit", "emerg", "emergency", "alert", "panic", "dpanic", "f", "c"),
    "error": ("error", "err", "severe", "eror", "failure", "e"),
    "warn": ("warn", "warning", "w"),
    "info": ("info", "information", "informational", "notice", "success", "log", "i", "n"),
    "debug": ("debug", "dbug", "fine", "verbose", "d"),
    "trace": ("trace", "finer", "finest", "t"),
}
_NUMBERED = ("trace", "debug", "info", "warn", "error", "fatal")  # OpenTelemetry: each name has four numbers
_BY_NAME = {text: level for level, texts in _NAMES.items() for text in (*texts, *(f"{level}{n}" for n in (2, 3, 4)))}
# severityNumber: OpenTelemetry logs data model; `level` as a number: Bunyan and Pino.
_BY_NUMBER = {n: _NUMBERED[(n - 1) // 4] for n in range(1, 25)}
_BUNYAN = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}


def lookup(record: Mapping[str, Any], name: str) -> Any:
    """Return the value of the logical field `name`, however its dots are nested, or None."""
    if name in record:
        return record[name]
    position = name.find(".")
    while position > 0:
        inner = record.get(name[:position])
        if isinstance(inner, dict) and (found := lookup(inner, name[position + 1 :])) is not None:
            return found
        position = name.find(".", position + 1)
    return None


def level_of(record: Mapping[str, Any]) -> str | None:
    """Return one of `LEVELS`, or None when the record names none that is known."""
    for name in LEVEL_FIELDS:
        value = lookup(record, name)
        if isinstance(value, str) and (level := _BY_NAME.get(value.strip().lower())):
            return level
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers = _BY_NUMBER if name == "severityNumber" else _BUNYAN
            if level := numbers.get(int(value) if value == int(value) else -1):
                return level
    return None


def message_of(record: Mapping[str, Any], limit: int = 2000) -> str:
    """Return the text that says what happened, at most `limit` characters of it.

    A record without one (audit lines of JSON) is told by its attributes.
    """
    for name in MESSAGE_FIELDS:
        value = record.get(name)
        if isinstance(value, str) and value:
            return (value + _answer(value, record))[:limit]
        if isinstance(value, dict | list) and value:
            return msgspec.json.encode(value).decode()[:limit]
    return line(record, limit)


def _answer(text: str, record: Mapping[str, Any]) -> str:
    """Return what an access log says beside its request line, as ` 502 in 31 ms`; empty for every other text."""
    if not text.startswith(_METHODS):
        return ""
    status = lookup(record, "attributes.http.response.status_code")
    if status is None or str(status) in text:
        return ""
    took = lookup(record, "attributes.http.server.request.duration")
    if not isinstance(took, int | float):
        return f" {status}"
    ms = took * 1e3
    return f" {status} in {ms:.0f} ms" if ms >= 100 else f" {status} in {ms:.3g} ms"


def level_sql(columns: Iterable[tuple[str, bool]]) -> exp.Expression:
    """Return SQL for the level of a row: a string of `LEVELS`, or NULL.

    `columns` are the level fields that the table has, as (name, whether it is a number), in the order of
    `LEVEL_FIELDS`.
    """
    parts: list[exp.Expression] = []
    for name, is_number in columns:
        column = exp.column(exp.to_identifier(name, quoted=True))
        parts.append(_number_case(column, name) if is_number else _text_case(column))
    if not parts:
        return exp.cast(exp.Null(), "VARCHAR")
    return parts[0] if len(parts) == 1 else exp.Coalesce(this=parts[0], expressions=parts[1:])


def _text_case(column: exp.Expression) -> exp.Expression:
    lowered = exp.Lower(this=exp.Trim(this=exp.cast(column, "VARCHAR")))
    case = exp.Case()
    for level in LEVELS:
        names = [text for text, meant in _BY_NAME.items() if meant == level]
        case = case.when(lowered.copy().isin(*names), exp.Literal.string(level))
    return case


def _number_case(column: exp.Expression, name: str) -> exp.Expression:
    numbers = _BY_NUMBER if name == "severityNumber" else _BUNYAN
    case = exp.Case()
    for level in LEVELS:
        case = case.when(
            column.copy().isin(*(number for number, meant in numbers.items() if meant == level)),
            exp.Literal.string(level),
        )
    return case
