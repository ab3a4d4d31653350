"""Date formats of OpenSearch mappings: what kind of value they describe and how to read it.

Formats are the built-in names of OpenSearch's `date` field (docs.opensearch.org, "Date field type") and patterns of
Java's DateTimeFormatter, joined with `||`. Patterns to read are written for `strptime` with `%n` for nanoseconds.
"""

from __future__ import annotations

import functools
import re

ISO, MILLIS, SECONDS = "iso", "epoch_millis", "epoch_second"
_DATES = {
    "date": "%Y-%m-%d",
    "year_month_day": "%Y-%m-%d",
    "year_month": "%Y-%m",
    "year": "%Y",
    "ordinal_date": "%Y-%j",
    "week_date": "%G-W%V-%u",
    "weekyear_week_day": "%G-W%V-%u",
    "basic_date": "%Y%m%d",
    "basic_ordinal_date": "%Y%j",
    "basic_week_date": "%GW%V%u",
}
_TIMES = {
    "time": "%H:%M:%S.%nZ",
    "time_no_millis": "%H:%M:%SZ",
    "hour": "%H",
    "hour_minute": "%H:%M",
    "hour_minute_second": "%H:%M:%S",
    "hour_minute_second_millis": "%H:%M:%S.%n",
    "hour_minute_second_fraction": "%H:%M:%S.%n",
    "basic_time": "%H%M%S.%nZ",
    "basic_time_no_millis": "%H%M%SZ",
}
# Symbols of Java's patterns: strptime's sign, and whether it belongs to a date or to a time of day.
_SYMBOLS = {
    "y": ("%Y", "date"),
    "u": ("%Y", "date"),
    "M": ("%m", "date"),
    "d": ("%d", "date"),
    "D": ("%j", "date"),
    "H": ("%H", "time"),
    "h": ("%I", "time"),
    "k": ("%H", "time"),
    "m": ("%M", "time"),
    "s": ("%S", "time"),
    "S": ("%n", "time"),
    "n": ("%n", "time"),
    "a": ("%p", "time"),
    "A": ("", "time"),
    "X": ("Z", "zone"),
    "Z": ("Z", "zone"),
    "E": ("", "date"),
    "e": ("", "date"),
    "w": ("", "date"),
}
_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z']+)")


@functools.cache
def read(formats: str) -> tuple[tuple[str, str], ...]:
    """Return (kind, pattern) of each alternative; a pattern may also be `ISO`, `MILLIS`, `SECONDS` or empty."""
    return tuple(_one(part.strip()) for part in formats.split("||"))


@functools.cache
def kind(formats: str) -> str:
    """Return "date", "time" or "timestamp": what values of these formats are."""
    kinds = {found for found, _ in read(formats)}
    return kinds.pop() if len(kinds) == 1 else "timestamp"


def _one(name: str) -> tuple[str, str]:
    plain = name.removeprefix("strict_")
    if plain.startswith("date_optional_time"):
        return "timestamp", ISO
    if name in {MILLIS, SECONDS}:
        return "timestamp", name
    if plain in _DATES:
        return "date", _DATES[plain]
    if plain in _TIMES or plain.startswith(("t_time", "basic_t_time")):
        return "time", _time(plain)
    if (both := _both(plain)) is not None:
        return "timestamp", both
    return _custom(name)


def _time(name: str) -> str:
    return "T" + _TIMES[name.replace("t_time", "time")] if "t_time" in name else _TIMES[name]


def _both(name: str) -> str | None:
    """Read names such as `basic_ordinal_date_time_no_millis` or `date_hour_minute`: a date, then a time."""
    for date, pattern in sorted(_DATES.items(), key=lambda item: -len(item[0])):
        rest = name.removeprefix(f"{date}_")
        if rest != name and rest.removeprefix("t_") in _TIMES:
            basic = "basic_" if date.startswith("basic_") and rest.startswith("time") else ""
            return f"{pattern}T{_TIMES[basic + rest]}"
    return None


def _custom(pattern: str) -> tuple[str, str]:
    out: list[str] = []
    kinds: set[str] = set()
    for found in _PIECE.finditer(pattern):
        quoted, symbol, other = found.groups()
        if symbol is None:
            out.append((quoted if quoted is not None else other).replace("%", "%%"))
            continue
        sign, belongs = _SYMBOLS.get(symbol, ("", ""))
        if not sign:
            return ("time" if belongs == "time" else "date" if belongs else "timestamp"), ""
        out.append(sign)
        kinds.add(belongs)
    kinds.discard("zone")
    return (kinds.pop() if len(kinds) == 1 else "timestamp"), "".join(out)
