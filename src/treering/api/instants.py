"""The times that requests may name: RFC 3339, `now`, or relative to now."""

from __future__ import annotations

import re

from treering.core.errors import UserError
from treering.model.times import MAX_NS, MIN_NS, rfc3339_ns

_RELATIVE = re.compile(r"now(?:([+-])(\d{1,9})([smhdw]))?")
_UNIT_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 604_800 * 10**9}


def instant_ns(text: str, now_ns: int) -> int:
    """Return the nanoseconds since the epoch that `text` names. Raises `UserError` when it names no instant."""
    if found := _RELATIVE.fullmatch(text.strip()):
        sign, count, unit = found.groups()
        offset = int(count) * _UNIT_NS[unit] if count else 0
        return max(MIN_NS, min(MAX_NS, now_ns - offset if sign == "-" else now_ns + offset))
    if (value := rfc3339_ns(text)) is None:
        raise UserError(
            f"{text[:60]!r} is not a time", hint="write 2026-11-24T08:00:00Z, now, or now-15m (units s m h d w)"
        )
    return value


def span_ns(start: str | None, end: str | None, now_ns: int) -> tuple[int | None, int | None]:
    """Return both ends of a time range, None where it is open. Raises `UserError` when it ends before it starts."""
    first = None if not start else instant_ns(start, now_ns)
    last = None if not end else instant_ns(end, now_ns)
    if first is not None and last is not None and first > last:
        raise UserError(f"the time range ends before it starts: from {start}, to {end}")
    return first, last
