"""Records decoded by shape are the records decoded as dicts, or they are refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.test_columns import NAMES, RECORDS, VALUES, rows
from treering.model import columns
from treering.model.batch import batch, shaped_batch
from treering.model.columns import REST
from treering.model.shapes import Shape, learn

TIMES = st.sampled_from(["2026-11-03T05:14:37.112715168Z", "2026-11-03T05:14:60Z", "1677-09-21T00:12:43Z"])
DEEP = st.just({"n": 1}) | st.just({})
ALIKE = st.lists(
    st.fixed_dictionaries(
        {"@timestamp": TIMES},
        optional={
            "n": st.integers(-(2**70), 2**70),
            "x": st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9),
            "s": st.text(max_size=4),
            "b": st.booleans(),
            "any": VALUES,
            "in": st.fixed_dictionaries({}, optional={"s": st.text(max_size=4), "deep": DEEP}),
        },
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


def lines(records: list[dict[str, Any]]) -> list[bytes]:
    return [msgspec.json.encode(record) for record in records]


def shaped(records: list[dict[str, Any]], shape: Shape) -> Any:
    found = shape.decode(lines(records))
    return None if found is None else shaped_batch("z", found, shape, received_ns=7).data


def as_read(records: list[dict[str, Any]]) -> Any:
    return batch("z", [msgspec.json.decode(line) for line in lines(records)], received_ns=7).data


def typed(data: Any) -> list[dict[str, Any]]:
    """Return rows by column; a float and an integer that are equal are told apart by their columns' names."""
    found = [{name: value for name, value in row.items() if value is not None} for row in rows(data)]
    return [row | {REST: msgspec.json.decode(row[REST])} if REST in row else row for row in found]


@settings(max_examples=200, deadline=None)
@given(ALIKE, ALIKE)
def test_alike_records_are_the_same_by_shape(seen: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    shape = learn([msgspec.json.decode(line) for line in lines(seen)])
    assert shape is not None
    if (data := shaped(now, shape)) is not None:
        assert typed(data) == typed(as_read(now))
    wider = learn([msgspec.json.decode(line) for line in lines(now)], shape)
    assert wider is not None
    data = shaped(now, wider)
    assert data is not None
    assert typed(data) == typed(as_read(now))


@given(RECORDS, RECORDS)
def test_any_records_are_the_same_by_shape_or_refused(seen: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    shape = learn(seen)
    if shape is not None and (data := shaped(now, shape)) is not None:
        assert [columns.to_record(row) for row in rows(data)] == now


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"new":2}', b'{"a":"1"}', b'{"a":1.0}', b'{"a":null}', b'{"a":1} {"a":2}', b'{"a":1', b"", b"[]",
        b'{"o":null}', b'{"o":{"b":1}}', b'{"o":1}', b'{"s":"\xff"}', b'{"a":1}\r',
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(line: bytes) -> None:
    shape = learn([{"a": 1, "s": "x", "o": {"t": "x"}}])
    assert shape is not None
    assert shape.decode([b'{"a":1}', b'{"a":2}']) is not None
    assert shape.decode([b'{"a":1}', line]) is None


@pytest.mark.parametrize(
    "pair",
    [
        [b'{"a":1}{"a":2}', b'{"a":3,"s":"x"'], [b'{"o":{"t":"x"}', b',"a":1}'], [b'{"a":1}{"a":2}', b""],
        [b'{"o":{"t":"}', b'{"}}'],
    ],
)  # fmt: skip
def test_a_record_is_a_line(pair: list[bytes]) -> None:
    shape = learn([{"a": 1, "s": "x", "o": {"t": "x"}}])
    assert shape is not None
    assert shape.decode(pair) is None


@given(st.dictionaries(NAMES | st.sampled_from(['"', "\\", "\n"]), st.integers(), min_size=1))
def test_names_that_structs_cannot_have_make_no_shape(record: dict[str, int]) -> None:
    shape = learn([record])
    assert (shape is None) == any(set(name) & set('"\\\n') for name in record)


def test_too_many_fields_make_no_shape() -> None:
    assert learn([{f"f{number}": number} for number in range(300)]) is None
