"""The formats of `date_format`, `time_format`, `str_to_date` (MySQL's) and of `strftime` (C's, with `%N` and `%Q`).

Letters without a percent sign mean what they mean to Java's DateTimeFormatter (`yyyy-MM-dd`), as in the manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

Writer: TypeAlias = Callable[[datetime], str | None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_TOKEN = re.compile(r"%(.)|([aydmshiHIMYDSEL])\2*|(.)", re.DOTALL)


def _suffixed(day: int) -> str:
    return f"{day}{'th' if 11 <= day % 100 <= 13 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def _hour(when: datetime) -> int:
    return when.hour % 12 or 12


def _half(when: datetime) -> str:
    return "PM" if when.hour >= 12 else "AM"


def _zeros(digits: str) -> Writer:
    return lambda _when: digits


def _week(mode: int) -> Writer:
    def number(when: datetime) -> str:
        from treering.query.native.times import week

        return str(week(when.toordinal() - 719_163, mode))

    return number


def _year(mode: int) -> Writer:
    def number(when: datetime) -> str:
        from treering.query.native.times import year_of_week

        return str(year_of_week(when.date(), mode))

    return number


_CLOCK: dict[str, Writer] = {
    "H": lambda when: f"{when.hour:02}",
    "h": lambda when: f"{_hour(when):02}",
    "I": lambda when: f"{_hour(when):02}",
    "i": lambda when: f"{when.minute:02}",
    "k": lambda when: str(when.hour),
    "l": lambda when: str(_hour(when)),
    "p": _half,
    "r": lambda when: f"{_hour(when):02}:{when.minute:02}:{when.second:02} {_half(when)}",
    "S": lambda when: f"{when.second:02}",
    "s": lambda when: f"{when.second:02}",
    "T": lambda when: f"{when.hour:02}:{when.minute:02}:{when.second:02}",
    "f": lambda when: f"{when.microsecond:06}",
}
DATE: Mapping[str, Writer] = {
    **_CLOCK,
    "a": lambda when: DAYS[when.weekday()][:3],
    "b": lambda when: MONTHS[when.month - 1][:3],
    "c": lambda when: f"{when.month:02}",
    "d": lambda when: f"{when.day:02}",
    "D": lambda when: _suffixed(when.day),
    "e": lambda when: str(when.day),
    "j": lambda when: f"{when.timetuple().tm_yday:03}",
    "M": lambda when: MONTHS[when.month - 1],
    "m": lambda when: f"{when.month:02}",
    "U": _week(0),
    "u": _week(1),
    "V": _week(2),
    "v": _week(3),
    "W": lambda when: DAYS[when.weekday()],
    "w": lambda when: str(when.isoweekday()),
    "X": _year(2),
    "x": _year(3),
    "Y": lambda when: f"{when.year:04}",
    "y": lambda when: f"{when.year % 100:02}",
}
_ZEROS = {"c": "0", "d": "00", "e": "0", "m": "00", "Y": "0000", "y": "00"}
TIME: Mapping[str, Writer] = {
    **dict.fromkeys("abjMWDwUuVvXx", lambda _when: None),
    **{letter: _zeros(digits) for letter, digits in _ZEROS.items()},
    **_CLOCK,
}


def _java(run: str, when: datetime) -> str:
    """Return a run of one of Java's pattern letters."""
    letter, count = run[0], len(run)
    if letter in "yY":
        return f"{when.year % 100:02}" if count == 2 else str(when.year).zfill(count)
    if letter in "ML" and count > 2:
        name = MONTHS[when.month - 1]
        return name[:3] if count == 3 else name
    if letter == "E":
        name = DAYS[when.weekday()]
        return name if count == 4 else name[:3]
    if letter == "a":
        return _half(when)
    if letter == "S":
        return f"{when.microsecond:06}000"[:count]
    numbers = {"M": when.month, "L": when.month, "d": when.day, "H": when.hour, "h": _hour(when), "m": when.minute}
    numbers |= {"s": when.second, "D": when.timetuple().tm_yday}
    if letter not in numbers:
        raise ValueError(f"the format letter {letter!r} needs a percent sign")
    return str(numbers[letter]).zfill(count)


def written(when: datetime, form: str, writers: Mapping[str, Writer]) -> str | None:
    """Return `when` in a MySQL format, or None where a part has no value."""
    out: list[str] = []
    for found in _TOKEN.finditer(form):
        if (letter := found[1]) is not None:
            writer = writers.get(letter)
            part = letter if writer is None else writer(when)
            if part is None:
                return None
            out.append(part)
        else:
            out.append(_java(found[0], when) if found[2] else found[3])
    return "".join(out)


_READ = {
    "Y": r"(?P<year>\d{1,9})",
    "y": r"(?P<short>\d{2})",
    "m": r"(?P<month>\d{1,2})",
    "c": r"(?P<month>\d{1,2})",
    "d": r"(?P<day>\d{1,2})",
    "e": r"(?P<day>\d{1,2})",
    "D": r"(?P<day>\d{1,2})",
    "H": r"(?P<hour>\d{1,2})",
    "k": r"(?P<hour>\d{1,2})",
    "h": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour>\d{1,2})",
    "l": r"(?P<hour>\d{1,2})",
    "i": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "s": r"(?P<second>\d{1,2})",
    "f": r"\d{1,9}",
    "p": r"(?P<half>AM|PM)",
    "M": rf"(?P<name>{'|'.join(MONTHS)})",
    "b": rf"(?P<name>{'|'.join(month[:3] for month in MONTHS)})",
    "W": "|".join(DAYS).join(("(?:", ")")),
    "a": "|".join(day[:3] for day in DAYS).join(("(?:", ")")),
    "T": r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})",
    "r": r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2}) (?P<half>AM|PM)",
    "j": r"\d{3}",
    **dict.fromkeys("wUuVvXx", r"\d+"),
}
_JAVA_READ = {"y": "Y", "M": "m", "L": "m", "d": "d", "H": "H", "h": "h", "m": "i", "s": "s", "a": "p", "S": "f"}


def _pattern(form: str) -> str:
    out: list[str] = []
    for found in _TOKEN.finditer(form):
        if (letter := found[1]) is not None:
            out.append(_READ.get(letter, re.escape(letter)))
        elif found[2]:
            named = _JAVA_READ.get(found[2], "")
            out.append(_READ["b" if found[2] in "ML" and len(found[0]) == 3 else named] if named else r"\w+")
        else:
            out.append(re.escape(found[3]))
    return "".join(out)


def read(text: str, form: str, today: datetime) -> datetime | None:
    """Return the date that the start of a text names in a MySQL format; a time alone is one of `today`."""
    try:
        found = re.match(_pattern(form), text)
    except re.error:  # a part named twice
        return None
    if found is None:
        return None
    part = found.groupdict()
    month = part.get("month") or (_month(part["name"]) if part.get("name") else None)
    year = part.get("year") or (f"20{part['short']}" if part.get("short") else None)
    clock = [part.get(name) for name in ("hour", "minute", "second")]
    dated = year and month and part.get("day")
    if not dated and None in clock:
        return None
    hour, minute, second = (int(digits or 0) for digits in clock)
    if half := part.get("half"):
        hour = hour % 12 + (12 if half == "PM" else 0)
    try:
        if not dated:
            return today.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return datetime(int(year or 0), int(month or 0), int(part["day"] or 0), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _month(name: str) -> int:
    return next(index for index, month in enumerate(MONTHS, 1) if month.startswith(name))


_STRFTIME = re.compile(r"%(?:(\d)?([NQ])|(Ez|:::z|::z|:z|[A-Za-z+%]))")


def strftime(when: datetime, nanos: int, form: str) -> str:
    """Return an instant of UTC in a C format; unknown letters stay as they are."""

    def part(found: re.Match[str]) -> str:
        digits, kind, letter = found.groups()
        if kind:
            width = int(digits) if digits else 9 if kind == "N" else 3
            width = width if kind == "N" or width in {6, 9} else 3
            return f"{nanos:09}"[:width]
        return _c(letter, when, nanos) or found[0]

    return _STRFTIME.sub(part, form)


_SAME = {"H": "H", "I": "I", "M": "i", "p": "p", "S": "S", "T": "T", "X": "T", "A": "W", "a": "a", "d": "d", "j": "j"}
_SAME |= {"b": "b", "B": "M", "m": "m", "y": "y", "Y": "Y"}


def _sunday_week(when: datetime) -> str:
    first = date(when.year, 1, 1).isoweekday() % 7
    return f"{(when.timetuple().tm_yday - 1 + first) // 7:02}"


# What C's letters give of an instant of UTC and its nanoseconds.
_C: dict[str, Callable[[datetime, int], str]] = {
    "Z": lambda _w, _n: "UTC",
    "z": lambda _w, _n: "+0000",
    "Ez": lambda _w, _n: "+0",
    ":z": lambda _w, _n: "+00:00",
    "::z": lambda _w, _n: "+00:00:00",
    ":::z": lambda _w, _n: "+00",
    "%": lambda _w, _n: "%",
    "c": lambda w, n: strftime(w, n, "%a %b %d %H:%M:%S %Y"),
    "+": lambda w, n: strftime(w, n, "%a %b %d %H:%M:%S UTC %Y"),
    "F": lambda w, _n: f"{w.year:04}-{w.month:02}-{w.day:02}",
    "x": lambda w, _n: f"{w.month:02}/{w.day:02}/{w.year:04}",
    "f": lambda _w, n: f"{n // 1000:06}",
    "k": lambda w, _n: f"{w.hour:2}",
    "e": lambda w, _n: f"{w.day:2}",
    "s": lambda w, _n: str((w - EPOCH) // timedelta(seconds=1)),
    "w": lambda w, _n: str(w.isoweekday() % 7),
    "V": lambda w, _n: f"{w.isocalendar().week:02}",
    "G": lambda w, _n: f"{w.isocalendar().year:04}",
    "g": lambda w, _n: f"{w.isocalendar().year % 100:02}",
    "C": lambda w, _n: f"{w.year // 100:02}",
    "U": lambda w, _n: _sunday_week(w),
}


def _c(letter: str, when: datetime, nanos: int) -> str | None:
    if letter in _SAME:
        return DATE[_SAME[letter]](when)
    writer = _C.get(letter)
    return None if writer is None else writer(when, nanos)
