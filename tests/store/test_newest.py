"""The newest rows are found by what is known of files: the same rows as in memory, and of one file's end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.stage.store import Limits
from treering.store.duckdb import Config, DuckdbStore
from treering.testing.store_contract import START_NS, logs

PIECES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8), min_size=1, max_size=5)


def asked(store: DuckdbStore, text: str, **bounds: Any) -> list[tuple[Any, ...]]:
    return list(store.run(ppl.compile(text, schema=store.schema, now_ns=START_NS, **bounds), Limits()).rows)


@settings(max_examples=25, deadline=None)
@given(
    pieces=PIECES,
    flushed=st.integers(0, 5),
    deleted=st.sets(st.integers(0, 39), max_size=6),
    bounds=st.sampled_from([(None, None), (5, None), (None, 20), (4, 21)]),
    most=st.integers(0, 12),
)
def test_the_newest_are_those_of_memory(
    pieces: list[list[int]], flushed: int, deleted: set[int], bounds: tuple[int | None, int | None], most: int
) -> None:
    """Rows out of order, deleted, unflushed and out of bounds; ties come in the order of sending."""
    low, high = (None if bound is None else START_NS + bound for bound in bounds)
    with tempfile.TemporaryDirectory() as folder:
        written, memory = DuckdbStore(Path(folder)), DuckdbStore()
        total = sum(map(len, pieces))
        for store in (written, memory):
            for place, piece in enumerate(pieces):
                store.append(logs([{"@timestamp": START_NS + stamp, "body": f"at {stamp}"} for stamp in piece]))
                if place < flushed:
                    store.flush()
            store.append([], {"logs": sorted(seq for seq in deleted if seq < total)})
        for text in (
            f"source=logs | sort - @timestamp | head {most} | fields @timestamp, body",
            f"source=logs | sort - @timestamp | head {most} from 2 | fields body",
            f"source=lo* | sort - @timestamp, body | head {most} | fields body, @timestamp",
        ):
            found = asked(written, text, time_range=(low, high))
            assert found == asked(memory, text, time_range=(low, high)), text
        written.close()
        memory.close()


def test_only_the_last_rows_of_the_newest_file_are_read(tmp_path: Path) -> None:
    """A list of the newest of many files reads a row group of one, and finds the same rows as one of all."""
    store = DuckdbStore(tmp_path, Config(row_group_rows=2048))
    for part in range(4):
        rows = range(part * 5000, part * 5000 + 5000)
        store.append(logs([{"@timestamp": START_NS + n, "body": f"row {n}"} for n in rows]))
        store.flush()
    compiled = ppl.compile("source=logs | sort - @timestamp | head 100 | fields body", schema=store.schema, now_ns=0)
    plan = store.plan(compiled, Limits(), measure=True)
    assert plan.readings["s0"].files == 1
    assert plan.measured is not None
    assert plan.measured.scanned_rows <= 2048
    assert [row[0] for row in store.run(compiled, Limits()).rows] == [f"row {n}" for n in range(19_999, 19_899, -1)]
    store.close()


@pytest.mark.parametrize("most", [1, 100])
def test_a_damaged_newest_file_is_left_out(tmp_path: Path, most: int) -> None:
    """What is asked of its row groups finds the damage, and the answer is of the other files."""
    store = DuckdbStore(tmp_path)
    for part in range(2):
        store.append(
            logs([{"@timestamp": START_NS + n, "body": f"row {n}"} for n in range(part * 500, part * 500 + 500)])
        )
        store.flush()
    newest = max((tmp_path / "segments").rglob("*.parquet"))
    data = bytearray(newest.read_bytes())
    data[-200:-8] = bytes(192)
    newest.write_bytes(data)
    text = f"source=logs | sort - @timestamp | head {most} | fields body"
    assert [row[0] for row in asked(store, text)] == [f"row {n}" for n in range(499, 499 - most, -1)]
    store.close()
