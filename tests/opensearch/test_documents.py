"""Records as documents and back: whatever a sender writes comes back equal; what does not fit is kept beside it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from arro3.core import Table
from hypothesis import given
from hypothesis import strategies as st

from treering.model.batch import batch
from treering.model.columns import SEQUENCE, TIME, to_record
from treering.model.schema import is_time_field
from treering.store.duckdb import arrow
from treering.store.opensearch import documents, hits
from treering.store.opensearch.columns import ROOT, Columns

_NAMES = st.sampled_from(["a", "b", "a.b", "@timestamp", "treering", "", ".", "x.", "_id", "*", "a/b~", "é\0", "body"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-27T20:00:00.123456789Z", "1969-01-01T00:00:00Z", "x" * 9000])
)
_VALUES = st.recursive(
    _SCALARS, lambda item: st.lists(item, max_size=3) | st.dictionaries(_NAMES, item, max_size=3), max_leaves=8
)
_RECORDS = st.lists(st.dictionaries(_NAMES, _VALUES, max_size=5), min_size=1, max_size=5)


def sent(records: list[dict[str, Any]], columns: Columns, first: int = 0) -> list[dict[str, Any]]:
    """Return records as the documents that a cluster would answer with."""
    data, rest = arrow.flattened(batch("logs", records, received_ns=5).data)
    items = documents.lists_first(data)
    for name in documents.physical(data, rest.order):
        columns.add(name, items.get(name))
    made = documents.documents(data, first, columns)
    return [msgspec.json.decode(msgspec.json.encode(document)) for document in made]


def read(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of documents by physical column."""
    data = hits.batch(found, lambda name: is_time_field("logs", name))
    return list(arrow.rows(Table.from_batches([data])))


def plain(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records as they come back from a store: instants are numbers."""
    return [to_record(row) for row in arrow.rows(Table.from_batches([batch("logs", records, received_ns=5).data]))]


@given(_RECORDS, _RECORDS)
def test_every_record_comes_back_equal(earlier: list[dict[str, Any]], records: list[dict[str, Any]]) -> None:
    columns = Columns(6)
    sent(earlier, columns)
    rows = read(sent(records, columns, first=7))
    assert [to_record(row) for row in rows] == plain(records)
    assert [row[SEQUENCE] for row in rows] == list(range(7, 7 + len(records)))


@given(_RECORDS)
def test_what_opensearch_refuses_is_not_under_its_own_name(records: list[dict[str, Any]]) -> None:
    columns = Columns(100)
    for document in sent(records, columns):
        assert not {"", "_id", "*", "."} & set(document)
        assert isinstance(document[ROOT]["seq"], int)
    assert not any(above in columns.kinds for path in columns.kinds for above in _above(path))


def _above(path: str) -> list[str]:
    steps = path.split(".")
    return [".".join(steps[:count]) for count in range(1, len(steps))]


def test_the_first_kind_of_a_field_is_indexed_and_others_are_named() -> None:
    columns = Columns(100)
    first, second, third = sent([{"v": 1}, {"v": "two words"}, {"v": [1, 2]}], columns)
    assert first["v"] == 1
    assert "left" not in first[ROOT]
    assert second[ROOT]["left"] == ["v"]
    assert second[ROOT]["words"] == ["two words"]
    assert (third["v"], "left" in third[ROOT]) == ([1, 2], False)


def test_fields_beyond_the_limit_are_kept_and_named() -> None:
    columns = Columns(2)
    (document,) = sent([{"a": 1, "b": 2, "c": "three"}], columns)
    assert document["c"] == "three"
    assert document[ROOT]["left"] == ["c"]
    assert columns.properties(columns.kinds) == {"a": {"type": "long"}, "b": {"type": "long"}}


def test_numbers_that_json_lacks_come_back() -> None:
    (row,) = read(sent([{"loss": math.nan, "up": math.inf, "down": -math.inf, "fine": 1.0}], Columns(9)))
    found = to_record(row)
    assert math.isnan(found.pop("loss"))
    assert found == {"up": math.inf, "down": -math.inf, "fine": 1.0}
    assert isinstance(found["fine"], float)


def test_instants_keep_their_nanoseconds_and_read_well() -> None:
    stamp = 1_764_000_000_123_456_789
    (document,) = sent([{"@timestamp": stamp}], Columns(9))
    assert document["@timestamp"] == "2025-11-24T16:00:00.123456789Z"
    (row,) = read([document])
    assert (row["@timestamp:t"], row[TIME]) == (stamp, stamp)
