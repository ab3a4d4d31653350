"""Instants that queries name in words: `-7d@d`, `now`, `2024-01-15`, seconds or milliseconds since the epoch.

Time modifiers are those of opensearch-project/sql (docs/user/ppl/cmd/search.md); everything is UTC.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from treering.model.times import rfc3339_ns
from treering.query import coerce
from treering.query.types import Type

SECOND = 1_000_000_000
_UNITS = {
    "ms": ("ms", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "wk", "wks", "week", "weeks"),
    "M": ("M", "mon", "month", "months"),
    "q": ("q", "qtr", "qtrs", "quarter", "quarters"),
    "y": ("y", "yr", "yrs", "year", "years"),
}
_FIXED = {"ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "w": 604_800 * SECOND}
_MONTHS = {"M": 1, "q": 3, "y": 12}
_NAMES = {name: unit for unit, names in _UNITS.items() for name in names}
_STEP = re.compile(r"([+-])(\d*)([A-Za-z]+)|@([A-Za-z]+)(\d?)|/([A-Za-z])")
_PARTS = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2})"
    r"(?:[T ](?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?)?)?)?"
)
_MODIFIER_DATE = re.compile(r"(\d{2})/(\d{2})/(\d{4}):(\d{2}:\d{2}:\d{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unit(name: str) -> str | None:
    """Return the canonical unit (`ms s m h d w M q y`) of a unit's name, or None; only `M` and `m` differ by case."""
    return _NAMES.get(name) or (_NAMES.get(name.lower()) if name != "M" else "M")


def modifier(text: str, now_ns: int) -> int | None:
    """Return the instant of a time modifier of `earliest` or `latest`; numbers are seconds since the epoch."""
    body = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", body):
        return round(float(body) * SECOND) if "." in body else int(body) * SECOND
    if found := _MODIFIER_DATE.fullmatch(body):
        month, day, year, clock = found.groups()
        return rfc3339_ns(f"{year}-{month}-{day}T{clock}")
    return bound(body, now_ns, up=False, numbers=False)


def bound(text: str, now_ns: int, *, up: bool, numbers: bool = True) -> int | None:
    """Return the first instant of what the text names, with `up` its last; numbers are milliseconds since the epoch."""
    body = text.strip()
    if numbers and re.fullmatch(r"-?\d{5,}", body):
        return int(body) * 10**6
    if body.lower() in {"now", "now()"}:
        return now_ns
    if body[:3].lower() == "now" or body[:1] in "+-@":
        return _relative(re.sub(r"^now(\(\))?", "", body, flags=re.IGNORECASE), now_ns)
    if "||" in body:
        anchor, _, math = body.partition("||")
        start = bound(anchor, now_ns, up=False)
        return None if start is None else _relative(math, start)
    return _dated(body, up=up)


def _dated(body: str, *, up: bool) -> int | None:
    found = _PARTS.fullmatch(body)
    if found is None:
        return None
    part = found.groupdict()
    fraction = (part["fraction"] or "").ljust(9, "0")
    whole = (
        f"{part['year']}-{int(part['month'] or 1):02}-{int(part['day'] or 1):02}T{int(part['hour'] or 0):02}:"
        f"{part['minute'] or '00'}:{part['second'] or '00'}.{fraction}{part['zone'] or 'Z'}"
    )
    start = rfc3339_ns(whole)
    if start is None or not up or part["fraction"]:
        return start
    names = [("second", "s"), ("minute", "m"), ("hour", "h"), ("day", "d"), ("month", "M"), ("year", "y")]
    given = next(short for name, short in names if part[name] is not None)
    return shift(start, 1, given) - 1


def _relative(body: str, start: int) -> int | None:
    position, moment = 0, start
    while position < len(body):
        found = _STEP.match(body, position)
        if found is None:
            return None
        sign, amount, step, snap, weekday, slash = found.groups()
        name = unit(step or snap or slash)
        if name is None:
            return None
        if step:
            moment = shift(moment, int(sign + (amount or "1")), name)
        else:
            moment = floor(moment, 1, name, weekday=int(weekday) % 7 if weekday else None)
        position = found.end()
    return moment


def shift(moment: int, count: int, name: str) -> int:
    """Return the instant `count` units later; the day of a month that is too short becomes its last."""
    if name in _FIXED:
        return moment + count * _FIXED[name]
    seconds, rest = divmod(moment, SECOND)
    day = _EPOCH + timedelta(seconds=seconds)
    index = day.year * 12 + day.month - 1 + count * _MONTHS[name]
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        return moment
    last = calendar.monthrange(year, month + 1)[1]
    moved = day.replace(year=year, month=month + 1, day=min(day.day, last))
    return ((moved - _EPOCH) // timedelta(seconds=1)) * SECOND + rest


def floor(moment: int, count: int, name: str, *, weekday: int | None = None) -> int:
    """Return the start of the bucket of `count` units that holds the instant; weeks start on Sunday unless given."""
    if name == "w":
        days = moment // _FIXED["d"]
        # 1970-01-01 was a Thursday, day 4 of a week that starts on Sunday.
        back = (days + 4 - (weekday or 0)) % 7
        return (days - back) * _FIXED["d"]
    if name in _FIXED:
        return moment - moment % (count * _FIXED[name])
    day = _EPOCH + timedelta(seconds=moment // SECOND)
    size = count * _MONTHS[name]
    index = (day.year * 12 + day.month - 1) // size * size
    return ((datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)) * SECOND


def literal(moment: int, kind: Type = Type.TIMESTAMP) -> exp.Expression:
    """Return an instant as an SQL value of a date, time or timestamp."""
    sign = exp.Neg(this=exp.Literal.number(-moment)) if moment < 0 else exp.Literal.number(moment)
    stamp = exp.Anonymous(this="make_timestamp_ns", expressions=[sign])
    return stamp if kind is Type.TIMESTAMP else coerce.sql_cast(stamp, kind)
