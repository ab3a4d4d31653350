"""`diff` finds what was planted, says how much, and nothing where there is nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.statistics import adjusted
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW = 1_700_000_000 * 10**9
ROWS = 6000


def records() -> list[dict[str, Any]]:
    """The last third: another service answers slowly with 500 in some cases, and a field is new."""
    rng = random.Random(7)
    found = []
    for index in range(ROWS):
        late = index >= ROWS * 2 // 3
        bad = late and rng.random() < 0.3
        found.append(
            {
                "@timestamp": NOW - (ROWS - index) * 10**9,
                "service": "rag" if bad else rng.choice(["a", "b", "c"]),
                "status": 500 if bad else 200,
                "latency": rng.gauss(150 if bad else 100, 20),
                "jitter": rng.gauss(0, 4 if late else 1),
                "noise": rng.choice("xyz"),
                "requestId": f"{rng.getrandbits(64):x}",
                **({"region": "eu"} if late else {}),
            }
        )
    return found


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    found = DuckdbStore()
    found.append([batch("logs", records(), received_ns=NOW)])
    return found


def ask(store: DuckdbStore, text: str, **given: Any) -> list[dict[str, Any]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW, **given)
    answer = ppl.render(store.run(compiled, Limits()))
    return [dict(zip((c["name"] for c in answer["schema"]), row, strict=True)) for row in answer["datarows"]]


WINDOW = f"window={ROWS // 3}s baseline={ROWS * 2 // 3}s"


def test_two_windows(store) -> None:
    rows = ask(store, f"diff {WINDOW}")
    found = {(row["kind"], row["field"], row["value"], row["measure"]): row for row in rows}
    region = found["value", "region", "eu", "phi"]
    assert (region["count"], region["baseline_count"], region["share"]) == (ROWS // 3, 0, 1.0)
    assert rows[0] == region
    assert region["effect"] == pytest.approx(1.0)
    assert found["value", "service", "rag", "phi"]["baseline_count"] == 0
    assert found["field", "service", None, "cramers_v"]["effect"] > 0.3
    assert found["number", "latency", None, "cliffs_delta"]["effect"] > 0.1
    # Noise around 0 that grew has the same place and another shape.
    assert found["number", "jitter", None, "ks"]["effect"] > 0.2
    assert {row["field"] for row in rows} == {"region", "service", "status", "latency", "jitter"}
    assert all(row["p_value"] <= 0.05 for row in rows)
    effects = [abs(row["effect"]) for row in rows]
    assert effects == sorted(effects, reverse=True)


def test_two_conditions_leave_out_what_they_ask(store) -> None:
    rows = ask(store, "diff [ where status = 500 ] against [ where status = 200 ] top=3")
    assert len(rows) == 3
    assert rows[0]["field"] == "service"
    assert "status" not in {row["field"] for row in rows}
    rest = ask(store, "diff [ where status = 500 ] top=3")
    assert [row["value"] for row in rest] == [row["value"] for row in rows]


def test_what_is_alike_gives_no_rows(store) -> None:
    assert ask(store, "diff [ where noise = 'x' ] against [ where noise = 'y' ] alpha=0.001") == []
    assert ask(store, "where status = 404 | diff [ where noise = 'x' ]") == []


def test_the_same_each_time_over_a_sample(store, monkeypatch) -> None:
    monkeypatch.setattr("treering.query.contrast.SAMPLE", 500)
    rows = ask(store, f"diff {WINDOW}")
    assert rows == ask(store, f"diff {WINDOW}")
    region = next(row for row in rows if row["value"] == "eu")
    assert region["count"] == ROWS // 3


def test_a_time_range_ends_the_window(store) -> None:
    middle = NOW - ROWS // 3 * 10**9
    rows = ask(store, "diff window=10m baseline=20m alpha=0.0001", time_range=(None, middle))
    assert "region" not in {row["field"] for row in rows}


def test_rows_that_commands_made(store) -> None:
    rows = ask(store, f"eval slow = latency > 140 | fields @timestamp, slow | diff {WINDOW}")
    assert [(row["field"], row["value"]) for row in rows] == [("slow", "true")]


def test_templates_come_with_an_example() -> None:
    from tests.query.test_own_columns import marked

    store = DuckdbStore()
    rows = [{"body": f"word{n}", "n": n % 3, "@timestamp": NOW + n} for n in range(300)]
    store.append([marked(rows)])
    (found,) = [row for row in ask(store, "diff [ where n = 1 ]") if row["kind"] == "template" and row["effect"] > 0]
    assert (found["field"], found["value"], found["example"]) == ("template.id", "t1", "word1")


@pytest.mark.parametrize(
    "text",
    [
        "diff",
        "diff [ where a = 1 ] window=3m",
        "diff baseline=3m",
        "diff window=3",
        "diff [ head 1 ]",
        "diff [ where nosuch = 1 ]",
        "diff window=1h alpha=2",
        "fields @timestamp | diff window=1h",
    ],
)
def test_mistakes_are_refused_with_a_place(store, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        ask(store, f"source=logs | {text}")
    assert refusal.value.where is not None


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=30))
def test_corrected_chances_are_those_of_benjamini_and_hochberg(chances: list[float]) -> None:
    found = adjusted(chances)
    limit = 0.05
    ranks = [rank for rank, chance in enumerate(sorted(chances), 1) if chance <= limit * rank / len(chances)]
    assert sum(value <= limit * (1 + 1e-12) for value in found) >= (max(ranks) if ranks else 0)
    assert all(chance <= value <= 1 for chance, value in zip(chances, found, strict=True))
    order = sorted(range(len(chances)), key=lambda at: chances[at])
    assert [found[at] for at in order] == sorted(found)


def test_effects_and_chances_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs SciPy, which comes with the extra ml")
    rng = random.Random(11)
    rows = [
        {"side": n % 2, "x": rng.gauss(n % 2, 2), "c": rng.choice("aab" if n % 2 else "abc"), "@timestamp": NOW + n}
        for n in range(600)
    ]
    store = DuckdbStore()
    store.append([batch("logs", rows, received_ns=NOW)])
    found = {(row["field"], row["value"], row["measure"]): row for row in ask(store, "diff [ where side = 1 ] alpha=1")}
    first, second = ([row["x"] for row in rows if row["side"] == side] for side in (1, 0))
    statistic, chance = stats.mannwhitneyu(first, second)
    number = found["x", None, "cliffs_delta"]
    assert number["effect"] == pytest.approx(2 * statistic / (300 * 300) - 1)
    table = [[sum(row["c"] == c for row in rows if row["side"] == side) for c in "abc"] for side in (1, 0)]
    chi = stats.chi2_contingency(table, correction=False)
    assert found["c", None, "cramers_v"]["effect"] == pytest.approx((chi.statistic / 600) ** 0.5)
    two = stats.chi2_contingency([[counts[1], sum(counts) - counts[1]] for counts in table], correction=False)
    assert abs(found["c", "b", "phi"]["effect"]) == pytest.approx((two.statistic / 600) ** 0.5, abs=1e-3)
    # Corrected together: as the tests of scipy, corrected by scipy.
    raw = [chance, chi.pvalue]
    for value in "abc":
        counts = [[each["abc".index(value)], sum(each) - each["abc".index(value)]] for each in table]
        raw.append(stats.chi2_contingency(counts, correction=False).pvalue)
    shown = sorted(row["p_value"] for row in found.values() if row["field"] in {"x", "c"} and row["measure"] != "ks")
    if "ks" not in {row["measure"] for row in found.values()}:
        assert shown == pytest.approx(sorted(stats.false_discovery_control(raw)), rel=0.05)
