"""Moving dates and measuring between them (manual: functions/datetime)."""

from __future__ import annotations

from treering.core.errors import UserError
from treering.query import moments
from treering.query.arguments import argument, takes
from treering.query.coerce import INTEGERS, sql_cast
from treering.query.function import Context, Function, Typed
from treering.query.moments import DAY_NS, SECOND
from treering.query.template import literal, typed
from treering.query.types import Type

_FIXED = {
    "MICROSECOND": 1000,
    "MILLISECOND": 10**6,
    "SECOND": SECOND,
    "MINUTE": 60 * SECOND,
    "HOUR": 3600 * SECOND,
    "DAY": DAY_NS,
    "WEEK": 7 * DAY_NS,
}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
# What each part of EXTRACT is: the form of strftime whose digits it has.
_EXTRACT = {
    "MICROSECOND": "%f",
    "MILLISECOND": "%g",
    "SECOND": "%S",
    "MINUTE": "%M",
    "HOUR": "%H",
    "DAY": "%d",
    "MONTH": "%m",
    "YEAR": "%Y",
    "SECOND_MICROSECOND": "%S%f",
    "MINUTE_MICROSECOND": "%M%S%f",
    "MINUTE_SECOND": "%M%S",
    "HOUR_MICROSECOND": "%H%M%S%f",
    "HOUR_SECOND": "%H%M%S",
    "HOUR_MINUTE": "%H%M",
    "DAY_MICROSECOND": "%d%H%M%S%f",
    "DAY_SECOND": "%d%H%M%S",
    "DAY_MINUTE": "%d%H%M",
    "DAY_HOUR": "%d%H",
    "YEAR_MONTH": "%Y%m",
}


def shifted(value: Typed, unit: str, amount: Typed, sign: int, context: Context) -> Typed:
    """Return a timestamp moved by an amount of a unit; a day that a month lacks becomes its last."""
    base = moments.stamp(value, context)
    if unit in _FIXED:
        step = moments.big(sign * _FIXED[unit])
        return typed(Type.TIMESTAMP, "make_timestamp_ns(epoch_ns(:t) + :n * :s)", t=base, n=amount, s=step)
    if unit not in _MONTHS:
        raise UserError(f"an interval of {unit.lower()} cannot be added", hint="name one unit, such as HOUR")
    months = typed(Type.INT, ":n * :s", n=amount, s=literal(sign * _MONTHS[unit]))
    # Whole months move the day; the time of day is put back to keep its nanoseconds.
    day = typed(Type.DATE, "CAST(:t AS DATE) + to_months(:m)", t=base, m=months)
    rest = typed(Type.BIGINT, "epoch_ns(CAST(:t AS TIME_NS))", t=base)
    return typed(Type.TIMESTAMP, "make_timestamp_ns(epoch_ns(CAST(:d AS TIMESTAMP_NS)) + :r)", d=day, r=rest)


def _interval(name: str, sign: int, *, days: bool) -> Function:
    def build(value: Typed, by: Typed, context: Context) -> Typed:
        if by.type is Type.INTERVAL and by.unit is not None:
            amount = argument(name, "number", Typed(by.sql, Type.BIGINT, by.value), context)
            return shifted(value, by.unit, amount, sign, context)
        if not days or by.type not in INTEGERS:
            raise UserError(f"{name} takes an interval, such as INTERVAL 1 DAY, as its second argument")
        if value.type is Type.DATE:
            whole = sql_cast(by.sql, Type.INT)
            return typed(Type.DATE, ":d + :n * :s", d=value, n=whole, s=literal(sign))
        return shifted(value, "DAY", by, sign, context)

    return takes(name, "datetime any", build)


def _unit(name: str, word: Typed) -> str:
    unit = str(word.value).upper()
    if unit not in _FIXED and unit not in _MONTHS:
        raise UserError(f"{name} has no unit {unit.lower()}")
    return unit


def _timestampadd(word: Typed, amount: Typed, value: Typed, context: Context) -> Typed:
    return shifted(value, _unit("timestampadd", word), amount, 1, context)


def _timestampdiff(word: Typed, start: Typed, end: Typed, context: Context) -> Typed:
    unit = _unit("timestampdiff", word)
    first, second = moments.stamp(start, context), moments.stamp(end, context)
    if unit in _FIXED:
        apart = typed(Type.BIGINT, "epoch_ns(:b) - epoch_ns(:a)", a=first, b=second)
        template = "sign(:n) * (abs(:n) // :s)"
        return typed(Type.BIGINT, template, n=apart, s=moments.big(_FIXED[unit]))
    months = typed(Type.BIGINT, "datesub('month', CAST(:a AS TIMESTAMP), CAST(:b AS TIMESTAMP))", a=first, b=second)
    return typed(Type.BIGINT, "sign(:m) * (abs(:m) // :s)", m=months, s=literal(_MONTHS[unit]))


def _datediff(first: Typed, second: Typed, context: Context) -> Typed:
    return typed(Type.BIGINT, ":a - :b", a=moments.days(first, context), b=moments.days(second, context))


def _extract(word: Typed, value: Typed, context: Context) -> Typed:
    part, when = str(word.value).upper(), moments.stamp(value, context)
    if part in {"WEEK", "QUARTER"}:
        return typed(Type.BIGINT, "week(:t)" if part == "WEEK" else "quarter(:t)", t=when)
    if part not in _EXTRACT:
        raise UserError(f"extract has no part {part.lower()}")
    return typed(Type.BIGINT, "strftime(:t, :f)", t=when, f=literal(_EXTRACT[part]))


FUNCTIONS: dict[str, Function] = {
    "date_add": _interval("date_add", 1, days=False),
    "date_sub": _interval("date_sub", -1, days=False),
    "adddate": _interval("adddate", 1, days=True),
    "subdate": _interval("subdate", -1, days=True),
    "timestampadd": takes("timestampadd", "text integer datetime", _timestampadd),
    "timestampdiff": takes("timestampdiff", "text datetime datetime", _timestampdiff),
    "datediff": takes("datediff", "datetime datetime", _datediff),
    "extract": takes("extract", "text datetime", _extract),
}
