"""A line for a record without a message: what an audit line says, else its attributes as `name=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.parse import vector_access

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_VALUE = 200
_MOST_FIELDS = 40
# What every record has beside what it says, by the first part of its name.
_ABOUT = frozenset(
    """@timestamp time observedTime startTime endTime severityText severityNumber level flags droppedAttributesCount
    serviceName resource instrumentationScope traceId spanId parentSpanId _id""".split()
)
_MEANINGLESS = ("build_", "rbac_log_")


def line(record: Mapping[str, Any], limit: int) -> str:
    """Return one line of at most `limit` characters; empty for a record that says nothing."""
    attributes = record.get("attributes")
    held = attributes if isinstance(attributes, dict) else {}
    if held.get("component") == "RBAC" and (said := _access(held, record)):
        return said[:limit]
    found: list[str] = []
    for name, value in _fields(record):
        if len(found) < _MOST_FIELDS and not name.startswith(_MEANINGLESS):
            found.append(f"{name}={_shown(value)}")
    return " ".join(found)[:limit]


def _access(attributes: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Return who did what to what, as `bot: read HrPolicies, allowed`."""
    row = {name: value if isinstance(value, str) else _shown(value) for name, value in attributes.items()}
    said = vector_access.weaviate({**row, "level": str(record.get("severityText", "")).lower()})
    if not said or not said.get(vector_access.USER):
        return ""
    names = (vector_access.COLLECTION, vector_access.ROLE, vector_access.TARGET, vector_access.KIND)
    about = next((said[name] for name in names if said.get(name)), "")
    return f"{said[vector_access.USER]}: {said[vector_access.OPERATION]} {about}, {said[vector_access.RESULT]}"


def _fields(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name == "attributes" and isinstance(value, dict):
            yield from ((inner, held) for inner, held in value.items() if held not in (None, "", [], {}))
        elif name.partition(".")[0] not in _ABOUT and value not in (None, "", [], {}):
            yield name, value


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value[:_MOST_VALUE] if value.isprintable() and " " not in value else _encoded(value[:_MOST_VALUE])
    return _encoded(value)


def _encoded(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()[: _MOST_VALUE * 5]
    except (UnicodeEncodeError, RecursionError, TypeError):
        return "…"
