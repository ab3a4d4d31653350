"""Instants from the texts of logs, exact to the nanosecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.model.times import MAX_NS, MIN_NS, format_ns, rfc3339_ns
from treering.parse.times import TimeParser, epoch, parse_time, parse_times

REFERENCE = int(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()) * 10**9


def read(text: str, zone=UTC) -> str | None:
    value = parse_time(text, zone=zone, reference_ns=REFERENCE)
    return None if value is None else format_ns(value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-12T05:17:11.909858Z", "2026-01-12T05:17:11.909858Z"),
        ("2026-01-12T05:17:11.123456789+02:00", "2026-01-12T03:17:11.123456789Z"),
        ("2026-01-12T05:17:11.1234567899Z", "2026-01-12T05:17:11.123456789Z"),
        ("2026-01-12 05:17:11,909", "2026-01-12T05:17:11.909Z"),
        ("2026-01-12 05:17:11 +0530", "2026-01-11T23:47:11Z"),
        ("2026-01-12_05:17:11", "2026-01-12T05:17:11Z"),
        ("2026/01/12 05:17:11", "2026-01-12T05:17:11Z"),
        ("2026/01/12 - 18:00:09", "2026-01-12T18:00:09Z"),
        ("2026-06-03-15.42.50.675872", "2026-06-03T15:42:50.675872Z"),
        ("20260131T101112.5Z", "2026-01-31T10:11:12.500Z"),
        ("20260131 10:11:12,250", "2026-01-31T10:11:12.250Z"),
        ("20261223-23:21:0:125", "2026-12-23T23:21:00.125Z"),
        ("12/Jan/2026:13:55:36 -0700", "2026-01-12T20:55:36Z"),
        ("12-Jan-2026 07:28:00.123", "2026-01-12T07:28:00.123Z"),
        ("Mon, 12 Jan 2026 07:28:00 GMT", "2026-01-12T07:28:00Z"),
        ("Mon Jan 12 12:52:44 2026", "2026-01-12T12:52:44Z"),
        ("Mon Jan 12 12:52:44.123456 2026", "2026-01-12T12:52:44.123456Z"),
        ("Mon Jan 12 12:52:44 CET 2026", "2026-01-12T11:52:44Z"),
        ("Jan 12, 2026 3:04:05 PM", "2026-01-12T15:04:05Z"),
        ("Jan 12, 2026 12:04:05 AM", "2026-01-12T00:04:05Z"),
        ("01/12/2026 8:10:40 PM", "2026-01-12T20:10:40Z"),
        ("13/01/2026 08:10", "2026-01-13T08:10:00Z"),
        ("12.01.2026 20:10:40", "2026-01-12T20:10:40Z"),
        ("26/01/12 20:10:40", "2026-01-12T20:10:40Z"),
        ("260112 203615", "2026-01-12T20:36:15Z"),
        ("2026-01-12 10:00:00.123 CET", "2026-01-12T09:00:00.123Z"),
        # localised months
        ("4. März 2025 um 12:52:44", "2025-03-04T12:52:44Z"),
        ("4 Okt 2025 12:52:44", "2025-10-04T12:52:44Z"),
        ("4 févr. 2025 à 12:52:44", "2025-02-04T12:52:44Z"),
        ("4 août 2025 12:52:44", "2025-08-04T12:52:44Z"),
        ("4 de enero de 2025 12:52:44", "2025-01-04T12:52:44Z"),
        ("4 dic 2025 12:52:44", "2025-12-04T12:52:44Z"),
        ("4 gennaio 2025 12:52:44", "2025-01-04T12:52:44Z"),
        ("4 de março de 2025 12:52", "2025-03-04T12:52:00Z"),
        ("4 maart 2025 12:52:44", "2025-03-04T12:52:44Z"),
        ("4 mei 2025 12:52:44", "2025-05-04T12:52:44Z"),
        ("4 июля 2025 12:52:44", "2025-07-04T12:52:44Z"),
        ("янв 4 12:52:44", "2026-01-04T12:52:44Z"),
        # no year: closest to the reference and not more than a day after it
        ("01-12 21:11:56", "2026-01-12T21:11:56Z"),
        ("01-16 11:11:56", "2026-01-16T11:11:56Z"),
        ("01-17 11:11:56", "2025-01-17T11:11:56Z"),
        ("12-31 23:59:59.5", "2025-12-31T23:59:59.500Z"),
        ("Oct  9 22:14:15", "2025-10-09T22:14:15Z"),
        ("Feb 29 10:00:00", "2024-02-29T10:00:00Z"),
        ("0112 21:58:57.891440", "2026-01-12T21:58:57.891440Z"),
        ("30.10. 16:49:06", "2025-10-30T16:49:06Z"),
        # no date: within an hour after the reference
        ("12:30:00.250", "2026-01-15T12:30:00.250Z"),
        ("14:00:00", "2026-01-14T14:00:00Z"),
        # epochs
        ("1768205100", "2026-01-12T08:05:00Z"),
        ("1768205100.123456789", "2026-01-12T08:05:00.123456789Z"),
        ("1768205100123", "2026-01-12T08:05:00.123Z"),
        ("1768205100123456", "2026-01-12T08:05:00.123456Z"),
        ("1768205100123456789", "2026-01-12T08:05:00.123456789Z"),
        # a leap second is the next second
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_shapes(text, instant):
    assert read(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "2026-13-01 10:00:00", "2026-02-30T10:00:00Z", "2026-01-12T24:00:00Z", "2026-01-12T10:61:00Z",
        "1500-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "12", "1.5", "Foo 12 10:00:00", "99999999999999999999",
        "Jan 12, 2026 13:04:05 PM", "2026-01-12", "2026-01-12T10:00:00+99:99x", "1" * 100, "10:00",
    ],
)  # fmt: skip
def test_what_names_no_instant_is_none(text):
    assert read(text) is None


def test_texts_without_a_zone_are_in_the_given_one():
    berlin = ZoneInfo("Europe/Berlin")
    assert read("2026-01-12 10:00:00", berlin) == "2026-01-12T09:00:00Z"
    assert read("2026-07-12 10:00:00", berlin) == "2026-07-12T08:00:00Z"
    assert read("2026-07-12 10:00:00Z", berlin) == "2026-07-12T10:00:00Z"
    assert read("Jul 12 10:00:00", berlin) == "2025-07-12T08:00:00Z"


def test_many_texts_at_once():
    texts = ["2026-01-12T05:17:11Z", "nothing", "1768205100"]
    assert parse_times(texts) == [parse_time(text) for text in texts]


def test_a_time_inside_a_line_is_found():
    times = TimeParser(reference_ns=REFERENCE)
    line = "[worker 3] <2026-01-12 10:00:00,123> ready"
    start, end, value = times.find(line)
    assert line[start:end] == "2026-01-12 10:00:00,123"
    assert format_ns(value) == "2026-01-12T10:00:00.123Z"
    assert times.find("version 1.2.3 of 10.0.0.7:8080 with 123456 items") is None
    assert times.find("x" * 200 + " 2026-01-12 10:00:00") is None


@settings(max_examples=300, deadline=None)
@given(st.integers(MIN_NS // 10**9 + 1, MAX_NS // 10**9 - 1), st.integers(0, 10**9 - 1), st.integers(-14 * 60, 14 * 60))
def test_iso_texts_round_trip(seconds, nanos, offset):
    instant = seconds * 10**9 + nanos
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    local = moment.astimezone(timezone(timedelta(minutes=offset)))
    text = f"{local:%Y-%m-%dT%H:%M:%S}.{nanos:09d}{local:%z}"
    if text[:4].isdigit() and local.year >= 1000:
        assert parse_time(text) == instant
        assert rfc3339_ns(text[:-2] + ":" + text[-2:]) == instant


@settings(max_examples=300, deadline=None)
@given(st.integers(10**9, 2 * 10**9), st.integers(0, 10**9 - 1))
def test_epochs_are_exact(seconds, nanos):
    instant = seconds * 10**9 + nanos
    assert epoch(str(instant)) == instant
    assert epoch(f"{seconds}.{nanos:09d}") == instant
    assert epoch(instant // 1000) == instant // 1000 * 1000
    assert epoch(instant // 10**6) == instant // 10**6 * 10**6
    assert epoch(seconds) == seconds * 10**9
    assert abs(epoch(instant / 1e9) - instant) < 1000


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_no_text_crashes_it(text):
    value = parse_time(text, reference_ns=REFERENCE)
    assert value is None or MIN_NS <= value <= MAX_NS
    TimeParser(reference_ns=REFERENCE).find(text)
    epoch(text)


@pytest.mark.parametrize("reference", [MIN_NS, MAX_NS, 0])
def test_far_references_are_harmless(reference):
    times = TimeParser(reference_ns=reference)
    for text in ("Feb 29 10:00:00", "01-12 10:00:00", "10:00:00"):
        times(text)
