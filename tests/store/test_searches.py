"""What the token index knows changes no answer: searches and counts over segments are those over rows in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.model.batch import batch
from treering.parse.genai import Normaliser
from treering.query.explain import explain
from treering.stage.store import Limits
from treering.store.duckdb import Config, DuckdbStore, compaction, index, segment, tokens
from treering.testing.store_contract import START_NS, logs

WORDS = [
    "error",
    "Error",
    "ok",
    "K\u212aing",
    "über",
    "x_1",
    "42",
    "true",
    "404",
    "now",
    "日本",
    "a.b",
    "it's",
    "7.5",
    "7,error",
]
JOINS = [" ", "-", ".", "'", ",", ":", "", "é"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).flatmap(
    lambda parts: st.sampled_from(JOINS).map(lambda s: s.join(parts))
)
VALUES = st.one_of(TEXTS, TEXTS, st.integers(0, 50), st.booleans(), st.none(), st.lists(TEXTS, max_size=2))
RECORDS = st.lists(
    st.fixed_dictionaries({"body": TEXTS}, optional={"v": VALUES, "w": VALUES, "serviceName": TEXTS}),
    min_size=8,
    max_size=80,
)
ASKED = [
    *("error", "ok", "king", "42", "x_1", "true", "404", "b", "it", "s", "7", "NOT ok", "error OR ok", "error ok"),
    *('"ok error"', "err*", "body=error", "serviceName=ok", "v=error"),
]
QUERIES = [
    "{} | stats count()",
    "{} | fields body",
    "{} | fields v, serviceName",
    "{} | stats count() by serviceName",
    "{}",
]
MAPPING = {"properties": {name: {"type": "text"} for name in ("body", "v", "w")} | {"serviceName": {"type": "keyword"}}}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "BLOCK_ROWS", 4)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 4)
    monkeypatch.setattr(segment, "LEAST_INDEXED", 1)


def answers(store: DuckdbStore, texts: list[str], **range_ns: Any) -> list[Any]:
    found = []
    for text in texts:
        compiled = ppl.compile(text, schema=store.schema, now_ns=START_NS, **range_ns)
        found.append(sorted(map(repr, store.run(compiled, Limits()).rows)))
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=RECORDS,
    steps=st.integers(1, 4),
    merge=st.booleans(),
    deleted=st.sets(st.integers(0, 79), max_size=2),
    until=st.sampled_from([None, 5, 40]),
    asked=st.lists(st.sampled_from(ASKED), min_size=2, max_size=2, unique=True),
)
def test_segments_answer_as_memory_does(
    small_blocks: None, records: list[dict[str, Any]], steps: int, merge: bool, deleted: set[int], until: int | None,
    asked: list[str],
) -> None:  # fmt: skip
    records = [{**record, "@timestamp": START_NS + place} for place, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        written, memory = DuckdbStore(Path(folder), Config(columns=3)), DuckdbStore()
        dead = {"logs": sorted(seq for seq in deleted if seq < len(records))}
        size = -(-len(records) // steps)
        for store in (written, memory):
            store.create("logs", MAPPING)
            for start in range(0, len(records), size):
                store.append(logs(records[start : start + size]))
                store.flush()
            store.append([], dead)
        if merge:
            written.compact()
        texts = [form.format(word) for word in asked for form in QUERIES]
        bounds: dict[str, Any] = {} if until is None else {"time_range": (None, START_NS + until)}
        assert answers(written, texts, **bounds) == answers(memory, texts, **bounds)
        written.close()


def filled(folder: Path, rows: int = 20_000) -> DuckdbStore:
    store = DuckdbStore(folder)
    ends = ["done", "Failed.", "done"]
    store.append(
        logs(
            [
                {"@timestamp": START_NS + n, "body": f"request {n:08x} {ends[(n + 1) % 3]}", "kind": f"k{n % 7}"}
                for n in range(rows)
            ]
        )
    )
    store.flush()
    return store


def reading(store: DuckdbStore, text: str, **bounds: Any) -> tuple[Any, Any, str]:
    """Return answer, plan and its text."""
    compiled = ppl.compile(text, schema=store.schema, now_ns=START_NS, **bounds)
    plan = store.plan(compiled, Limits(), measure=True)
    return store.run(compiled, Limits()).rows, plan.readings["s0"], explain(compiled, plan, "analyze")


@pytest.mark.parametrize(
    "text", ["failed", "body=failed", "FAILED", "where match(body, 'failed')", "where query_string('failed')"]
)
def test_common_words_are_counted_by_the_index(tmp_path: Path, text: str) -> None:
    store = filled(tmp_path)
    rows, read, shown = reading(store, f"source=logs {'| ' * text.startswith('where')}{text} | stats count()")
    assert rows == [(6667,)]
    assert (read.files, read.counted_files, read.counted_rows) == (0, 1, 6667)
    assert "the index counts 6,667 rows" in shown
    store.close()


def test_what_the_index_does_not_count_is_looked_at(tmp_path: Path) -> None:
    store = filled(tmp_path)
    for text, bounds in (
        ("failed", {"time_range": (START_NS + 1, None)}),
        ("failed k1", {}),
        ("fail*", {}),
        ("NOT failed", {}),
    ):
        _, read, _ = reading(store, f"source=logs {text} | stats count()", **bounds)
        assert read.counted_files == 0, text
    store.append(logs([{"@timestamp": START_NS, "body": "failed"}]))
    assert reading(store, "source=logs failed | stats count()")[0] == [(6668,)]
    store.append([], {"logs": [0]})
    rows, read, _ = reading(store, "source=logs failed | stats count()")
    assert (rows, read.counted_files) == ([(6667,)], 0)
    store.close()


def test_a_search_reads_only_columns_that_have_the_word(tmp_path: Path) -> None:
    store = filled(tmp_path)
    _, _, one = reading(store, "source=logs 000000ab | fields @timestamp")
    assert "body:s" in one
    assert "kind:s" not in one
    _, _, neither = reading(store, "source=logs k3 failed | fields @timestamp")
    assert "body:s" not in neither
    assert "kind:s" not in neither
    assert "the index decides one condition on texts" in neither
    store.close()


def test_an_index_of_an_earlier_form_is_passed_over(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (path,) = tmp_path.rglob("*.tokens")
    store.close()
    data = path.read_bytes()
    path.write_bytes(index.MAGIC[:-1] + b"1" + data[len(index.MAGIC) :])
    store = DuckdbStore(tmp_path)
    rows, read, _ = reading(store, "source=logs failed | stats count()")
    assert (rows, read.counted_files) == ([(6667,)], 0)
    assert store.health()["trouble"] == {}
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        "told | fields name, gen_ai.output.messages",
        "told | where gen_ai.output.messages like '%yes%' | fields name, spanId",
        "told | sort - @timestamp | head 5 | fields name, gen_ai.output.messages",
        "told | appendpipe [ stats count() as n ] | fields name, n",
        "told | eventstats count() as n by name | fields name, n",
        "told | where spanId in [ source=spans 'told' | fields spanId ] | fields name",
        "told | join left=a right=b on a.spanId = b.spanId spans | fields a.name, b.kind",
        '"told me" OR nowhere | fields name',
        "NOT told | fields name",
    ],
)
def test_fields_without_the_word_are_not_missed(small_blocks: None, tmp_path: Path, text: str) -> None:
    """Where a search's table is read twice, joined to the content of calls, or asked the other way round."""
    call = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
    names = ["told", "told me", "other", "told", *["other"] * 40]
    same = {"traceId": "1", "kind": "client", "attributes": call}
    spans = [{**same, "name": name, "spanId": str(n), "@timestamp": START_NS + n} for n, name in enumerate(names)]
    event = {"eventName": "gen_ai.choice", "traceId": "1", "body": {"index": 0, "message": {"content": "yes"}}}
    events = [{**event, "spanId": "0", "attributes": {"gen_ai.system": "openai"}, "@timestamp": START_NS}]
    step = Normaliser()
    written, memory = DuckdbStore(tmp_path), DuckdbStore()
    for store in (written, memory):
        store.append([step(batch("logs", events, received_ns=START_NS))])
        store.append([step(batch("spans", spans, received_ns=START_NS))])
        store.flush()
    found = answers(written, [f"source=llm {text}", f"source=spans {text}"])
    assert found == answers(memory, [f"source=llm {text}", f"source=spans {text}"])
    assert any(found)
    written.close()
    memory.close()
