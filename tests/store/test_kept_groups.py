"""Groups that are kept of segments change no answer: a query that counts says what the rows themselves say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.store.duckdb.kept_groups import KeptGroups
from treering.testing.store_contract import START_NS, logs

KEYS = ["kind", "flag", "n", "span(@timestamp, 10ms)", "kind, flag"]
COUNTED = [
    "count()",
    "count(x) as c, sum(x) as s, min(x) as low, max(x) as high, avg(x) as mean",
    "sum(n) as whole, avg(n) as mean, count(eval(n > 2)) as some, max(@timestamp) as last, min(body) as first",
]
REST = [
    "source=logs | stats p95(x) as p | stats count() as c",
    "source=logs | stats dc(kind), percentile(x, 50) by flag",
    "source=logs | top 2 kind by flag",
    "source=logs | rare kind",
    "source=logs | timechart span=20ms count() by kind",
    "source=logs | chart avg(x) by kind, flag",
    "source=logs | stats count() as c by kind | stats sum(c), max(c)",
    "source=logs | eventstats count() as c by kind | stats max(c) by kind",
    "source=logs | head 7 | stats count() by kind",
    "source=logs | dedup kind | stats count() by kind",
    "source=logs | where n in [source=logs | where flag = true | stats max(n) as n | fields n] | stats count() by kind",
    "source=logs | stats count() by body | stats count()",
]
QUERIES = [
    *(f"source=logs | stats {counted} by {key}" for counted in COUNTED for key in KEYS),
    *(f"source=logs {where}| stats {counted}" for counted in COUNTED for where in ("", "error ", "kind=b ", "n>2 ")),
    *REST,
]
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"body": st.sampled_from(["an error", "fine", "error again"])},
        optional={
            "kind": st.sampled_from(["a", "b", "Straße", ""]),
            "flag": st.booleans(),
            "n": st.integers(-(2**40), 2**40) | st.integers(0, 5),
            "x": st.sampled_from([0.5, -1.25, 1e9, 3.0]),
        },
    ),
    min_size=4,
    max_size=40,
)
FULL = {"body": "an error", "kind": "a", "flag": True, "n": 1, "x": 0.5}


def dated(records: list[dict[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    return [{**record, "@timestamp": START_NS + (first + n) * 1_000_000} for n, record in enumerate(records)]


def asked(store: DuckdbStore, text: str, until: int | None = None) -> list[tuple[Any, ...]]:
    end = None if until is None else START_NS + until * 1_000_000
    compiled = ppl.compile(text, schema=store.schema, now_ns=START_NS, time_range=(None, end))
    rows = store.run(compiled, Limits()).rows
    return sorted(((*map(type, row), *map(rounded, row)) for row in rows), key=repr)


def rounded(value: Any) -> Any:
    """Sums of floating-point numbers depend on the order of their parts."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def keeping(store: DuckdbStore, **settings: int) -> KeptGroups:
    assert store.path is not None
    return KeptGroups(store.path / "segments", **{"least_rows": 1, "many_rows": 1, **settings})


@settings(max_examples=6, deadline=None)
@given(
    records=RECORDS,
    later=RECORDS,
    deleted=st.sets(st.integers(0, 30), max_size=2),
    until=st.sampled_from([None, 3, 25]),
    texts=st.lists(st.sampled_from(QUERIES), min_size=3, max_size=3, unique=True),
)
def test_answers_are_those_of_the_rows(
    records: list[dict[str, Any]],
    later: list[dict[str, Any]],
    deleted: set[int],
    until: int | None,
    texts: list[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = DuckdbStore(Path(folder))
        held, none = keeping(store), keeping(store, least_rows=10**9)

        def same() -> None:
            for text in texts:
                found = []
                for groups in (none, held, held):
                    store._kept_groups = groups
                    found.append(asked(store, text, until))
                assert found[0] == found[1] == found[2], text

        half = len(records) // 2
        store.append(logs(dated([FULL, *records[:half]])))
        store.flush()
        same()
        store.append(logs(dated(records[half:], half + 1)))
        store.flush()
        same()
        store.append(logs(dated(later, len(records) + 1)))
        same()
        store.append([], {"logs": sorted(seq for seq in deleted if seq < len(records))})
        same()
        store.close()


def filled(folder: Path, kinds: int = 5, segments: int = 3) -> DuckdbStore:
    store = DuckdbStore(folder)
    for part in range(segments):
        records = [{"body": f"row {n}", "kind": f"k{n % kinds}"} for n in range(1000)]
        store.append(logs(dated(records, part * 1000)))
        store.flush()
    return store


def read(store: DuckdbStore, text: str, until: int | None = None) -> int:
    end = None if until is None else START_NS + until * 1_000_000
    compiled = ppl.compile(text, schema=store.schema, now_ns=START_NS, time_range=(None, end))
    return store.run(compiled, Limits()).rows_scanned


def test_what_was_counted_is_not_read_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store._kept_groups = keeping(store)
    text = "source=logs | stats count() by kind"
    assert read(store, text) == 3000
    assert read(store, text) == 0
    assert read(store, text, until=2500) == 1000  # the segment at the end of the range
    store.append(logs(dated([{"kind": "new"}], 3000)))
    assert read(store, text) == 1
    assert {row[-1]: row[-2] for row in asked(store, text)}["new"] == 1
    store.append([], {"logs": [10]})
    assert read(store, text) == 1001
    store.close()


def test_few_rows_are_kept_when_they_are_asked_for_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store._kept_groups = keeping(store, many_rows=10_000)
    text = "source=logs | stats count() by kind"
    found = [read(store, text) for _ in range(6)]
    assert found[:2] == [3000, 3000]
    assert found[-1] == 0
    store.close()


def test_too_many_groups_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treering.store.duckdb.kept_groups.MOST_GROUPS", 900)
    store = filled(tmp_path, kinds=700)
    store._kept_groups = keeping(store)
    text = "source=logs | stats count() by kind"
    assert [read(store, text) for _ in range(3)] == [3000] * 3
    assert len(asked(store, text)) == 700
    store.close()


def test_no_more_is_kept_than_fits(tmp_path: Path) -> None:
    store = filled(tmp_path)
    held = store._kept_groups = keeping(store, most_bytes=4000)
    for n in range(20):
        text = f"source=logs | where body != 'row {n}' | stats count() by kind"
        assert sum(row[-2] for row in asked(store, text)) == 2997
        assert held.bytes <= 4000
    store.close()
