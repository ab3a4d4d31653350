"""`anomalies` finds planted outliers of seasonal series, and few others."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.native.baselines import scored
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

HOUR = 3600 * 10**9
START = 1_699_920_000 * 10**9
AUTO = json.dumps({"season_ns": -1, "sensitivity": 3.5})


def series(days: int, planted: dict[int, float], noise: float = 2.0) -> list[list[float]]:
    rng = random.Random(5)
    found = []
    for hour in range(days * 24):
        value = 100 + 60 * math.sin(hour / 24 * 2 * math.pi) + rng.gauss(0, noise)
        found.append([START + hour * HOUR, planted.get(hour, value)])
    return found


def test_a_value_that_is_usual_at_another_hour_is_found() -> None:
    planted = {100: 100 + 60 * math.sin(112 / 24 * 2 * math.pi)}  # twelve hours off: within the range of all values
    answer = json.loads(scored(json.dumps(series(10, planted)), AUTO))
    found = [at for at, row in enumerate(answer) if row[4]]
    assert 100 in found
    assert len(found) <= 4
    assert all(row[1] <= row[0] <= row[2] for row in answer)


def test_without_a_season_the_level_decides() -> None:
    points = [[START + at * HOUR, 50.0 + at % 3] for at in range(60)]
    points[30][1] = 200.0
    told = json.dumps({"season_ns": 0, "sensitivity": 3.5})
    assert [at for at, row in enumerate(json.loads(scored(json.dumps(points), told))) if row[4]] == [30]


def test_a_flat_series_with_one_jump() -> None:
    points = [[START + at * HOUR, 5] for at in range(40)]
    points[20][1] = 50
    rows = json.loads(scored(json.dumps(points), AUTO))
    assert [at for at, row in enumerate(rows) if row[4]] == [20]
    assert rows[0][0] == 5


NUMBERS = st.one_of(st.none(), st.integers(-(10**6), 10**6), st.floats(-1e9, 1e9))


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 10**18)), NUMBERS), max_size=40), st.integers(-1, 10**15))
def test_any_series_is_answered_row_by_row(points: list[tuple[int | None, float | None]], season: int) -> None:
    settings = json.dumps({"season_ns": season, "sensitivity": 3.0})
    rows = json.loads(scored(json.dumps(points), settings))
    assert len(rows) == len(points)
    for row in rows:
        assert row == [None] * 5 or (all(math.isfinite(each) for each in row[:4]) and row[1] <= row[2])


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    records = []
    for hour in range(72):
        for service, count in (("a", 5), ("b", 40 if hour == 50 else 3)):
            records += [{"@timestamp": START + hour * HOUR + n, "service": service} for n in range(count)]
    found = DuckdbStore()
    found.append([batch("logs", records, received_ns=START)])
    return found


def ask(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=START)
    return ppl.render(store.run(compiled, Limits()))["datarows"]


def test_series_are_told_apart(store) -> None:
    text = "stats count() as c by span(@timestamp, 1h) as t, service | anomalies c by service"
    assert ask(store, f"{text} | where anomalous | fields service, c, expected") == [["b", 40, 3.0]]
    assert len(ask(store, text)) == 144


def test_rows_keep_their_order_and_columns(store) -> None:
    plain = ask(store, "timechart span=1h count()")
    more = ask(store, "timechart span=1h count() | anomalies `count()` season=none")
    assert [row[:2] for row in more] == plain


@pytest.mark.parametrize(
    "text", ["anomalies service", "stats count() as c | anomalies c", "anomalies c", "timechart count() | anomalies"]
)
def test_mistakes_are_refused_with_a_place(store, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        ask(store, f"source=logs | {text}")
    assert refusal.value.where is not None
