"""`date_histogram`: buckets of time, by the clock of a time zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce
from treering.query import instants as words
from treering.query.coerce import sql_cast
from treering.query.dsl import queries
from treering.query.dsl.buckets import MAX_BUCKETS, Buckets, Key, field_of
from treering.query.dsl.instants import MILLISECOND, formatted, iso
from treering.query.dsl.leaves import constant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from treering.query.dsl.aggregations import Aggregation
    from treering.query.dsl.relations import Matching

_CALENDAR = {
    "second": "second", "1s": "second", "minute": "minute", "1m": "minute", "hour": "hour", "1h": "hour",
    "day": "day", "1d": "day", "week": "week", "1w": "week", "month": "month", "1M": "month",
    "quarter": "quarter", "1q": "quarter", "year": "year", "1y": "year",
}  # fmt: skip
_FIXED = {"ms": MILLISECOND, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 604_800 * 10**9}


class DateHistogram(Buckets):
    """A bucket for each span of time; keys are the local times at which buckets begin, in nanoseconds."""

    def __init__(self, about: Aggregation) -> None:
        """Read interval, zone and offset."""
        super().__init__(about)
        params = about.params
        given = params.get("fixed_interval", params.get("calendar_interval", params.get("interval", "")))
        self.unit, self.step = _interval(str(given), calendar="fixed_interval" not in params)
        self.zone = queries.zone_of(str(params.get("time_zone", "")))
        self.shift = _offset(params.get("offset"))
        self.keyed = bool(params.get("keyed"))
        self.least = int(params.get("min_doc_count", 0))
        self.form = str(params.get("format", ""))
        self.descending = _descending(params.get("order"))

    def key(self, found: Matching) -> Key:
        """The start of the record's bucket by the zone's clock."""
        name = field_of(self.about)
        value = found.value(name)
        if value is None:
            return Key(sql_cast(exp.Null(), "BIGINT"))
        if value.type not in coerce.INSTANTS:
            raise UserError(f"Field [{name[:80]}] of type [{value.type}] is not supported for [date_histogram]")
        local = self._local(coerce.instant_ns(value), found)
        if self.shift:
            local = exp.Paren(this=exp.Sub(this=local, expression=constant(self.shift)))
        start = self._floor(local)
        if self.shift:
            start = exp.Paren(this=exp.Add(this=start, expression=constant(self.shift)))
        return Key(start)

    def _local(self, utc: exp.Expression, found: Matching) -> exp.Expression:
        """Return the zone's clock; a zone with daylight saving becomes a CASE over its changes."""
        if isinstance(self.zone, int):
            return exp.Paren(this=exp.Add(this=utc, expression=constant(self.zone))) if self.zone else utc
        source = found.compiler.sources[0]
        start, end = source.start_ns, source.end_ns
        low = start if start is not None else found.compiler.now_ns - 400 * _FIXED["d"]
        high = end if end is not None else found.compiler.now_ns + 30 * _FIXED["d"]
        changes = _changes(self.zone, low, high)
        otherwise = constant(queries.offset_ns(changes[-1] if changes else low, self.zone))
        ifs = [
            exp.If(
                this=exp.LT(this=utc.copy(), expression=constant(change)),
                true=constant(queries.offset_ns(change - 1, self.zone)),
            )
            for change in changes
        ]
        ahead: exp.Expression = exp.Case(ifs=ifs, default=otherwise) if ifs else otherwise
        return exp.Paren(this=exp.Add(this=utc, expression=exp.Paren(this=ahead)))

    def _floor(self, local: exp.Expression) -> exp.Expression:
        if self.unit:
            stamp = exp.Anonymous(this="make_timestamp_ns", expressions=[local])
            cut = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(self.unit), stamp])
            return exp.Anonymous(this="epoch_ns", expressions=[sql_cast(cut, "TIMESTAMP_NS")])
        step = constant(self.step)
        rest = exp.Anonymous(this="mod", expressions=[local.copy(), step])
        # The remainder is made positive so that instants before 1970 round down too.
        positive = exp.Anonymous(
            this="mod", expressions=[exp.Paren(this=exp.Add(this=rest, expression=step.copy())), step.copy()]
        )
        return exp.Paren(this=exp.Sub(this=local, expression=positive))

    def told(self, value: Any) -> dict[str, Any]:
        """The bucket's start as milliseconds in UTC, and as text."""
        utc = queries.to_utc(value, self.zone)
        text = formatted(utc, self.form, self.zone) if self.form else iso(utc, self.zone)
        return {"key_as_string": text, "key": utc // MILLISECOND}

    def whole(self, present: Sequence[Any]) -> Sequence[Any]:
        """All buckets between the first and the last, and out to `extended_bounds`; those within `hard_bounds`."""
        held = sorted(present)
        bounds, hard = self._bounds("extended_bounds"), self._bounds("hard_bounds")
        if hard:
            held = [value for value in held if hard[0] <= value <= hard[1]]
        if self.least > 0:
            return held[::-1] if self.descending else held
        ends = [*held[:1], *held[-1:], *(bounds or ())]
        if not ends:
            return []
        keys = set(held)
        value, last = self.start(min(ends)), max(ends)
        while value <= last:
            keys.add(value)
            value = self._next(value)
            if len(keys) > MAX_BUCKETS:
                raise UserError(f"Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}]")
        return sorted(keys, reverse=self.descending)

    def start(self, local: int) -> int:
        """Return the start of the bucket that a local time falls into."""
        at = local - self.shift
        if self.unit:
            name = {"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w"}.get(self.unit)
            months = {"month": 1, "quarter": 3, "year": 12}.get(self.unit, 0)
            floor = words.floor(at, 1, name, weekday=1) if name else words.floor(at, months, "M")
        else:
            floor = at - at % self.step
        return floor + self.shift

    def _next(self, value: int) -> int:
        months = {"month": 1, "quarter": 3, "year": 12}.get(self.unit)
        if months is None:
            return value + (
                self.step or _FIXED[{"second": "s", "minute": "m", "hour": "h", "day": "d"}.get(self.unit, "w")]
            )
        return words.shift(value - self.shift, months, "M") + self.shift

    def _bounds(self, name: str) -> tuple[int, int] | None:
        body = self.about.params.get(name)
        if body is None:
            return None
        if not isinstance(body, dict):
            raise UserError(f"[{name}] is an object with min and max")
        found = []
        for end in ("min", "max"):
            value = body.get(end)
            instant = value * MILLISECOND if isinstance(value, int) else words.bound(str(value), 0, up=False)
            if instant is None:
                raise UserError(f"[{name}] {end} is no instant")
            found.append(self.start(instant + queries.offset_ns(instant, self.zone)))
        return found[0], found[1]


def _interval(text: str, *, calendar: bool) -> tuple[str, int]:
    """Return the calendar unit, or no unit and the length in nanoseconds. Raises `UserError`."""
    if calendar and (unit := _CALENDAR.get(text)):
        return unit, 0
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d|w)", text)
    if found is None or not int(found[1]):
        raise UserError(f"[date_histogram] cannot use the interval [{text[:40]}]", hint="such as 30s, 5m, 1d; or month")
    return "", int(found[1]) * _FIXED[found[2]]


def _offset(value: Any) -> int:
    if value in (None, 0, "0"):
        return 0
    found = re.fullmatch(r"([+-]?)(\d+)(ms|s|m|h|d|w)", str(value))
    if found is None:
        raise UserError(f"[offset] cannot be [{str(value)[:40]}]", hint="such as +6h or -30m")
    return (-1 if found[1] == "-" else 1) * int(found[2]) * _FIXED[found[3]]


def _descending(order: Any) -> bool:
    return isinstance(order, dict) and str(order.get("_key", "")).lower() == "desc"


def _changes(zone: ZoneInfo, low: int, high: int) -> list[int]:
    """Return the instants between two at which the zone's clock is set."""
    out: list[int] = []
    step = 7 * _FIXED["d"]
    low = max(low, high - 3000 * step)
    at = low
    while at < high and len(out) < 200:
        following = min(at + step, high)
        before, after = queries.offset_ns(at, zone), queries.offset_ns(following, zone)
        if before != after:
            left, right = at // 10**9, following // 10**9
            while right - left > 1:
                middle = (left + right) // 2
                if queries.offset_ns(middle * 10**9, zone) == before:
                    left = middle
                else:
                    right = middle
            out.append(right * 10**9)
        at = following
    return out
