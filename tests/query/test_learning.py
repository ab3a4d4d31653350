"""`ml`, `kmeans` and `ad`: planted clusters and outliers are found, wrong options refused."""

from __future__ import annotations

import random

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

pytest.importorskip("sklearn", reason="needs the extra ml")
NOW = 1_700_000_000 * 10**9


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    rng = random.Random(3)
    rows = []
    for n in range(300):
        side = n % 2
        rows.append(
            {
                "x": rng.gauss(side * 20, 1),
                "y": rng.gauss(-side * 20, 1),
                "side": "ab"[side],
                "@timestamp": NOW + n * 10**9,
            }
        )
    rows[200]["x"] = 300.0
    rows.append({"side": "c", "@timestamp": NOW + 400 * 10**9})
    found = DuckdbStore()
    found.append([batch("points", rows, received_ns=NOW)])
    return found


def ask(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW, default_source="points")
    return ppl.render(store.run(compiled, Limits()))["datarows"]


@pytest.mark.parametrize("options", ["", "distance_type=L1 iterations=20"])
def test_clusters_are_the_planted_ones(store, options: str) -> None:
    where = "source=points | where isnotnull(x) and x < 100 | fields x, y, side |"
    rows = ask(store, f"{where} kmeans centroids=2 {options} | stats count() as n by side, ClusterID | sort side")
    assert [row[:2] for row in rows] == [[149, "a"], [150, "b"]]
    assert rows[0][2] != rows[1][2]


def test_directions_are_clusters(store) -> None:
    text = "source=points | where side = 'b' | eval x = if(x > 20, x, 0 - x), y = y * 1.0 | fields x, y"
    rows = ask(store, f"{text} | kmeans distance_type=COSINE | stats count() by ClusterID")
    assert len(rows) == 2


def test_a_row_without_numbers_is_in_no_cluster(store) -> None:
    assert ask(store, "source=points | kmeans | where side = 'c' | fields ClusterID") == [[None]]


def test_an_outlier_is_found(store) -> None:
    text = "source=points | fields x, y | ml action='train' algorithm='rcf' number_of_trees=100"
    rows = ask(store, f"{text} | sort - score | head 1 | fields x, anomalous")
    assert rows == [[300.0, True]]
    assert ask(store, f"{text} | head 1 | fields score, anomalous") == [[0.0, False]]
    assert ask(store, f"{text} | where anomalous | stats count()")[0][0] < 30


def test_an_outlier_of_a_series_is_graded(store) -> None:
    where = "source=points | fields x, @timestamp, side | where isnotnull(x) |"
    text = f"{where} ad time_field='@timestamp' category_field='side'"
    (row,) = ask(store, f"{text} | sort - anomaly_grade | head 1 | fields side, anomaly_grade")
    assert row[0] == "a"
    assert 0 < row[1] <= 1
    assert ask(store, text) == ask(store, text)


@pytest.mark.parametrize(
    "text",
    [
        "ml",
        "ml action='predict' algorithm='rcf'",
        "ml action='train' algorithm='nosuch'",
        "kmeans centroids=0",
        "kmeans distance_type=MANHATTAN",
        "kmeans number_of_trees=3",
        "kmeans algorithm='rcf'",
        "ad time_field='x'",
        "ad time_zone='Asia/Tokyo'",
        "ad category_field='nosuch'",
        "fields side | kmeans",
    ],
)
def test_mistakes_are_refused_with_a_place(store, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        ask(store, f"source=points | {text}")
    assert refusal.value.where is not None


@pytest.mark.parametrize(
    "text",
    [
        "kmeans",
        "kmeans centroids=3 distance_type=l1",
        "ad time_field='a b' shingle_size=4",
        "ml action='train' algorithm='RCF'",
    ],
)
def test_it_survives_printing(text: str) -> None:
    tree = ppl.parse(f"source=points | {text}")
    assert ppl.parse(ppl.print(tree)) == tree


def test_without_the_extra_the_error_names_it(store, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match="scikit-learn") as refusal:
        ask(store, "source=points | kmeans")
    assert "treering[ml]" in refusal.value.hint
