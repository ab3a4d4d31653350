"""Times of day, clocks and Unix times (manual: functions/datetime)."""

from __future__ import annotations

from treering.core.errors import UserError
from treering.query import coerce, moments
from treering.query.arguments import takes
from treering.query.coerce import INTEGERS, NUMBERS, sql_cast
from treering.query.function import Context, Function, Typed
from treering.query.moments import DAYS_TO_EPOCH, SECOND
from treering.query.template import call, literal, typed
from treering.query.types import Type

# Names of one part, its type, and the SQL over nanoseconds since midnight.
_PARTS = {
    ("hour", "hour_of_day"): ":x // 3600000000000",
    ("minute", "minute_of_hour"): ":x // 60000000000 % 60",
    ("minute_of_day",): ":x // 60000000000",
    ("second", "second_of_minute"): ":x // 1000000000 % 60",
    ("microsecond",): ":x // 1000 % 1000000",
}


# What takes the text of a date for its midnight.
_DATED = frozenset({"minute_of_day"})


def _part(name: str, template: str) -> Function:
    kind = "daytime" if name in _DATED else "clock"
    return takes(name, kind, lambda x: typed(Type.INT, template, x=moments.day_ns(x)))


def _time_to_sec(value: Typed) -> Typed:
    return typed(Type.BIGINT, ":x // 1000000000", x=moments.day_ns(value))


def _sec_to_time(value: Typed) -> Typed:
    if value.type in INTEGERS:
        return moments.time_from_ns(typed(Type.BIGINT, "CAST(:x % 86400 AS BIGINT) * 1000000000", x=value))
    return moments.time_from_ns(typed(Type.BIGINT, "trunc((:x % 86400) * 1e9)", x=_double(value)))


def _double(value: Typed) -> Typed:
    return Typed(sql_cast(value.sql, Type.DOUBLE), Type.DOUBLE)


def _maketime(hour: Typed, minute: Typed, second: Typed) -> Typed:
    """Null beyond 23:59:59, where OpenSearch 3.8 answers with an internal error."""
    h, m = (typed(Type.BIGINT, "floor(:x + 0.5)", x=x) for x in (hour, minute))
    s = typed(Type.BIGINT, "round(:x * 1e9)", x=_double(second))
    total = typed(Type.BIGINT, "(:h * 3600 + :m * 60) * 1000000000 + :s", h=h, m=m, s=s)
    template = (
        "CASE WHEN :h BETWEEN 0 AND 23 AND :m BETWEEN 0 AND 59 AND :s BETWEEN 0 AND 59999999999"
        " THEN make_timestamp_ns(:t) END"
    )
    return typed(Type.TIME, template, h=h, m=m, s=s, t=total)


def _timediff(first: Typed, second: Typed) -> Typed:
    apart = typed(Type.BIGINT, ":a - :b", a=moments.day_ns(first), b=moments.day_ns(second))
    return moments.time_from_ns(apart)


def _timestamp(value: Typed, add: Typed | None = None, *, context: Context) -> Typed:
    start = moments.stamp(value, context)
    if add is None:
        return start
    return _shift("+", start, add, context)


def _shift(sign: str, value: Typed, by: Typed, context: Context) -> Typed:
    """Add or take away the time of day of `by`. A time stays a time, a date becomes a timestamp."""
    template = ":a + :b" if sign == "+" else ":a - :b"
    if value.type is Type.TIME:
        return moments.time_from_ns(typed(Type.BIGINT, template, a=moments.day_ns(value), b=moments.day_ns(by)))
    return moments.from_ns(typed(Type.BIGINT, template, a=moments.ns(value, context), b=moments.day_ns(by)))


def _addtime(value: Typed, by: Typed, context: Context) -> Typed:
    return _shift("+", value, by, context)


def _subtime(value: Typed, by: Typed, context: Context) -> Typed:
    return _shift("-", value, by, context)


def _unix(value: Typed | None = None, *, context: Context) -> Typed:
    if value is None:
        return typed(Type.DOUBLE, ":n", n=literal(context.now_ns // SECOND))
    if value.type in NUMBERS:
        return call("ppl_compact", Type.DOUBLE, _double(value))
    value = _instant(value, context)
    seconds = typed(Type.DOUBLE, "epoch_ns(:x) // 1000000000 + (epoch_ns(:x) % 1000000000) / 1e9", x=value)
    return typed(Type.DOUBLE, "greatest(:s, 0) + 0 * :s", s=seconds)


def _instant(value: Typed, context: Context) -> Typed:
    if value.type is Type.STRING or value.type in coerce.INSTANTS or value.type is Type.UNDEFINED:
        return moments.stamp(value, context)
    raise UserError(f"a date, a timestamp or a number is needed here, not a value of type {value.type}")


def _to_seconds(value: Typed, context: Context) -> Typed:
    if value.type in INTEGERS:
        return call("ppl_day_seconds", Type.BIGINT, sql_cast(value.sql, Type.BIGINT))
    seconds = typed(Type.BIGINT, "epoch_ns(:x) // 1000000000", x=_instant(value, context))
    return typed(Type.BIGINT, ":s + :e", s=seconds, e=literal(DAYS_TO_EPOCH * 86_400))


def _sysdate(digits: Typed | None = None, *, context: Context) -> Typed:
    places = 0 if digits is None else digits.value
    if not isinstance(places, int) or not 0 <= places <= 6:
        raise UserError(f"sysdate takes from 0 to 6 digits, not {places}")
    return moments.now(context, places)


def _moment(context: Context) -> Typed:
    return moments.now(context)


def _now(name: str) -> Function:
    return takes(name, "", _moment)


def _today(name: str) -> Function:
    return takes(name, "", lambda context: moments.date(moments.now(context), context))


def _clock(name: str) -> Function:
    return takes(name, "", lambda context: moments.time(moments.now(context)))


FUNCTIONS: dict[str, Function] = {
    **{name: _part(name, template) for names, template in _PARTS.items() for name in names},
    **{n: _now(n) for n in ("now", "current_timestamp", "localtimestamp", "localtime", "utc_timestamp")},
    **{n: _today(n) for n in ("curdate", "current_date", "utc_date")},
    **{n: _clock(n) for n in ("curtime", "current_time", "utc_time")},
    "sysdate": takes("sysdate", "integer", _sysdate, least=0),
    "time": takes("time", "clock", moments.time),
    "timestamp": takes("timestamp", "datetime datetime", _timestamp, least=1),
    "time_to_sec": takes("time_to_sec", "daytime", _time_to_sec),
    "sec_to_time": takes("sec_to_time", "number", _sec_to_time),
    "maketime": takes("maketime", "number number number", _maketime),
    "timediff": takes("timediff", "time time", _timediff),
    "addtime": takes("addtime", "datetime datetime", _addtime),
    "subtime": takes("subtime", "datetime datetime", _subtime),
    "unix_timestamp": takes("unix_timestamp", "any", _unix, least=0),
    "to_seconds": takes("to_seconds", "any", _to_seconds),
}
