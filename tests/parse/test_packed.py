"""Columns laid out by the compiled pass are those that records become one by one, or it refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parse.test_otlp_wire import NOW, requests
from treering.model.batch import Batch, batch
from treering.model.columns import REST
from treering.parse import otlp_wire, packed
from treering.parse.otlp import Signal

NAMES = st.sampled_from(["a", "b/c", "~d", "@timestamp", "startTime", "gen_ai.system", "ä", "attributes", "e" * 40])
LEAVES = (
    st.text(st.characters(codec="utf-8"), max_size=9)
    | st.integers(0, 2**64 - 1)
    | st.integers(-(2**63), -(2**31) - 1)
    | st.floats()
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
ALIKE = st.fixed_dictionaries(
    {
        "a": st.text(max_size=80).filter(lambda text: text.isascii()),
        "attributes": st.fixed_dictionaries({"n": st.floats()}),
    },
    optional={"@timestamp": st.integers(0, 2**62), "e": st.booleans(), "attributes2": st.dictionaries(NAMES, LEAVES)},
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5) | ALIKE, min_size=1, max_size=20)


def encoded(value: Any) -> bytes:
    """Return a value in the form of MessagePack that `otlp.c` writes."""
    if isinstance(value, dict):
        return b"\xdf" + len(value).to_bytes(4) + b"".join(encoded(key) + encoded(one) for key, one in value.items())
    if isinstance(value, list):
        return b"\xdd" + len(value).to_bytes(4) + b"".join(map(encoded, value))
    if isinstance(value, str):
        text = value.encode()
        return (bytes([0xA0 | len(text)]) if len(text) < 32 else b"\xdb" + len(text).to_bytes(4)) + text
    if isinstance(value, int) and not isinstance(value, bool):
        wide = b"\xcf" + value.to_bytes(8) if value >= 0 else b"\xd3" + value.to_bytes(8, signed=True)
        return bytes([value]) if 0 <= value < 128 else wide
    return msgspec.msgpack.encode(value)


def rows(held: Batch) -> list[str]:
    """Return the columns of a batch, their types and values (NaN included); the order of members does not count."""
    found = []
    for name, column in zip(held.data.schema.names, held.data.columns, strict=True):
        values: Any = column.to_pylist()
        if name == REST:
            values = [text and sorted(msgspec.json.decode(text).items()) for text in values]
        found.append(f"{name} {column.type} {values}")
    return sorted(found)


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_records_become_the_columns_that_they_become_one_by_one(records: list[dict[str, Any]]) -> None:
    found = packed.batch("spans", memoryview(encoded(records)), received_ns=NOW)
    assert found is not None
    assert rows(found) == rows(batch("spans", records, received_ns=NOW))


@settings(max_examples=20, deadline=None)
@given(requests(Signal.TRACES))
def test_so_do_the_spans_of_requests(body: bytes) -> None:
    data = otlp_wire.packed(Signal.TRACES, body, NOW)
    if data is None or (found := packed.batch("spans", data, received_ns=NOW)) is None:
        return
    assert rows(found) == rows(batch("spans", msgspec.msgpack.decode(bytes(data)), received_ns=NOW))


@settings(max_examples=60, deadline=None)
@given(RECORDS, st.data())
def test_what_is_damaged_is_refused_or_read_as_it_stands(records: list[dict[str, Any]], data: st.DataObject) -> None:
    raw = bytearray(encoded(records))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = packed.batch("spans", memoryview(raw), received_ns=NOW)
    if found is not None:
        assert rows(found) == rows(batch("spans", msgspec.msgpack.decode(bytes(raw)), received_ns=NOW))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x90",
        b"\x91\x01",
        encoded([{"a": 1}])[:-1],
        encoded([{"a": 1}]) + b"\x01",
        b"\x91\x82\xa1a\x01\xa1a\x02",
        b"\x91\x81\xa1a\xa1\xff",
        b"\x91\x81\xa1\xff\x01",
        b"\x91\x81\xa1\x00\x01",
        b"\x91\x81\xa1a" + b"\x91" * 100_000 + b"\x01",
        b"\xdd\xff\xff\xff\xff",
        encoded([{f"field {number}": number for number in range(600)}]),
        b"\x91\x81\xa1a\xc1",
    ],
    ids=[
        "nothing",
        "no records",
        "no object",
        "torn",
        "more",
        "twice",
        "text",
        "name",
        "nul",
        "deep",
        "many",
        "wide",
        "other",
    ],
)
def test_what_is_out_of_the_ordinary_is_refused(data: bytes) -> None:
    assert packed.batch("spans", memoryview(data), received_ns=NOW) is None
    again = packed.batch("spans", memoryview(encoded([{"a": "x"}])), received_ns=NOW)
    assert again is not None
    assert again.data.column("a:s").to_pylist() == ["x"]
