"""`drift` tells buckets whose values moved from those that did not."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.native.drifting import measured
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

HOUR = 3600 * 10**9
START = 1_699_920_000 * 10**9
HOURS = 12


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    rng = random.Random(2)
    rows = []
    for hour in range(HOURS):
        moved = hour >= 9
        rows += [
            {
                "@timestamp": START + hour * HOUR + n,
                "latency": rng.gauss(150 if moved else 100, 20),
                "level": rng.choice(["INFO", "INFO", "ERROR"] if moved else ["INFO"] * 9 + ["ERROR"]),
                "steady": rng.choice("abc"),
            }
            for n in range(400)
        ]
    found = DuckdbStore()
    found.append([batch("logs", rows, received_ns=START)])
    return found


def ask(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=START)
    return ppl.render(store.run(compiled, Limits()))["datarows"]


def test_moved_hours_are_found_and_no_others(store) -> None:
    rows = ask(store, "drift latency, level, steady threshold=0.2 | where drifted | fields time, field")
    hours = [f"2023-11-14 {hour:02d}:00:00" for hour in range(9, 12)]
    assert rows == [[hour, field] for hour in hours for field in ("latency", "level")]


def test_numbers_have_a_distance_with_a_chance(store) -> None:
    rows = ask(store, "drift latency baseline=3h | fields rows, distance, p_value, psi")
    assert len(rows) == HOURS
    assert all(row[0] == 400 for row in rows)
    assert min(row[1] for row in rows[9:]) > 0.6
    assert max(row[1] for row in rows[:9]) < 0.15
    assert all(row[2] < 1e-9 for row in rows[9:])


def test_what_is_alike_has_a_small_index(store) -> None:
    assert max(row[0] for row in ask(store, "drift steady span=2h | fields psi")) < 0.05


BINS = st.sampled_from(["0", "1", "12", "vx", "null"])
MOMENTS = st.one_of(st.none(), st.integers(0, 5))
CELLS = st.tuples(st.sampled_from(["a", "b"]), MOMENTS, BINS, st.integers(1, 1000), st.booleans())


@given(st.lists(CELLS, max_size=25), st.integers(0, 4))
def test_any_counts_are_measured(cells: list[tuple[object, ...]], baseline: int) -> None:
    rows = json.loads(measured(json.dumps(cells), json.dumps({"baseline_ns": baseline, "threshold": 0.25})))
    buckets = {(cell[0], cell[1]) for cell in cells if cell[1] is not None}
    assert len(rows) == len(buckets)
    for row in rows:
        assert row["psi"] is None or row["psi"] >= 0
        assert row["distance"] is None or 0 <= row["distance"] <= 1 + 1e-9


@pytest.mark.parametrize(
    "text",
    ["drift", "drift nosuch", "drift latency span=3", "drift latency baseline=0h", "fields latency | drift latency"],
)
def test_mistakes_are_refused_with_a_place(store, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        ask(store, f"source=logs | {text}")
    assert refusal.value.where is not None


def test_it_survives_printing() -> None:
    tree = ppl.parse("source=logs | drift a, b.c span=30m baseline=1d threshold=0.1")
    assert ppl.parse(ppl.print(tree)) == tree
