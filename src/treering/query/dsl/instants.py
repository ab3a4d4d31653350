"""Instants as `_search` answers them: milliseconds since the epoch, and texts in the format that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.model import dateformats
from treering.query.dsl.queries import offset_ns

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = 1_000_000


def iso(instant: int, zone: ZoneInfo | int = 0, *, nanos: bool = False) -> str:
    """Return an instant as OpenSearch prints it without a format: `2026-11-24T08:00:00.000Z`."""
    ahead = offset_ns(instant, zone)
    seconds, fraction = divmod(instant + ahead, 10**9)
    moment = _EPOCH + timedelta(seconds=seconds)
    digits = f"{fraction:09d}" if nanos else f"{fraction // MILLISECOND:03d}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{digits}{_zone(ahead)}"


def _zone(ahead: int) -> str:
    if not ahead:
        return "Z"
    minutes = abs(ahead) // (60 * 10**9)
    return f"{'-' if ahead < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def formatted(instant: int, form: str | None, zone: ZoneInfo | int = 0) -> str:
    """Return an instant in a format of OpenSearch's `date` type. Raises `UserError` for one that cannot be written."""
    if not form:
        return iso(instant, zone)
    pattern = dateformats.read(form)[0][1]
    if pattern == dateformats.MILLIS:
        return str(instant // MILLISECOND)
    if pattern == dateformats.SECONDS:
        return str(instant // 10**9)
    if pattern == dateformats.ISO:
        return iso(instant, zone, nanos="nanos" in form)
    if not pattern:
        raise UserError(f"the date format [{form[:80]}] is not supported here")
    ahead = offset_ns(instant, zone)
    seconds, fraction = divmod(instant, 10**9)
    local = (_EPOCH + timedelta(seconds=seconds)).astimezone(timezone(timedelta(seconds=ahead // 10**9)))
    digits = f"{fraction:09d}"[: 9 if "nanos" in form else 3]
    # strptime's `%n` stands for a fraction, a bare Z for the zone.
    text = pattern.replace("%n", digits).replace("Z", _zone(ahead))
    return local.strftime(text)
