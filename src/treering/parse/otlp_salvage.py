"""A protobuf export request with an unreadable item: take it apart by hand and keep the item's neighbours.

An OTLP request is three levels of field 1 or 2 (resource, scope, item), so the wire format
(protobuf.dev/programming-guides/encoding) of just those levels is walked here, and everything else is left to upb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError as WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP_FIELD, _ITEM_FIELD = 2, 2
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}


def salvage(message: Any, body: bytes) -> tuple[Any, list[str]]:
    """Return `body` as `message` without what cannot be read, and the reason for each item left out.

    Both are empty when the body's frames are broken, which no rejected item explains.
    """
    request: Any = message()
    reasons: list[str] = []
    groups_name = message.DESCRIPTOR.fields[0].name
    try:
        for number, wire, chunk in _fields(body):
            if (number, wire) == (1, _LENGTH_DELIMITED):
                _salvage_group(getattr(request, groups_name), chunk, reasons)
    except ValueError:
        return message(), []
    return request, reasons


def _salvage_group(groups: Any, body: bytes, reasons: list[str]) -> None:
    kind = groups.add()
    scopes_name = kind.DESCRIPTOR.fields_by_number[_GROUP_FIELD].name
    head, scopes = _split(body)
    lost = _merge(kind, head)
    for chunk in scopes:
        scope = getattr(kind, scopes_name).add()
        items_name = scope.DESCRIPTOR.fields_by_number[_ITEM_FIELD].name
        scope_head, items = _split(chunk)
        scope_lost = lost or _merge(scope, scope_head)
        kept = getattr(scope, items_name)
        for item in items:
            if scope_lost:
                reasons.append(scope_lost)
            elif reason := _merge(kept.add(), item):
                reasons.append(reason)
                del kept[-1]


def _merge(message: Any, body: bytes) -> str | None:
    try:
        message.MergeFromString(body)
    except WireError as error:
        message.Clear()
        return f"unreadable {message.DESCRIPTOR.name}: {str(error).rpartition(': ')[2]}"
    return None


def _split(body: bytes) -> tuple[bytes, list[bytes]]:
    """Return all fields but the repeated field 2, as bytes, and the contents of those."""
    head, items = bytearray(), []
    for number, wire, chunk in _fields(body):
        if (number, wire) == (_ITEM_FIELD, _LENGTH_DELIMITED):
            items.append(chunk)
        else:
            head += _varint_bytes(number << 3 | wire)
            if wire == _LENGTH_DELIMITED:
                head += _varint_bytes(len(chunk))
            head += chunk
    return bytes(head), items


def _fields(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield field number, wire type and content. Raises `ValueError` when the frames do not fit the body."""
    position, end = 0, len(body)
    while position < end:
        tag, position = _varint(body, position)
        wire = tag & 7
        start = position
        if wire == _LENGTH_DELIMITED:
            length, start = _varint(body, position)
            position = start + length
        elif wire == 0:
            _, position = _varint(body, position)
        elif wire in _FIXED:
            position += _FIXED[wire]
        else:
            raise ValueError("group or unknown wire type")
        if position > end:
            raise ValueError("field beyond the end")
        yield tag >> 3, wire, body[start:position]


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(body) or shift > 63:
            raise ValueError("bad varint")
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
