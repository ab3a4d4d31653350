"""Objects around an array of records give the records, however they are printed and cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.reader import Reader

NOW = 1_800_000_000 * 10**9
RECORDS = [
    {"time": f"2026-11-20T03:00:0{n}Z", "level": "info", "message": f"m {n}", "deep": {"a": [{"b": n}]}}
    for n in range(4)
]
HITS = [{"_index": "i", "_id": "1", "_source": one} for one in RECORDS]
AROUND: list[dict[str, Any]] = [
    {"apiVersion": "v1", "items": RECORDS, "kind": "List", "metadata": {"resourceVersion": ""}},
    {"Records": RECORDS},
    {"object": "list", "data": RECORDS, "has_more": False},
    {"took": 3, "hits": {"total": {"value": 4}, "hits": HITS}},
    {"log": {"version": "1.2", "entries": RECORDS}},
]
ALONE: list[dict[str, Any]] = [
    {"time": "2026-11-20T03:00:00Z", "level": "info", "message": "found", "results": RECORDS},
    {"model": "m", "data": [{"embedding": [1]}], "usage": {"total_tokens": 3}},
    {"object": "list", "data": [{"object": "embedding", "embedding": [1, 2]}]},
    {"order": "A1", "items": [{"sku": 1}, {"sku": 2}]},
    {"items": []},
    {"items": [1, {"a": 2}]},
]


def read(text: str, size: int = 1 << 20) -> list[dict[str, Any]]:
    reader, data = Reader(now_ns=NOW), text.encode()
    found = [one for at in range(0, len(data), size) for one in reader.feed(data[at : at + size]).records]
    return found + reader.end().records


@pytest.mark.parametrize("whole", AROUND)
@pytest.mark.parametrize("indent", [None, 1, 4])
def test_the_records_inside_come_out(whole: dict[str, Any], indent: int | None) -> None:
    found = read(json.dumps(whole, indent=indent) + "\n")
    assert [one["body"] for one in found] == [one["message"] for one in RECORDS]
    assert found[3]["attributes"]["deep"] == {"a": [{"b": 3}]}
    # Another file's object after it, as `cat` makes it.
    assert len(read((json.dumps(whole, indent=indent) + "\n") * 2)) == 2 * len(RECORDS)


@pytest.mark.parametrize("whole", ALONE)
def test_a_record_that_holds_an_array_stays_one(whole: dict[str, Any]) -> None:
    printed = () if "object" in whole else (2,)
    for indent in (None, *printed):
        (found,) = read(json.dumps(whole, indent=indent) + "\n")
        inside = found.get("attributes", found)
        assert {name for name in whole if name not in {"time", "level", "message"}} <= inside.keys()


def test_what_no_list_says_of_itself_is_kept() -> None:
    whole = {"items": [{"sku": 1}, {"sku": 2}], "order": "A1", "kind": "List", "metadata": {"page": 1}}
    (found,) = read(json.dumps(whole) + "\n")
    assert found["order"] == "A1"
    printed = read(json.dumps(whole, indent=2) + "\n")
    assert [one.get("sku", one.get("body")) for one in printed] == [1, 2, '"order": "A1",']


def test_a_large_answer_and_one_whose_end_is_missing() -> None:
    whole = json.dumps({"items": RECORDS * 5000, "kind": "List"}, indent=4)
    assert len(whole) > 3 << 20
    assert len(read(whole)) == 20_000
    half = read(whole[: len(whole) // 2])
    assert 9_900 < len([one for one in half if "severityText" in one]) < 10_100


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(AROUND + ALONE), st.sampled_from([None, 0, 3]), st.integers(1, 300), st.integers(0, 900))
def test_cutting_changes_nothing(whole: dict[str, Any], indent: int | None, size: int, end: int) -> None:
    text = json.dumps(whole, indent=indent)[: end or None]
    assert read(text, size) == read(text)
