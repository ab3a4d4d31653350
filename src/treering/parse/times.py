"""Instants from the texts that logs carry: integers of nanoseconds since 1970-01-01 UTC, exact to the last digit.

ISO 8601 and RFC 3339 take a fast path; the other shapes are in `treering.parse.timeshapes`. Texts without a zone are in
the parser's zone. Texts without a year or a date are placed by a reference instant.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from treering.model.times import MAX_NS, MIN_NS
from treering.parse.timeshapes import HINT, OPENING, SHAPES, STARTS, Civil, zone_offset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_CACHE_LIMIT = 8192
_ISO = re.compile(
    r"(\d{4}([-/.])\d\d\2\d\d(?:[T _t]| - |-)\d\d([:.])\d\d\3\d\d)(?:[.,](\d+))?"
    r"(?: ?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)
_NUMBER = re.compile(r"(\d{9,19})(?:\.(\d+))?", re.ASCII)
_LONG_AGO = timedelta(days=366 * 9)


class TimeParser:
    """Reads instants for one stream; keeps a small cache because neighbouring lines share their seconds.

    `zone` applies to texts that state none. `reference_ns` is about when the lines were written (a file's modification
    time, the arrival): a text without a year gets the year that puts it closest to the reference and not more than a
    day after it; a text without a date gets the day that does so within an hour.
    """

    def __init__(self, zone: tzinfo = UTC, reference_ns: int | None = None) -> None:
        """Take the zone of zone-less texts and the reference instant (now when None)."""
        self.zone = zone
        self.reference_ns = reference_ns
        self._seconds: dict[str, int | None] = {}
        self._others: dict[str, int | None] = {}

    def __call__(self, text: str) -> int | None:
        """Return the instant that the whole `text` names, or None when it names none that fits 64 bits."""
        if found := _ISO.fullmatch(text):
            stamp, _, _, fraction, zone = found.groups()
            key = stamp if zone is None else stamp + zone
            seconds = self._seconds.get(key, -1)
            if seconds == -1:
                seconds = self._iso_seconds(key, stamp, zone)
            if seconds is None:
                return None
            value = seconds * SECOND
            return value + int((fraction + "00000000")[:9]) if fraction else value
        return self._other(text)

    def find(self, line: str, limit: int = 160) -> tuple[int, int, int] | None:
        """Return start, end and instant of the first time within the first `limit` characters of `line`, or None."""
        if (found := OPENING.match(line, 0, limit)) and (value := self(found[0])) is not None:
            return 0, found.end(), value
        if not HINT.search(line, 0, limit):
            return None
        for found in STARTS.finditer(line, 0, limit):
            start, end = found.span("time")
            if (value := self(line[start:end])) is not None:
                return start, end, value
        return None

    def refer(self, reference_ns: int) -> None:
        """Take another reference instant for texts without a year or a date."""
        self.reference_ns = reference_ns
        self._others.clear()

    def epoch(self, number: float | str) -> int | None:
        """Return the instant of a number since the epoch whose size tells its unit (s, ms, µs, ns), or None."""
        return epoch(number)

    def _iso_seconds(self, key: str, stamp: str, zone: str | None) -> int | None:
        digits = stamp[-8:]
        civil = (
            int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10]), int(digits[:2]), int(digits[3:5]), int(digits[6:]),
        )  # fmt: skip
        seconds = self._civil_seconds(civil, None if zone is None else zone_offset(zone))
        if len(self._seconds) >= _CACHE_LIMIT:
            self._seconds.clear()
        self._seconds[key] = seconds
        return seconds

    def _civil_seconds(self, civil: tuple[int, int, int, int, int, int], offset: int | None) -> int | None:
        """Return seconds since the epoch of a wall-clock time `offset` seconds ahead of UTC, or None when invalid."""
        year, month, day, hour, minute, second = civil
        if hour > 23 or minute > 59 or second > 60:
            return None
        try:
            days = date(year, month, day).toordinal() - _EPOCH_DAY
        except ValueError:
            return None
        seconds = days * 86_400 + hour * 3600 + minute * 60 + second
        if offset is None:
            offset = self._own_offset(civil)
        seconds -= offset
        return seconds if seconds * SECOND >= MIN_NS and (seconds + 1) * SECOND <= MAX_NS else None

    def _own_offset(self, civil: tuple[int, int, int, int, int, int]) -> int:
        if self.zone is UTC:
            return 0
        year, month, day, hour, minute, second = civil
        try:
            shift = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=self.zone).utcoffset()
        except (ValueError, OverflowError):
            return 0
        return int(shift.total_seconds()) if shift is not None else 0

    def _other(self, text: str) -> int | None:
        value = self._others.get(text, -1)
        if value != -1:
            return value
        if len(text) > 80:
            return None
        value = self._shaped(text.strip())
        if len(self._others) >= _CACHE_LIMIT:
            self._others.clear()
        self._others[text] = value
        return value

    def _shaped(self, text: str) -> int | None:
        if _ISO.fullmatch(text):
            return self(text)
        if _NUMBER.fullmatch(text):
            return epoch(text)
        for pattern, read in SHAPES:
            if (found := pattern.fullmatch(text)) and (civil := read(found)) is not None:
                return self._place(civil)
        return None

    def _place(self, civil: Civil) -> int | None:
        if civil.year is not None:
            return self._instant(civil, (civil.year, civil.month, civil.day))
        reference = datetime.now(UTC) if self.reference_ns is None else _moment(self.reference_ns)
        if civil.month:
            ahead = DAY
            dates = [(year, civil.month, civil.day) for year in _years(civil, reference)]
        else:
            ahead = 3600 * SECOND
            near = [(reference + timedelta(days=shift)).date() for shift in (-1, 0, 1)]
            dates = [(day.year, day.month, day.day) for day in near]
        anchor = int((reference - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000
        values = [value for day in dates if (value := self._instant(civil, day)) is not None]
        past = [value for value in values if value <= anchor + ahead]
        return min(past, key=lambda value: abs(value - anchor)) if past else None

    def _instant(self, civil: Civil, day: tuple[int, int, int]) -> int | None:
        seconds = self._civil_seconds((*day, civil.hour, civil.minute, civil.second), civil.offset)
        return None if seconds is None else seconds * SECOND + civil.nanos


def _moment(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)


def _years(civil: Civil, reference: datetime) -> range | list[int]:
    if (civil.month, civil.day) == (2, 29):
        oldest = max(1, (reference - _LONG_AGO).year) if reference.year > 10 else 1
        return [year for year in range(oldest, reference.year + 2) if year % 4 == 0]
    return range(max(1, reference.year - 1), min(9999, reference.year + 1) + 1)


def epoch(number: float | str) -> int | None:
    """Return the instant of seconds, milliseconds, microseconds or nanoseconds since the epoch, or None.

    The size tells the unit: below 10^11 seconds (until the year 5138), below 10^14 milliseconds, below 10^17
    microseconds. A text or an integer is exact to its last digit; a float to what a double holds.
    """
    text = repr(number) if isinstance(number, float) else str(number)
    found = re.fullmatch(r"(-?)(\d{1,19})(?:\.(\d+))?(?:e([+-]\d{1,3}))?", text, re.ASCII)
    if found is None:
        return None
    if found[4]:
        return epoch(f"{float(text):.9f}") if abs(float(text)) < 1e19 else None
    whole = int(found[2])
    unit = SECOND if whole < 10**11 else 1_000_000 if whole < 10**14 else 1000 if whole < 10**17 else 1
    value = whole * unit
    if found[3]:
        value += int(found[3]) * unit // 10 ** len(found[3])
    if found[1]:
        value = -value
    return value if MIN_NS <= value <= MAX_NS else None


@lru_cache(maxsize=64)
def _shared(zone: tzinfo, reference_ns: int | None) -> TimeParser:
    return TimeParser(zone, reference_ns)


def parse_time(text: str, *, zone: tzinfo = UTC, reference_ns: int | None = None) -> int | None:
    """Return the instant that `text` names in any of the known shapes, in nanoseconds, or None."""
    return _shared(zone, reference_ns)(text)


def parse_times(texts: Sequence[str], *, zone: tzinfo = UTC, reference_ns: int | None = None) -> list[int | None]:
    """Return the instant of each text, or None where a text names none."""
    return list(map(_shared(zone, reference_ns), texts))
