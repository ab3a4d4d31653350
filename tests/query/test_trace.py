"""`trace` gives spans and log records in the order of the tree, whatever the spans say of each other."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.native.spantree import ordered
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

SECOND = 10**9
T0 = 1_767_225_600 * SECOND
ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(identifier: str, parent: str, start: int, seconds: int, **more: object) -> dict[str, object]:
    return {
        "traceId": ID, "spanId": identifier, "parentSpanId": parent, "name": f"n{identifier}", "serviceName": "rag",
        "startTime": T0 + start * SECOND, "endTime": T0 + (start + seconds) * SECOND,
        "durationInNanos": seconds * SECOND, "status": {"code": 0}, **more,
    }  # fmt: skip


SPANS = [
    span("c", "a", 5, 3, status={"code": 2}),
    span("a", "", 0, 10),
    span("b", "a", 1, 5),
    span("d", "gone", 2, 1),
    {**span("x", "", 0, 1), "traceId": "0123456789abcdef0123456789abcdef"},
]
LOGS = [
    {
        "traceId": ID,
        "spanId": "b",
        "body": "boom",
        "severityText": "ERROR",
        "@timestamp": T0 + 2 * SECOND,
    },
    {"traceId": ID, "body": "loose", "severityText": "INFO", "@timestamp": T0 + 9 * SECOND},
]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    found = DuckdbStore()
    found.append([batch("spans", SPANS, received_ns=T0), batch("logs", LOGS, received_ns=T0)])
    return found


def ask(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=T0, default_source="logs")
    return ppl.render(store.run(compiled, Limits()))["datarows"]


def test_the_order_of_the_tree(store) -> None:
    rows = ask(store, f"trace {ID} | fields depth, kind, name, body, error, selfInNanos")
    assert rows == [
        [0, "span", "na", None, False, 3 * SECOND],
        [1, "span", "nb", None, False, 5 * SECOND],
        [2, "log", "ERROR", "boom", True, None],
        [1, "span", "nc", None, True, 3 * SECOND],
        [0, "span", "nd", None, False, 1 * SECOND],
        [0, "log", "INFO", "loose", False, None],
    ]
    assert ask(store, f"trace {ID} | head 1 | fields startTime") == [["2026-01-01 00:00:00"]]


def test_an_id_that_nobody_has_gives_no_rows(store) -> None:
    assert ask(store, "trace 'ffff'") == []


def test_other_streams_and_none(store) -> None:
    assert len(ask(store, f"trace {ID} spans=spans logs=nosuch")) == 4
    for text in ("trace ab spans=nosuch logs=nosuch", "source=logs | trace ab"):
        with pytest.raises(UserError) as refusal:
            ask(store, text)
        assert refusal.value.where is not None


@pytest.mark.parametrize("text", ["trace 'a b'", "trace ab spans=x, y logs=z | where error"])
def test_it_survives_printing(text: str) -> None:
    assert ppl.parse(ppl.print(ppl.parse(text))) == ppl.parse(text)


@pytest.mark.parametrize(
    "text", ["trace failed", "trace of 17 calls", "ad clicked", "diff between runs", "ml pipeline"]
)
def test_words_that_are_also_commands_can_be_searched(store, text: str) -> None:
    tree = ppl.parse(text)
    assert ppl.is_records(tree)
    assert ppl.parse(ppl.print(tree)) == tree
    assert ask(store, f"{text} | head 1") == []


IDS = st.sampled_from(["a", "b", "c", "d", "", None])
TIMES = st.one_of(st.none(), st.integers(0, 100))


SPAN = st.fixed_dictionaries({"span": IDS, "parent": IDS, "start": TIMES, "end": TIMES, "duration": TIMES})


@given(st.lists(SPAN, max_size=12), st.lists(st.fixed_dictionaries({"span": IDS, "start": TIMES}), max_size=5))
def test_every_row_comes_once_in_any_tangle(spans: list[dict[str, object]], logs: list[dict[str, object]]) -> None:
    spans = [{**dict.fromkeys(("service", "name", "status", "message")), **each} for each in spans]
    logs = [{**dict.fromkeys(("level", "number", "service", "message")), **each} for each in logs]
    rows = json.loads(ordered(json.dumps(spans), json.dumps(logs)))
    assert len(rows) == len(spans) + len(logs)
    assert sum(row["kind"] == "log" for row in rows) == len(logs)
    assert all(row["kind"] == "log" or 0 <= row["selfInNanos"] <= (row["durationInNanos"] or 0) for row in rows)
    for above, row in itertools.pairwise(rows):
        assert row["depth"] <= above["depth"] + 1
