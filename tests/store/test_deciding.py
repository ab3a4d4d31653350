"""Conditions that the token index decides by itself select the rows that the engine selects by looking at them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.stage.store import Limits
from treering.store.duckdb import Config, DuckdbStore, compaction, deciding, postings, segment, tokens
from treering.testing.store_contract import START_NS, logs

WORDS = [
    *("error", "error", "Error", "ok", "K\u212aing", "\u212aerror", "über", "ÜBER", "x_1", "42", "404", "a.b", "it's"),
    *("7.5", "7,error", "日本", "search_orders(id=12345)", "errors", "\u017ferror", "İ", "z" * 70, "_"),
]
JOINS = st.sampled_from([" ", " ", " ", "-", ".", "'", ",", "", "é", "\n"])
TEXTS = st.lists(st.sampled_from(WORDS), max_size=5).flatmap(lambda parts: JOINS.map(lambda join: join.join(parts)))
LEVELS = st.sampled_from(["ERROR", "info", "Error 404", "", "ok"])
VALUES = st.one_of(LEVELS, TEXTS, st.integers(0, 50), st.none(), st.lists(TEXTS, max_size=2))
RECORDS = st.lists(
    st.fixed_dictionaries({}, optional={"body": TEXTS, "v": VALUES, "level": LEVELS, "serviceName": LEVELS}),
    min_size=8,
    max_size=60,
)
MAPPING = {
    "properties": {name: {"type": "text"} for name in ("body", "v", "level")} | {"serviceName": {"type": "keyword"}}
}
CONDITIONS = [
    *("error", "NOT error", "error OK", "error OR 404", '"error 404"', "err*", "*rro*", "level=error", "404", "king"),
    *("body=error level=ERROR", "body=error OR serviceName=ERROR", "serviceName=ERROR", "NOT body=ok error", "x_1"),
    *(
        "where body like '%err%'",
        "where body like '%e_ror%'",
        "where not body like '%error%'",
        "where body like 'err%'",
    ),
    *("where like(body, '%Error%', true)", "where body contains 'ear'", "where body like '%h_ord%s(id%'"),
    *(
        "where regexp_match(body, 'err.*r')",
        "where regexp_match(body, '(?i)ERRORS')",
        "where regexp_match(body, '^e|42')",
    ),
    *(
        "where match(body, 'error ok')",
        "where match(body, 'error ok', operator='and')",
        "where match_phrase(body, 'error ok')",
    ),
    *(
        "where match(level, 'error') or v = 'ok'",
        "where level like '%rr%' and body like '%rr%'",
        "where level = 'ERROR'",
    ),
    *("where body = 'error'", "where body in ('error', 'ok error')", "where multi_match(['body', 'v'], 'error')"),
    *(
        "where query_string(['body', 'level'], 'err* AND ok')",
        "where regexp_match(level, 'ERR|ok') and body like '%o%'",
    ),
    *("where match_phrase_prefix(body, 'error o')", "where not match(level, 'error') and body like '%error%'"),
]
ENDS = [
    "",
    "| fields body",
    "| stats count() by level",
    "| head 5 | fields @timestamp",
    "| sort - @timestamp | head 3 | fields body",
]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small segments decide whatever they can."""
    monkeypatch.setattr(tokens, "BLOCK_ROWS", 4)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 4)
    monkeypatch.setattr(segment, "LEAST_INDEXED", 1)
    monkeypatch.setattr(postings, "FEWEST", 1)
    monkeypatch.setattr(deciding, "WORTH_IT", 1)
    monkeypatch.setattr(deciding, "FEW", -1)


def answers(store: DuckdbStore, text: str, **bounds: Any) -> Any:
    compiled = ppl.compile(text, schema=store.schema, now_ns=START_NS, **bounds)
    return list(map(repr, store.run(compiled, Limits()).rows))


def asked(condition: str, end: str) -> str:
    return f"source=logs {'| ' * condition.startswith('where')}{condition} {end}"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=RECORDS,
    steps=st.integers(1, 4),
    merge=st.booleans(),
    mixed=st.booleans(),
    columns=st.sampled_from([2, 1000]),
    deleted=st.sets(st.integers(0, 59), max_size=3),
    bounds=st.sampled_from([{}, {"time_range": (START_NS + 4, START_NS + 40)}]),
    conditions=st.lists(st.sampled_from(CONDITIONS), min_size=3, max_size=3, unique=True),
)
def test_indexes_decide_as_the_engine_does(
    always: None, records: list[dict[str, Any]], steps: int, merge: bool, mixed: bool, columns: int,
    deleted: set[int], bounds: dict[str, Any], conditions: list[str],
) -> None:  # fmt: skip
    records = [{**record, "@timestamp": START_NS + place} for place, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        written, memory = DuckdbStore(Path(folder), Config(columns=columns)), DuckdbStore()
        size = -(-len(records) // steps)
        dead = sorted(seq for seq in deleted if seq < len(records))
        for store in (written, memory):
            store.create("logs", MAPPING)
            for start in range(0, len(records), size):
                held = records[start : start + size]
                if mixed:  # rows of another stream are numbered among them
                    for record in held:
                        store.append(logs([record]))
                        store.append(logs([{"body": "error"}], stream="other"))
                else:
                    store.append(logs(held))
                if start + size < len(records):  # the last ones stay in the log
                    store.flush()
        if merge:
            written.append([], {"logs": dead})
            memory.append([], {"logs": dead})
            written.compact()
        for condition in conditions:
            for end in ENDS:
                text = asked(condition, end)
                assert answers(written, text, **bounds) == answers(memory, text, **bounds), text
        written.close()
