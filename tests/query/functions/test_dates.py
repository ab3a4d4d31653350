"""Date functions: parts, weeks by mode, periods, moving and measuring. Now is 2026-01-02 03:04:05.123456789 UTC."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from treering.core.errors import UserError
from treering.query.function import Typed
from treering.query.native import times
from treering.query.types import Type

D, T, TS = "date", "time", "timestamp"
NANOS = (TS, "2026-11-02 10:20:30.123456789")


def every(amount: int, unit: str) -> Typed:
    """Return `INTERVAL amount unit`."""
    return Typed(exp.Literal.number(amount), Type.INTERVAL, amount, unit=unit)


CASES = [
    (("year", NANOS), 2026, "int"),
    (("year", (T, "10:00:00")), 2026, "int"),
    (("quarter", "2020-09-16"), 3, "int"),
    (("month_of_year", (D, "2020-09-16")), 9, "int"),
    (("dayofmonth", (D, None)), None, "int"),
    (("day_of_week", "2020-09-16"), 4, "int"),
    (("dayofyear", "2020-09-16"), 260, "int"),
    (("weekday", "2026-11-02"), 0, "int"),
    (("date", NANOS), "2026-11-02", D),
    (("date", "2026-11-02 10:20:30"), "2026-11-02", D),
    (("week", "2026-01-01"), 0, "int"),
    (("week", "2026-01-01", 2), 52, "int"),
    (("week_of_year", (D, None)), None, "int"),
    (("yearweek", "2026-01-01"), 202552, "int"),
    (("dayname", "2026-11-02"), "Monday", "string"),
    (("monthname", (D, "2026-11-02")), "November", "string"),
    (("last_day", "2024-02-03"), "2024-02-29", D),
    (("makedate", 1945, 5.9), "1945-01-06", D),
    (("makedate", 2020, 367), "2021-01-01", D),
    (("makedate", 0, 78), "2000-03-18", D),
    (("makedate", 2008, 0), None, D),
    (("from_days", 738049), "2020-09-16", D),
    (("to_days", "2020-09-16"), 738049, "bigint"),
    (("period_add", 202612, 1), 202701, "int"),
    (("period_add", 2612, 2), 202702, "int"),
    (("period_add", 202613, 1), None, "int"),
    (("period_diff", 200802, 201003), -25, "int"),
    (("date_add", "2026-01-31", every(1, "MONTH")), "2026-02-28 00:00:00", TS),
    (("date_sub", NANOS, every(1, "QUARTER")), "2026-08-02 10:20:30.123456789", TS),
    (("date_add", NANOS, every(2, "MICROSECOND")), "2026-11-02 10:20:30.123458789", TS),
    (("date_add", (D, None), every(1, "DAY")), None, TS),
    (("adddate", (D, "2026-11-02"), 30), "2026-12-02", D),
    (("subdate", (T, "01:00:00"), 1), "2026-01-01 01:00:00", TS),
    (("timestampadd", "WEEK", -1, NANOS), "2026-10-26 10:20:30.123456789", TS),
    (("timestampdiff", "YEAR", "1997-01-01 00:00:00", "2001-03-06 00:00:00"), 4, "bigint"),
    (("timestampdiff", "HOUR", "2001-01-01 01:59:59", "2001-01-01 00:00:00"), -1, "bigint"),
    (("datediff", "2026-10-31", (TS, "2026-11-02 23:00:00")), -2, "bigint"),
    (("extract", "YEAR_MONTH", NANOS), 202611, "bigint"),
    (("extract", "DAY_MICROSECOND", NANOS), 2102030123456, "bigint"),
    (("extract", "WEEK", "2026-01-01"), 1, "bigint"),
    (("extract", "MINUTE", (T, "10:17:36")), 17, "bigint"),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    assert answer(*call) == (value, kind)


@pytest.mark.parametrize(
    "call",
    [
        ("date", "2020-15-26"),
        ("year", "16:00:61"),
        ("day", 5),
        ("weekday", "2025-13-02"),
        ("date_add", "2026-01-01", 1),
        ("date_add", "2026-01-01", every(1, "DAY_HOUR")),
        ("timestampadd", "FORTNIGHT", 1, "2026-01-01"),
    ],
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


def test_a_mode_beyond_seven_is_an_error(answer):
    with pytest.raises(Exception, match="mode from 0 to 7"):
        answer("week", "2026-01-01", 8)


@given(st.dates(min_value=date(1678, 1, 1), max_value=date(2261, 1, 1)), st.integers(0, 7))
def test_weeks_lie_in_a_year(day, mode):
    days = day.toordinal() - date(1970, 1, 1).toordinal()
    week = times.week(days, mode)
    assert 0 <= week <= 53
    assert times.yearweek(days, mode) // 100 in {day.year - 1, day.year, day.year + 1}


@given(st.integers(197001, 206912).filter(lambda p: 1 <= p % 100 <= 12), st.integers(-500, 500))
def test_periods_added_are_their_difference(period, months):
    later = times.period_add(period, months)
    assert times.period_diff(later, period) == months
