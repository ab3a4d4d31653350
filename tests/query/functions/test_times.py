"""Times of day, clocks, Unix times, formats and zones. Now is 2026-01-02 03:04:05.123456789 UTC."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.query.native import formats, times

S, D, T, TS = "string", "date", "time", "timestamp"
NANOS = (TS, "2026-11-02 10:20:30.123456789")
FULL = "%a %b %c %D %d %e %f %H %h %I %i %j %k %l %M %m %p %r %S %s %T %% %P"
CASES = [
    (("hour", "2026-11-02 10:20:30"), 10, "int"),
    (("minute_of_hour", "17:30:00"), 30, "int"),
    (("minute_of_day", (T, "17:30:00")), 1050, "int"),
    (("second", (D, "2026-11-02")), 0, "int"),
    (("microsecond", NANOS), 123456, "int"),
    (("microsecond", (T, None)), None, "int"),
    (("now",), "2026-01-02 03:04:05", TS),
    (("sysdate", 6), "2026-01-02 03:04:05.123456", TS),
    (("curdate",), "2026-01-02", D),
    (("utc_time",), "03:04:05", T),
    (("time", NANOS), "10:20:30.123456789", T),
    (("timestamp", "2026-11-02T10:20:30.123Z"), "2026-11-02 10:20:30.123", TS),
    (("timestamp", (D, "2026-11-02"), (T, "00:00:01")), "2026-11-02 00:00:01", TS),
    (("timestamp", (S, "not a date")), None, TS),
    (("time_to_sec", "23:59:59"), 86399, "bigint"),
    (("sec_to_time", 123456), "10:17:36", T),
    (("sec_to_time", 61.5), "00:01:01.5", T),
    (("sec_to_time", -1), "23:59:59", T),
    (("maketime", 20.2, 49.5, 42.100502), "20:50:42.100502", T),
    (("maketime", 24, 0, 0), None, T),
    (("timediff", "23:59:59", "13:00:00"), "10:59:59", T),
    (("addtime", (T, "23:00:00"), (T, "02:00:00")), "01:00:00", T),
    (("subtime", NANOS, (T, "00:00:00.000000009")), "2026-11-02 10:20:30.12345678", TS),
    (("addtime", (D, "2026-11-02"), (T, "02:00:00")), "2026-11-02 02:00:00", TS),
    (("unix_timestamp",), 1767323045.0, "double"),
    (("unix_timestamp", "2026-11-02 10:20:30.5"), 1793614830.5, "double"),
    (("unix_timestamp", (D, "1960-01-01")), 0.0, "double"),
    (("unix_timestamp", (D, None)), None, "double"),
    (("unix_timestamp", 20261102), 1793577600.0, "double"),
    (("unix_timestamp", 261302), None, "double"),
    (("to_seconds", "1970-01-01"), 62167219200, "bigint"),
    (("to_seconds", 950228), 62961148800, "bigint"),
    (("to_seconds", 42), None, "bigint"),
    (
        ("date_format", "1998-01-31 13:14:15.012345", FULL),
        "Sat Jan 01 31st 31 31 012345 13 01 01 14 031 13 1 January 01 PM 01:14:15 PM 15 15 13:14:15 % P",
        S,
    ),
    (("date_format", (D, "1998-01-31"), "%U %u %V %v %W %w %X %x %Y %y"), "4 4 4 4 Saturday 6 1998 1998 1998 98", S),
    (("date_format", NANOS, "yyyy-MM-dd'T'HH:mm:ss"), "2026-11-02'T'10:20:30", S),
    (("date_format", (TS, None), "%Y"), None, S),
    (("time_format", "10:20:30.123456", "%H:%i:%s.%f %p %h"), "10:20:30.123456 AM 10", S),
    (("time_format", "10:20:30", "%W"), None, S),
    (("str_to_date", "01,5,2013", "%d,%m,%Y"), "2013-05-01 00:00:00", TS),
    (("str_to_date", "1-May-13", "%d-%b-%y"), "2013-05-01 00:00:00", TS),
    (("str_to_date", "9:00:00", "%H:%i:%s"), "2026-01-02 09:00:00", TS),
    (("str_to_date", "2025-02-30", "%Y-%m-%d"), None, TS),
    (("str_to_date", "x", "%Y"), None, TS),
    (("strftime", 1762041600, "%F %T"), "2025-11-02 00:00:00", S),
    (("strftime", "1521467703", "%Y-%m-%d"), "2018-03-19", S),
    (("strftime", 1521467703123, "%s.%3Q"), "1521467703.123", S),
    (("strftime", NANOS, "%9N %A %U %%d"), "123456789 Monday 44 %d", S),
    (("strftime", "2026-11-02", "%F"), None, S),
    (("from_unixtime", 12224.12), "1970-01-01 03:23:44.12", TS),
    (("from_unixtime", 1662601316, "%T"), "01:41:56", S),
    (("from_unixtime", -1), None, TS),
    (("get_format", "TIMESTAMP", "EUR"), "%Y-%m-%d %H.%i.%s", S),
    (("get_format", "TIMESTAMP", "UTC"), None, S),
    (("convert_tz", "2021-05-12 11:34:50", "-12:00", "+12:00"), "2021-05-13 11:34:50", TS),
    (("convert_tz", NANOS, "UTC", "America/New_York"), "2026-11-02 05:20:30.123456789", TS),
    (("convert_tz", "2021-05-12 11:34:50", "-12:00", "+15:00"), None, TS),
    (("convert_tz", "2021-02-30 10:00:00", "+00:00", "+00:00"), None, TS),
    (("datetime", "2008-01-01 02:00:00", "+10:00"), "2008-01-01 12:00:00", TS),
    (("datetime", "2004-02-28 23:00:00-10:00", "+10:00"), "2004-02-29 19:00:00", TS),
    (("datetime", "nope"), None, TS),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    assert answer(*call) == (value, kind)


@pytest.mark.parametrize(
    "call",
    [
        ("time", "13:69:00"),
        ("time_to_sec", "2025-13-02"),
        ("timestamp", "16:00:61"),
        ("hour", 5),
        ("sysdate", 7),
        ("time_format", "nope", "%H"),
        ("strftime", True, "%F"),
        ("convert_tz", 5, "+00:00", "+00:00"),
    ],
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(2068, 1, 1))  # noqa: DTZ001  Hypothesis wants them naive


@given(INSTANTS)
def test_what_is_written_is_read_back(when):
    when = when.replace(microsecond=0, tzinfo=UTC)
    for form in ("%Y-%m-%d %H:%i:%s", "%d %M %Y %T", "%b %e %Y %r", "yyyy-MM-dd HH:mm:ss"):
        assert formats.read(formats.written(when, form, formats.DATE), form, when) == when


FORMS = [*(f"%{letter}" for letter in "abcdDefHhIijklMmprSsTUuVvWwXxYy%"), "yyyy-MM-dd HH:mm:ss", "[%Y]", "d%d", "%Y%"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stamp", ["2026-11-02 10:20:30.123456789", "1999-12-31 23:59:59", "2024-02-29 00:00:05"])
def test_the_engine_writes_formats_as_python_does(answer, form, stamp):
    when = datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)
    assert answer("date_format", (TS, stamp), form)[0] == formats.written(when, form, formats.DATE)


@pytest.mark.parametrize(
    "form", [*(f"%{letter}" for letter in "HIMpSAadjbBmyYFTXUVwGs%"), "%Y-%m-%dT%H:%M", "%q", "100%"]
)
@pytest.mark.parametrize("stamp", ["2026-11-02 10:20:30.123456789", "1999-12-31 23:59:59"])
def test_the_engine_writes_c_formats_as_python_does(answer, form, stamp):
    when = datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)
    nanos = int(stamp[20:].ljust(9, "0"))
    assert answer("strftime", (TS, stamp), form)[0] == formats.strftime(when, nanos, form)


@given(INSTANTS, st.integers(-839, 840), st.integers(-839, 840))
def test_zones_there_and_back(when, first, second):
    ns = (when.replace(tzinfo=UTC) - formats.EPOCH) // timedelta(microseconds=1) * 1000
    names = [f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}" for m in (first, second)]
    there = times.convert_tz(ns, *names)
    assert there - ns == (second - first) * 60 * 10**9
    assert times.convert_tz(there, *reversed(names)) == ns


@given(INSTANTS, st.text(max_size=20))
def test_any_format_is_an_answer_or_a_refusal(when, form):
    when = when.replace(tzinfo=UTC)
    assert isinstance(formats.strftime(when, 5, form), str)
    with contextlib.suppress(ValueError):  # a letter that needs a percent sign
        assert isinstance(formats.written(when, form, formats.DATE), str)
    assert isinstance(formats.read(form, form, when), datetime | None)


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_an_instant_or_null(text, zone):
    assert isinstance(times.from_text(text, zone), int | None)
    assert isinstance(times.convert_tz(0, zone, "+00:00"), int | None)


@given(st.floats(-1e15, 1e15), st.integers())
def test_any_number_is_an_instant_or_null(number, whole):
    assert isinstance(times.compact(number), float | None)
    assert isinstance(times.day_seconds(whole), int | None)
