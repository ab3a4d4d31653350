"""Dates written and read by MySQL's and strftime's formats, weeks by mode, zones (manual: functions/datetime).

Instants are nanoseconds since the epoch in UTC.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from treering.query.native import Native, formats

SECOND = 1_000_000_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_SECOND = 32_536_771_199  # 3001-01-18 23:59:59, MySQL's last
_NS_SECONDS = 9_223_372_035  # the last whole second that 64 bits of nanoseconds hold
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?")


def moment(ns: int) -> datetime:
    """Return the instant to the microsecond."""
    return formats.EPOCH + timedelta(microseconds=ns // 1000)


def date_format(ns: int, form: str) -> str | None:
    """Return an instant in a MySQL format such as `%Y-%m-%d`."""
    return formats.written(moment(ns), form, formats.DATE)


def time_format(ns: int, form: str) -> str | None:
    """Return a time of day in a MySQL format; date parts are zeros or make the answer null."""
    return formats.written(moment(ns), form, formats.TIME)


def strftime(seconds: int, nanos: int, form: str) -> str | None:
    """Return an instant in a C format such as `%F %T`; null beyond the years MySQL knows."""
    if not -_LAST_SECOND <= seconds <= _LAST_SECOND:
        return None
    return formats.strftime(formats.EPOCH + timedelta(seconds=seconds), nanos, form)


def str_to_date(text: str, form: str, now_ns: int) -> int | None:
    """Return the instant that a text in a MySQL format names, or null."""
    found = formats.read(text, form, moment(now_ns))
    return None if found is None else _ns(found, 0)


def _ns(when: datetime, fraction: int) -> int | None:
    delta = when - formats.EPOCH
    seconds = delta.days * 86_400 + delta.seconds
    return seconds * SECOND + fraction if abs(seconds) <= _NS_SECONDS else None


@functools.lru_cache(maxsize=256)
def _zone(name: str) -> timezone | ZoneInfo | None:
    """Return a zone from -13:59 to +14:00, or None."""
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3])
        minutes = -minutes if found[1] == "-" else minutes
        return timezone(timedelta(minutes=minutes)) if -839 <= minutes <= 840 and int(found[3]) < 60 else None
    if name in {"Z", "UTC", "GMT", "UT"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def convert_tz(ns: int, source: str, target: str) -> int | None:
    """Return the wall clock in `target` when it is `ns` on the wall in `source`; null for an unknown zone."""
    start, end = _zone(source), _zone(target)
    if start is None or end is None:
        return None
    seconds, rest = divmod(ns, SECOND)
    wall = (formats.EPOCH + timedelta(seconds=seconds)).replace(tzinfo=start)
    try:
        return _ns(wall.astimezone(end).replace(tzinfo=UTC), rest)
    except (OverflowError, ValueError):
        return None


def from_text(text: str, zone: str) -> int | None:
    """Return `datetime(text, zone)`: the instant as seen in a zone; an empty zone leaves the clock as written."""
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        return None
    try:
        when = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    fraction = int((found[2] or ".")[1:].ljust(9, "0"))
    ns = _ns(when, fraction)
    return ns if not zone or ns is None else convert_tz(ns, found[3] or "+00:00", zone)


def week(days: int, mode: int) -> int | None:
    """Return MySQL's week number of a day (counted from the epoch) in a mode from 0 to 7."""
    return _week(date.fromordinal(days + _EPOCH_DAY), mode)


def _first(year: int, sunday: bool, least: int) -> int:
    """Return the ordinal of the first day of week 1: the first week with `least` days in the year."""
    start = date(year, 1, 1)
    behind = (start.weekday() + 1) % 7 if sunday else start.weekday()
    return start.toordinal() - behind + (0 if 7 - behind >= least else 7)


def _week(day: date, mode: int) -> int:
    if not 0 <= mode <= 7:
        raise ValueError(f"week takes a mode from 0 to 7, not {mode}")
    least = 5 if mode in {1, 3} else 4 if mode in {4, 6} else 7
    sunday = mode % 2 == 0
    at, year = day.toordinal(), day.year
    if year < 9999 and at >= _first(year + 1, sunday, least):
        found = 1
    elif at < _first(year, sunday, least):
        found = (at - _first(max(year - 1, 1), sunday, least)) // 7 + 1
    else:
        found = (at - _first(year, sunday, least)) // 7 + 1
    return 0 if found > 51 and day.day < 7 and mode in {0, 1, 4, 5} else found


def year_of_week(day: date, mode: int) -> int:
    """Return the year that a day's week belongs to."""
    return day.year - 1 if _week(day, mode) > 51 and day.day < 7 else day.year


def yearweek(days: int, mode: int) -> int | None:
    """Return the year and week of a day as `yyyyww`."""
    day = date.fromordinal(days + _EPOCH_DAY)
    used = mode if _week(day, mode) else 2 if mode <= 4 else 7
    return year_of_week(day, used) * 100 + _week(day, used)


def compact(number: float) -> float | None:
    """Return the Unix time of a number written as YYMMDD, YYYYMMDD, YYMMDDhhmmss or YYYYMMDDhhmmss."""
    digits, fraction = str(int(number)), number - int(number)
    for length, form in ((12, "%y%m%d%H%M%S"), (14, "%Y%m%d%H%M%S"), (6, "%y%m%d"), (8, "%Y%m%d")):
        if len(digits) == length:
            try:
                found = datetime.strptime(digits, form).replace(tzinfo=UTC)
            except ValueError:
                return None
            if found.year == 1969 and length in {6, 12}:  # two digits are of 1970 to 2069
                found = found.replace(year=2069)
            seconds = (found - formats.EPOCH).total_seconds() + (fraction if length > 8 else 0)
            return seconds if 0 <= seconds < _LAST_SECOND else 0.0
    return None


def century(year: int) -> int:
    """Return the year that two digits mean: 1970 to 2069."""
    return year + (1900 if year >= 70 else 2000)


def day_seconds(number: int) -> int | None:
    """Return `to_seconds` of a date written as a number: YYYYMMDD, YYMMDD, YMMDD, or MMDD and MDD of 2000."""
    text = str(number)
    if number < 0 or not 3 <= len(text) <= 8 or len(text) == 7:
        return None
    year = int(text[:-4] or 0)
    try:
        day = date(year if len(text) == 8 else century(year), int(text[-4:-2]), int(text[-2:]))
    except ValueError:
        return None
    return (day.toordinal() - _EPOCH_DAY) * 86_400 + 62_167_219_200


def _months(period: int) -> int | None:
    """Return the number of months of a period written as YYMM or YYYYMM; years below 100 are 1970 to 2069."""
    if period <= 0 or len(str(period)) > 6:
        return None
    year, month = divmod(period, 100)
    if not 1 <= month <= 12:
        return None
    return (century(year) if year < 100 else year) * 12 + month - 1


def period_add(period: int, months: int) -> int | None:
    """Return a period some months later as YYYYMM."""
    start = _months(period)
    if start is None:
        return None
    year, month = divmod(start + months, 12)
    return year * 100 + month + 1 if 0 <= year <= 9999 else None


def period_diff(first: int, second: int) -> int | None:
    """Return the months between two periods."""
    one, other = _months(first), _months(second)
    return None if one is None or other is None else one - other


_I, _T, _D = "BIGINT", "VARCHAR", "DOUBLE"
NATIVES = (
    Native("ppl_date_format", date_format, (_I, _T), _T),
    Native("ppl_time_format", time_format, (_I, _T), _T),
    Native("ppl_strftime", strftime, (_I, _I, _T), _T),
    Native("ppl_str_to_date", str_to_date, (_T, _T, _I), _I),
    Native("ppl_convert_tz", convert_tz, (_I, _T, _T), _I),
    Native("ppl_datetime", from_text, (_T, _T), _I),
    Native("ppl_week", week, (_I, _I), _I),
    Native("ppl_yearweek", yearweek, (_I, _I), _I),
    Native("ppl_compact", compact, (_D,), _D),
    Native("ppl_day_seconds", day_seconds, (_I,), _I),
    Native("ppl_period_add", period_add, (_I, _I), _I),
    Native("ppl_period_diff", period_diff, (_I, _I), _I),
)
