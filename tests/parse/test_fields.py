"""Fields of a sender to records: nothing lost, values exact."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.fields import is_log_shaped, shape
from treering.parse.formats.json_lines import decode_object
from treering.parse.pairs import bracketed, colons, logfmt, pipes, seconds, unescape
from treering.parse.severity import from_number, from_python, from_status, from_syslog, severity_number
from treering.parse.times import TimeParser

TIMES = TimeParser(reference_ns=1_768_478_400_000_000_000)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TRACE", 1), ("finest", 1), ("D", 5), ("Debug", 5), ("info", 9), ("Information", 9), ("I", 9), ("LOG", 9),
        ("notice", 10), ("WARNING", 13), ("W", 13), ("err", 17), ("SEVERE", 17), ("[error]", 17), ("crit", 18),
        ("alert", 19), ("CRITICAL", 21), ("F", 21), ("emerg", 21), ("panic", 21), ("wonderful", None), ("", None),
    ],
)  # fmt: skip
def test_level_names(text, number):
    assert severity_number(text) == number
    assert severity_number(text) == number


def test_level_numbers():
    assert [from_number(level) for level in (10, 20, 30, 40, 50, 60)] == [
        ("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21),
    ]  # fmt: skip
    assert from_number(3) == ("err", 17)
    assert from_number(35) == ("INFO", 9)
    assert [from_number(level) for level in (8, -1, 70, True, math.nan)] == [None] * 5
    assert [from_python(level) for level in (10, 25, 50)] == [("DEBUG", 5), ("INFO", 9), ("FATAL", 21)]
    assert [from_syslog(level) for level in range(8)] == [21, 19, 18, 17, 13, 10, 9, 5]
    assert [from_status(status) for status in (200, 301, 404, 503)] == [9, 9, 13, 17]


def test_integers_are_exact_and_what_json_lacks_is_read():
    line = '{"msg":"m","n":9007199254740993,"big":123456789012345678901234567890,"f":NaN,"bad":"\\ud800x","nil":null}'
    fields = decode_object(line)
    assert fields["n"] == 9007199254740993
    assert fields["big"] == 123456789012345678901234567890
    assert math.isnan(fields["f"])
    assert fields["bad"] == "\ufffdx"
    assert fields["nil"] is None
    assert decode_object('[{"a":1}]') is None
    assert decode_object('{"a":1},') == {"a": 1}
    assert decode_object("{" * 100_000 + "}") is None


@pytest.mark.parametrize(
    ("fields", "shaped"),
    [
        ({"account_number": 1, "balance": 39225, "address": "880 Holmes Lane"}, False),
        ({"date": "2026-01-12T00:00:00Z", "value": 3}, False),
        ({"status": "info", "level": 3}, False),
        ({"event": "login"}, False),
        ({"event": "login", "date": "2026-01-12T00:00:00Z"}, True),
        ({"message": "x"}, True),
        ({"level": "warn", "a": 1}, True),
        ({"ts": 1768205100.5}, True),
        ({"time": 0.25, "name": "x"}, False),
        ({"severity": "nonsense"}, False),
    ],
)
def test_what_is_a_log(fields, shaped):
    kept = dict(fields)
    assert (shape(fields, TIMES) is not None) is shaped
    if not shaped:
        assert fields == kept
    assert is_log_shaped([kept], TIMES) is shaped


def flat(value, path=""):
    """Every leaf of a value as text, wherever it stands."""
    if isinstance(value, dict) and value:
        return [leaf for key, one in value.items() for leaf in flat(one, f"{path}.{key}")]
    return [json.dumps(value)]


NAMES = st.sampled_from(
    ["@timestamp", "time", "level", "severity", "msg", "message", "event", "body", "service", "trace_id", "span", "log",
     "record", "jsonPayload", "httpRequest", "exc_info", "name", "a.b", "text", "status", "attributes", "resource"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8)
    | st.sampled_from(["info", "2026-01-12T00:00:00Z", "9100a1b2c3d4e5f60718293a4b5c6d7e", 1768205100, 30])
    | st.just("GET / HTTP/1.1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_every_value_of_the_sender_is_somewhere_in_the_record(fields):
    kept = json.loads(json.dumps(fields))
    record = shape(fields, TIMES)
    if record is None:
        assert fields == kept
        return
    leaves = flat(record)
    moments = {json.dumps(value) for value in ("2026-01-12T00:00:00Z", 1768205100)}
    for name, value in kept.items():
        if type(value) is int and value >= 100_000_000:  # it may be the seconds of an instant
            continue
        for leaf in flat(value):
            # A time is kept as an instant, an identifier without its prefix, a level's digits as their name.
            if leaf in moments or (isinstance(value, str) and (value.isdigit() or "/" in value or "." in value)):
                continue
            assert leaf in leaves, name


def test_pairs():
    assert logfmt('a=1 b="x \\"y\\"" c= d=1.5 e=true version=1.10 a=2') == (
        {"a": [1, 2], "b": 'x "y"', "c": "", "d": 1.5, "e": True, "version": "1.10"},
        48,
    )
    assert bracketed('[a=1] [b="x]y"] ["k k"=z] rest')[0] == {"a": 1, "b": "x]y", "k k": "z"}
    assert colons('http.method: GET, route: "/a, b", list: [1, 2], text: one, two') == (
        {"http.method": "GET", "route": "/a, b", "list": "[1, 2]", "text": "one, two"},
        62,
    )
    assert pipes("lm loss: 1.5E+00 | grad norm: nan |")[0].keys() == {"lm_loss", "grad_norm"}
    assert unescape("a\\n\\u00e9\\ud800\\q") == "a\né\ufffd\\q"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50.263µs", 5.0263e-05), ("201.54 ms", 0.20154), ("1m2.5s", 62.5), ("2h", 7200.0), ("0s", 0.0), ("", None),
        ("5", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_durations(text, value):
    assert seconds(text) == value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_no_text_crashes_the_pair_readers(text):
    for read in (logfmt, bracketed, colons, pipes):
        read(text)
    unescape(text)
    seconds(text)
