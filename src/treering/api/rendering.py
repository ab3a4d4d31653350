"""Records as `/api/*` shows them: exact integers, RFC 3339 instants, bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.api.levels import level_of, message_of
from treering.model.schema import is_time_field
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

# JavaScript's numbers are exact to 2^53 (ECMA-262, Number.MAX_SAFE_INTEGER is one less).
_SAFE = 2**53
_PREVIEW_CHARACTERS = 8192
_PREVIEW_ITEMS = 200


def exact(value: Any) -> Any:
    """Return `value` with every integer that JavaScript cannot hold as its decimal digits."""
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    if isinstance(value, int) and not -_SAFE <= value <= _SAFE and not isinstance(value, bool):
        return str(value)
    return value


def preview(value: Any) -> Any:
    """Return `value` with long texts and long lists cut, each cut ending in `…` and what is missing."""
    if isinstance(value, str) and len(value) > _PREVIEW_CHARACTERS:
        return f"{value[:_PREVIEW_CHARACTERS]}… ({len(value) - _PREVIEW_CHARACTERS} more characters)"
    if isinstance(value, dict):
        return {name: preview(item) for name, item in value.items()}
    if isinstance(value, list) and len(value) > _PREVIEW_ITEMS:
        return [*map(preview, value[:_PREVIEW_ITEMS]), f"… ({len(value) - _PREVIEW_ITEMS} more)"]
    return [preview(item) for item in value] if isinstance(value, list) else value


def dated(stream: str, record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the record with the nanoseconds in its time fields as RFC 3339."""
    out: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            out[name] = dated(stream, value, f"{prefix}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool) and is_time_field(stream, prefix + name):
            out[name] = format_ns(value)
        else:
            out[name] = value
    return out


def whole(stream: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record as its sender wrote it, fit for JSON."""
    shown: dict[str, Any] = exact(dated(stream, record))
    return shown


def row(stream: str, seq: int, time_ns: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one line of a record list: reference, time, level, message, and the record, long values cut."""
    return {
        "ref": f"{stream}/{seq}",
        "stream": stream,
        "time": format_ns(time_ns),
        "level": level_of(record),
        "message": message_of(record),
        "record": preview(whole(stream, record)),
    }
