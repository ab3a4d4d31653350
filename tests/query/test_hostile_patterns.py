"""Patterns that try every way to match, on texts made for them: the query fails soon, and other threads go on."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.query import regexes
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.testing.store_contract import START_NS, logs

BEYOND, PLAIN = "(?!b)(?:a|aa)+$", "(a|aa)+$"
MOST_SECONDS = 6.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DuckdbStore:
    made = DuckdbStore(Path(tmp_path_factory.mktemp("hostile")))
    made.append(logs([{"@timestamp": START_NS, "body": "a" * 60 + "!"}, {"@timestamp": START_NS, "body": "bb"}]))
    return made


@pytest.mark.parametrize(
    "command",
    [
        f"regex body='{BEYOND}'",
        "rex field=body max_match=3 '(?!b)(?<x>(?:a|aa)+)$'",
        f"eval x = replace(body, '{BEYOND}', '-')",
    ],
)
def test_what_needs_too_long_is_refused_while_others_run(
    store: DuckdbStore, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(regexes.LIMITS, "timeout", 0.2)
    compiled = ppl.compile(f"source=logs | {command}", schema=store.schema, now_ns=START_NS)
    ended, turns, began = threading.Event(), 0, time.process_time()

    def ask() -> None:
        try:
            with pytest.raises(UserError, match=r"needs more than 0\.2 s"):
                store.run(compiled, Limits())
        finally:
            ended.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while not ended.wait(0.02):
        turns += 1
    asking.join()
    assert turns > 1
    assert time.process_time() - began < MOST_SECONDS


@pytest.mark.parametrize("command", [f"regex body='{PLAIN}'", f"where body regexp '{PLAIN}'"])
def test_what_the_engine_can_is_linear(store: DuckdbStore, command: str) -> None:
    began = time.process_time()
    assert not store.run(ppl.compile(f"source=logs | {command}", schema=store.schema, now_ns=START_NS), Limits()).rows
    assert time.process_time() - began < MOST_SECONDS
