"""Records survive the way into columns and back, whatever JSON they hold."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from treering.model import columns
from treering.model.batch import batch
from treering.model.times import format_ns, rfc3339_ns

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
NAMES = st.text(st.sampled_from("ab./~:é_@ "), max_size=4)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6)


def rows(data: Any) -> list[dict[str, Any]]:
    names = data.schema.names
    held = [[value.as_py() for value in data.column(index)] for index in range(len(names))]
    return [dict(zip(names, values, strict=True)) for values in zip(*held, strict=True)]


@given(RECORDS)
def test_every_record_comes_back_equal(records: list[dict[str, Any]]) -> None:
    data = columns.from_records(records, received_ns=1)
    assert [columns.to_record(row) for row in rows(data)] == records


@given(RECORDS, st.integers(1, 4))
def test_records_beyond_the_column_limit_come_back_equal(records: list[dict[str, Any]], limit: int) -> None:
    data = columns.from_records(records, received_ns=1, max_columns=limit)
    assert [columns.to_record(row) for row in rows(data)] == records
    assert data.num_columns <= limit + len(columns.SYSTEM)


def test_one_name_with_two_types_keeps_both() -> None:
    data = batch("z", [{"a": 1}, {"a": "x"}, {"a": 1.5}, {"a": True}, {"a": [1, "b"]}], received_ns=0).data
    assert {name for name in data.schema.names if name.startswith("a:")} == {"a:l", "a:s", "a:d", "a:b", "a:j"}


def test_64_bit_integers_and_nanoseconds_are_exact() -> None:
    record = {"n": 2**63 - 1, "m": -(2**63), "u": 2**64 - 1, "@timestamp": "2026-11-03T05:14:37.112715168Z"}
    data = batch("z", [record], received_ns=0).data
    row = rows(data)[0]
    assert (row["n:l"], row["m:l"], row["u:j"]) == (2**63 - 1, -(2**63), str(2**64 - 1))
    stamps = data.column("_time").cast(columns.ARROW[columns.Kind.LONG])
    assert format_ns(stamps[0].as_py()) == "2026-11-03T05:14:37.112715168Z"


def test_a_record_without_a_time_has_the_time_it_was_received() -> None:
    data = batch("z", [{"a": 1}, {"@timestamp": "not a time"}], received_ns=5_000_000_000).data
    stamps = data.column("_time").cast(columns.ARROW[columns.Kind.LONG])
    assert [stamp.as_py() for stamp in stamps] == [5_000_000_000] * 2
    assert rows(data)[1]["@timestamp:s"] == "not a time"


def test_ten_thousand_names() -> None:
    records = [{"attributes": {f"name.{row}.{index}": index for index in range(1000)}} for row in range(10)]
    data = batch("z", records, received_ns=0).data
    assert [columns.to_record(row) for row in rows(data)] == records


@given(st.integers(-(2**62), 2**62))
def test_formatting_an_instant_and_reading_it_is_the_identity(instant: int) -> None:
    assert rfc3339_ns(format_ns(instant)) == instant


def test_a_column_of_uniform_times_reads_like_single_ones() -> None:
    texts = [f"2026-11-0{1 + index % 9}T05:14:3{index % 10}.11271516{index % 10}Z" for index in range(20)]
    data = batch("z", [{"@timestamp": text} for text in texts], received_ns=0).data
    stamps = data.column("@timestamp:t").cast(columns.ARROW[columns.Kind.LONG])
    assert [stamp.as_py() for stamp in stamps] == [rfc3339_ns(text) for text in texts]


def test_numbers_in_time_fields_count_the_senders_unit() -> None:
    data = batch("z", [{"@timestamp": 1_764_000_000_123}], received_ns=0, unit_ns=columns.MILLISECOND).data
    stamps = data.column("_time").cast(columns.ARROW[columns.Kind.LONG])
    assert stamps[0].as_py() == 1_764_000_000_123_000_000


def test_floats_that_json_lacks_are_kept() -> None:
    row = rows(batch("z", [{"a": float("inf"), "b": float("nan")}], received_ns=0).data)[0]
    assert row["a:d"] == float("inf")
    assert row["b:d"] != row["b:d"]


def test_one_megabyte_of_text_is_kept() -> None:
    text = "é" * 500_000
    assert rows(batch("z", [{"body": text}], received_ns=0).data)[0]["body:s"] == text
    assert len(msgspec.json.encode(text)) > 1_000_000


def test_records_nested_deeper_than_columns_go_come_back_equal() -> None:
    record: dict[str, Any] = {"leaf": 1}
    for _ in range(400):
        record = {"a": record}
    assert columns.to_record(rows(batch("z", [record], received_ns=0).data)[0]) == record
