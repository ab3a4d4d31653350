"""`patterns`: the method brain, and the templates that were mined when records came."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.query.test_own_columns import NOW, marked
from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.native import brain
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

LINES = [f"user {name} logged in from 10.0.0.{n}:80 after {7000 + n} ms" for n, name in enumerate("abcdefgh")]
TOLD = {"threshold": 5, "share": 0.3, "samples": 2, "buffer": 100_000, "numbered": False}


def listed(texts: list[str | None], **more: object) -> tuple[str, str]:
    return json.dumps([[text] for text in texts]), json.dumps({**TOLD, **more})


def test_words_that_change_are_variable() -> None:
    (row,) = json.loads(brain.aggregated(*listed(LINES)))
    assert row == ["user <*> logged in from <*IP*> after <*> ms", 8, {}, LINES[:2]]


def test_numbered_variables_hold_what_stands_there() -> None:
    ((shown, _, variables, _),) = json.loads(brain.aggregated(*listed(LINES, numbered=True)))
    assert shown == "user <token1> logged in from <token2> after <token3> ms"
    assert variables["<token1>"] == ["a", "b"]
    rows = json.loads(brain.labelled(*listed([*LINES, None, " "], numbered=True)))
    assert rows[3][1]["<token1>"] == ["d"]
    assert rows[-2:] == [["", {}], ["", {}]]


WORDY = st.lists(st.sampled_from("a b 17 4711 10.0.0.1 <*> x=1, +".split())).map(" ".join)
TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=30), WORDY), max_size=12)


@given(TEXTS, st.booleans(), st.integers(0, 6), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([1, 3, 100]))
def test_any_texts_are_counted_once(
    texts: list[str | None], numbered: bool, threshold: int, share: float, buffer: int
) -> None:
    given = listed(texts, numbered=numbered, threshold=threshold, share=share, buffer=buffer)
    rows = json.loads(brain.aggregated(*given))
    assert sum(row[1] for row in rows) == sum(text is not None for text in texts)
    assert all(len(row[3]) <= 2 for row in rows)
    assert len(json.loads(brain.labelled(*given))) == len(texts)


def test_too_many_rows_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(brain, "MOST", 3)
    with pytest.raises(ValueError, match="at most"):
        brain.aggregated(*listed(LINES))


def ask(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW, default_source="logs")
    return ppl.render(store.run(compiled, Limits()))["datarows"]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    found = DuckdbStore()
    rows = [{"body": f"job {n} done", "n": n % 2, "@timestamp": NOW + n} for n in range(40)]
    found.append([marked(rows), batch("plain", rows, received_ns=NOW)])
    return found


def test_stored_templates_are_counted(store) -> None:
    assert ask(store, "source=logs | patterns max_sample_count=2") == [
        ["job <*> done", 14, "t0", ["job 0 done", "job 3 done"]],
        ["job <*> done", 13, "t1", ["job 1 done", "job 4 done"]],
        ["job <*> done", 13, "t2", ["job 2 done", "job 5 done"]],
    ]
    rows = ask(
        store, "source=logs | where n = 1 | patterns by n new_field=what | fields n, what, pattern_count | head 1"
    )
    assert rows == [[1, "job <*> done", 7]]


def test_without_templates_a_text_is_asked_for(store) -> None:
    with pytest.raises(UserError, match="no stored templates"):
        ask(store, "source=plain | patterns")


@pytest.mark.parametrize(
    "text",
    [
        "patterns",
        "patterns by n, m max_sample_count=3",
        "patterns body method=brain mode=aggregation show_numbered_token=true variable_count_threshold=2",
        "patterns body by n method=brain frequency_threshold_percentage=0.5 buffer_limit=50000 new_field='x y'",
    ],
)
def test_it_survives_printing(text: str) -> None:
    tree = ppl.parse(f"source=logs | {text}")
    assert ppl.parse(ppl.print(tree)) == tree
