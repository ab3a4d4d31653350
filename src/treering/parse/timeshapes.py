"""The shapes of times in logs that are not ISO 8601, each a pattern and what its groups mean.

The month names are data (`content/months.json`). Numeric dates that leave day and month open are read as the separator
suggests: `/` month first, `.` and `-` day first, unless only the other order is a date.
"""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Civil:
    """A wall-clock time: `year` None when not stated, `month` 0 when there is no date, `offset` seconds from UTC."""

    year: int | None
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanos: int = 0
    offset: int | None = None


# Abbreviations that loggers print (PostgreSQL, java.util.Date, `date`), in hours from UTC.
_ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
_ZONE = rf"(?: ?(?P<zone>{'|'.join(sorted(_ABBREVIATIONS, key=len, reverse=True))}|[+-]\d\d(?::?\d\d)?)(?![\w:]))?"
_HALF = r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
_SECOND = r":(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?"
_CLOCK = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?:{_SECOND})?{_HALF}"
_FULL_CLOCK = rf"(?P<hour>\d\d):(?P<minute>\d\d){_SECOND}{_HALF}"
_DIGITS_CLOCK = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
_DAY = r"(?P<day>\d{1,2})"
_DATE8 = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
_BETWEEN = "(?:[ :T]|, | - | à | um | alle | om | в )+"
_MONTH = r"(?P<name>[^\W\d_]{3,12})\.?"
_WEEKDAY = r"(?:[^\W\d_]{2,12}\.?,? )?"


def zone_offset(text: str) -> int | None:
    """Return the seconds that a zone (`Z`, `+0200`, `-05`, `CEST`) is ahead of UTC, or None for an unknown one."""
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        seconds = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60
        return -seconds if text[0] == "-" else seconds
    hours = _ABBREVIATIONS.get(text.upper())
    return None if hours is None else hours * 3600


@cache
def month_names() -> dict[str, int]:
    """Return lower-case month names and abbreviations of the known languages with their numbers."""
    text = importlib.resources.files("treering.content").joinpath("months.json").read_bytes()
    table: dict[str, str] = msgspec.json.decode(text)
    return {name: int(number) for number, names in table.items() for name in names.split()}


def _clock(found: re.Match[str]) -> tuple[int, int, int, int, int | None] | None:
    groups = found.groupdict()
    hour, second = int(groups["hour"]), int(groups.get("second") or 0)
    if half := groups.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    nanos = int(((groups.get("fraction") or "") + "000000000")[:9])
    zone = groups.get("zone")
    return hour, int(groups["minute"]), second, nanos, zone_offset(zone) if zone else None


def _named(found: re.Match[str]) -> Civil | None:
    month = month_names().get(found["name"].lower())
    clock = _clock(found)
    if month is None or clock is None:
        return None
    groups = found.groupdict()
    year = groups.get("year") or groups.get("late")
    return Civil(int(year) if year else None, month, int(found["day"]), *clock)


def _numeric(found: re.Match[str]) -> Civil | None:
    clock = _clock(found)
    if clock is None:
        return None
    first, second = int(found["first"]), int(found["other"])
    month_first = found["mark"] == "/"
    if (month_first and first > 12) or (not month_first and second > 12):
        month_first = not month_first
    month, day = (first, second) if month_first else (second, first)
    return Civil(_century(found["year"]), month, day, *clock)


def _ordered(found: re.Match[str]) -> Civil | None:
    clock = _clock(found)
    if clock is None:
        return None
    year = found.groupdict().get("year")
    return Civil(_century(year) if year else None, int(found["month"]), int(found["day"]), *clock)


def _yearless(found: re.Match[str]) -> Civil | None:
    clock = _clock(found)
    if clock is None:
        return None
    first, second = int(found["first"]), int(found["other"])
    month, day = (second, first) if first > 12 or found["dot"] else (first, second)
    return Civil(None, month, day, *clock)


def _unpadded(found: re.Match[str]) -> Civil | None:
    millis = int(found["millis"]) if len(found["millis"]) <= 3 else 0
    date = int(found["year"]), int(found["month"]), int(found["day"])
    return Civil(*date, int(found["hour"]), int(found["minute"]), int(found["second"]), millis * 1_000_000)


def _undated(found: re.Match[str]) -> Civil | None:
    clock = _clock(found)
    return None if clock is None else Civil(None, 0, 0, *clock)


def _century(year: str) -> int:
    number = int(year)
    return number if len(year) == 4 else number + (2000 if number < 70 else 1900)


# Each pattern takes a whole text; `STARTS` finds them inside a line.
_TABLE: list[tuple[str, Callable[[re.Match[str]], Civil | None]]] = [
    # 10/Oct/2000:13:55:36 -0700 · 21-Oct-2015 07:28:00.123 · Wed, 21 Oct 2015 07:28:00 GMT · 4. Juli 2005 um 12:52
    (rf"{_WEEKDAY}{_DAY}(?:[-/]|\. ?| de | ){_MONTH}(?:[-/ ]| de )(?P<year>\d{{4}}){_BETWEEN}{_CLOCK}{_ZONE}", _named),
    # Oct  9 22:14:15 · Oct 9 2003 22:14:15.003 · Mon Jul  4 12:52:44 CEST 2005 · Jan 2, 2025 3:04:05 PM
    (
        rf"{_WEEKDAY}{_MONTH} {{1,2}}{_DAY}(?:,? (?P<year>\d{{4}}),?)? {_CLOCK}{_ZONE}(?: (?P<late>\d{{4}}))?",
        _named,
    ),
    # 4 Juli 12:52:44
    (rf"{_WEEKDAY}{_DAY}[-. ]{{1,2}}{_MONTH} {_FULL_CLOCK}{_ZONE}", _named),
    # 06/09/2017 8:10:40 PM · 09.06.2017 20:10:40,123 · 11/27/2026-10:00:00
    (rf"(?P<first>\d\d?)(?P<mark>[-/.])(?P<other>\d\d?)(?P=mark)(?P<year>\d{{4}})(?:,? |T|-){_CLOCK}{_ZONE}", _numeric),
    # 2025-1-2 3:04:05 PM · 2025-07-01 18:00
    (rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark){_DAY}(?:,? |T| - ){_CLOCK}{_ZONE}", _ordered),
    # 17/06/09 20:10:40 (log4j's yy/MM/dd)
    (rf"(?P<year>\d\d)(?P<mark>[-/])(?P<month>\d\d)(?P=mark)(?P<day>\d\d) {_FULL_CLOCK}{_ZONE}", _ordered),
    # 05-21 21:11:56 · 10.30 16:49:06 · 30.10. 16:49:06
    (rf"(?P<first>\d\d)[-/.](?P<other>\d\d)(?P<dot>\.?) {_FULL_CLOCK}", _yearless),
    # 1002 21:58:57.891440 (glog)
    (rf"(?P<month>\d\d)(?P<day>\d\d) {_FULL_CLOCK}", _ordered),
    # 20240131T101112.123Z
    (rf"{_DATE8}[T ]{_DIGITS_CLOCK}(?:[.,](?P<fraction>\d+))?{_ZONE}", _ordered),
    # 20240131 10:11:12.123
    (rf"{_DATE8}[-T ]{_FULL_CLOCK}{_ZONE}", _ordered),
    # 20171223-22:15:29:606, whose parts are not padded
    (
        rf"{_DATE8}[- ](?P<hour>\d{{1,2}}):(?P<minute>\d{{1,2}}):(?P<second>\d{{1,2}}):(?P<millis>\d{{1,3}})",
        _unpadded,
    ),
    # 081109 203615
    (rf"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {_DIGITS_CLOCK}", _ordered),
    # 10:11:12.345
    (_FULL_CLOCK, _undated),
]
SHAPES = [(re.compile(pattern), read) for pattern, read in _TABLE]


def _inline(pattern: str) -> str:
    return re.sub(r"\(\?P=mark\)", r"[-/.]", re.sub(r"\(\?P<\w+>", "(?:", pattern))


_ISO = (
    r"\d{4}(?:-\d\d-|/\d\d/|\.\d\d\.)\d\d(?:[T _t]| - |-)\d\d[:.]\d\d[:.]\d\d(?:[.,]\d+)?"
    r"(?: ?(?:Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)(?![\w:]))?"
)
_EPOCH = r"1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?"
# Whatever `STARTS` finds has one of these; most lines without a time have none.
HINT = re.compile(r"\d:\d|\d\.\d\d\.\d|\d{6}")
_AFTER = r"(?![\w/-]|[.:]\d)"
STARTS = re.compile(
    rf"(?<![\w.:/-])(?P<time>{_ISO}|{'|'.join(_inline(pattern) for pattern, _ in _TABLE)}|{_EPOCH}){_AFTER}"
)
# What `STARTS` finds first in a line that begins with ISO 8601, as most do; much quicker.
OPENING = re.compile(rf"{_ISO}{_AFTER}")
