"""Conversions of the `convert` command: texts of sizes, durations and times as numbers (manual: cmd/convert)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from treering.query.native import Native

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_LEADING = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_SIZE = re.compile(r"([+-]?\d+\.?\d*)([kmg]?)", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})")
_MINUTES = re.compile(r"(?:(\d+):)?(\d+(?:\.\d+)?)")
_KILOBYTES = {"": 1.0, "k": 1.0, "m": 1024.0, "g": 1024.0 * 1024.0}
_FIRST_LETTER_OR_COMMA = re.compile(r"[A-Za-z,]")


def plain(text: str) -> float | None:
    """Return a text that is a number, or null."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def rmcomma(text: str) -> float | None:
    """Return a number with commas between its digits, or null where the text has letters."""
    return None if re.search("[A-Za-z]", text) else plain(text.replace(",", ""))


def rmunit(text: str) -> float | None:
    """Return the number that a text begins with, or null."""
    found = _LEADING.match(text)
    return float(found[1]) if found else None


def num(text: str) -> float | None:
    """Return a number with commas, or the number before the first letter or comma, or null."""
    if not re.search("[A-Za-z]", text):
        return rmcomma(text)
    return plain(_FIRST_LETTER_OR_COMMA.split(text, maxsplit=1)[0]) if (found := plain(text)) is None else found


def memk(text: str) -> float | None:
    """Return a size with k, m or g behind it in kilobytes, or null."""
    found = _SIZE.fullmatch(text.strip())
    return float(found[1]) * _KILOBYTES[found[2].lower()] if found else None


def auto(text: str) -> float | None:
    """Return a duration, a size or a number, or null."""
    for read in (dur2sec, memk, num):
        if (found := read(text)) is not None:
            return found
    return None


def dur2sec(text: str) -> float | None:
    """Return `HH:MM:SS` in seconds, or null."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds = map(int, found.groups())
    return float(hours * 3600 + minutes * 60 + seconds) if hours < 24 and minutes < 60 and seconds < 60 else None


def mstime(text: str) -> float | None:
    """Return `[MM:]SS.SSS` in seconds, or null."""
    found = _MINUTES.fullmatch(text.strip())
    if found is None or (found[1] and float(found[2]) >= 60):
        return None
    return int(found[1] or 0) * 60 + float(found[2])


def mktime(text: str, form: str) -> float | None:
    """Return a written time as seconds since 1970 in UTC, a number of seconds as itself, or null."""
    if (number := plain(text)) is not None:
        return number
    try:
        return datetime.strptime(text.strip(), form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def ctime(text: str, form: str) -> str | None:
    """Return seconds since 1970 as a written time in UTC, or null."""
    number = plain(text)
    if number is None:
        return None
    try:
        return datetime.fromtimestamp(number, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return None


NATIVES = (
    *(Native(f"ppl_convert_{call.__name__}", call, ("VARCHAR",), "DOUBLE") for call in (auto, num, rmcomma, rmunit)),
    *(Native(f"ppl_convert_{call.__name__}", call, ("VARCHAR",), "DOUBLE") for call in (memk, dur2sec, mstime)),
    Native("ppl_convert_mktime", mktime, ("VARCHAR", "VARCHAR"), "DOUBLE"),
    Native("ppl_convert_ctime", ctime, ("VARCHAR", "VARCHAR"), "VARCHAR"),
)
