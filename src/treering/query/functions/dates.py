"""Parts of dates and dates from parts (manual: functions/datetime)."""

from __future__ import annotations

from treering.query import moments
from treering.query.arguments import takes
from treering.query.coerce import sql_cast
from treering.query.function import Context, Function, Typed
from treering.query.moments import DAYS_TO_EPOCH
from treering.query.template import call, literal, typed
from treering.query.types import Type

# Names of one part, and the SQL over a DATE.
_PARTS = {
    ("year",): "year(:x)",
    ("quarter",): "quarter(:x)",
    ("month", "month_of_year"): "month(:x)",
    ("day", "dayofmonth", "day_of_month"): "day(:x)",
    ("dayofweek", "day_of_week"): "dayofweek(:x) + 1",
    ("dayofyear", "day_of_year"): "dayofyear(:x)",
    ("weekday",): "isodow(:x) - 1",
}


def _part(name: str, template: str) -> Function:
    return takes(name, "day", lambda x, context: typed(Type.INT, template, x=moments.date(x, context)))


def _week(value: Typed, mode: Typed | None = None, *, context: Context) -> Typed:
    return call("ppl_week", Type.INT, moments.days(value, context), _mode(mode))


def _yearweek(value: Typed, mode: Typed | None = None, *, context: Context) -> Typed:
    return call("ppl_yearweek", Type.INT, moments.days(value, context), _mode(mode))


def _mode(mode: Typed | None) -> Typed:
    return moments.big(0) if mode is None else Typed(sql_cast(mode.sql, Type.BIGINT), Type.BIGINT)


def _makedate(year: Typed, day: Typed) -> Typed:
    """Day `day` of a year, running on into later years; year 0 is 2000, as in MySQL."""
    y, d = (typed(Type.BIGINT, "floor(:x + 0.5)", x=x) for x in (year, day))
    template = (
        "CASE WHEN :d > 0 AND :y >= 0 THEN make_date(CASE WHEN :y = 0 THEN 2000 ELSE :y END, 1, 1)"
        " + CAST(:d - 1 AS INTEGER) END"
    )
    return typed(Type.DATE, template, y=y, d=d)


def _from_days(number: Typed) -> Typed:
    epoch = literal(DAYS_TO_EPOCH)
    return typed(Type.DATE, "DATE '1970-01-01' + CAST(:n - :e AS INTEGER)", n=number, e=epoch)


def _to_days(value: Typed, context: Context) -> Typed:
    return typed(Type.BIGINT, ":d + :e", d=moments.days(value, context), e=literal(DAYS_TO_EPOCH))


def _name(function: str) -> Function:
    return takes(function, "day", lambda x, context: call(function, Type.STRING, moments.date(x, context)))


def _period(function: str) -> Function:
    return takes(
        function,
        "integer integer",
        lambda a, b: call(f"ppl_{function}", Type.INT, *(sql_cast(x.sql, Type.BIGINT) for x in (a, b))),
    )


FUNCTIONS: dict[str, Function] = {
    **{name: _part(name, template) for names, template in _PARTS.items() for name in names},
    "date": takes("date", "day", moments.date),
    "week": takes("week", "day integer", _week, least=1),
    "week_of_year": takes("week_of_year", "day integer", _week, least=1),
    "yearweek": takes("yearweek", "day integer", _yearweek, least=1),
    "dayname": _name("dayname"),
    "monthname": _name("monthname"),
    "last_day": takes(
        "last_day", "day", lambda x, context: typed(Type.DATE, "last_day(:x)", x=moments.date(x, context))
    ),
    "makedate": takes("makedate", "number number", _makedate),
    "from_days": takes("from_days", "integer", _from_days),
    "to_days": takes("to_days", "day", _to_days),
    "period_add": _period("period_add"),
    "period_diff": _period("period_diff"),
}
