"""Completion offers what can stand at the cursor."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.model.batch import batch
from treering.store.duckdb import DuckdbStore


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    record = {"serviceName": "rag", "severityText": "ERROR", "durationInNanos": 5, "odd name": 1}
    store.append([batch("logs", [record], received_ns=1), batch("spans", [record], received_ns=1)])
    return store


def offered(store, text: str, cursor: int | None = None) -> tuple[str, list[tuple[str, str]]]:
    place = len(text) if cursor is None else cursor
    found = ppl.completions(
        text,
        place,
        schema=store.schema,
        streams=lambda: [info.name for info in store.streams()],
        values=lambda _, field: ["rag", "llm-proxy"] if field == "serviceName" else [],
    )
    return text[found.start : found.end], [(each.text, each.kind) for each in found.suggestions]


@pytest.mark.parametrize(
    ("text", "word", "first"),
    [
        ("source=logs | wh", "wh", ("where", "command")),
        ("source=logs | where ser", "ser", ("serviceName", "field")),
        ("source=logs | where durationInNanos > 5 | stats av", "av", ("avg(", "function")),
        ("source=logs | stats count() by ser", "ser", ("serviceName", "field")),
        ("source=lo", "lo", ("logs", "stream")),
        ("source=logs, sp", "sp", ("spans", "stream")),
        ("sev", "sev", ("severityText", "field")),
        ("source=logs | eval x = coal", "coal", ("coalesce(", "function")),
        ("source=logs | where serviceName = 'r", "r", ("rag", "value")),
        ("source=logs | where serviceName = ", "", ("'rag'", "value")),
        ("source=logs | sort - dur", "dur", ("durationInNanos", "field")),
        ("source=logs | fields odd", "odd", ("`odd name`", "field")),
        ("source=logs | where a = 'x | y' | he", "he", ("head", "command")),
    ],
)
def test_the_likeliest_comes_first(store, text: str, word: str, first: tuple[str, str]) -> None:
    replaced, suggestions = offered(store, text)
    assert replaced == word
    assert suggestions[0] == first


def test_the_text_after_the_cursor_does_not_matter(store) -> None:
    text = "source=logs | wh serviceName = 'a' | stats ((("
    assert offered(store, text, 16)[1][0] == ("where", "command")


def test_a_stream_that_does_not_exist_offers_no_fields(store) -> None:
    assert all(kind != "field" for _, kind in offered(store, "source=nope | where ")[1])


def test_any_cursor_is_answered(store) -> None:
    text = "source=logs serviceName='r' | where `odd name` > 1 | stats avg(durationInNanos) by span(@timestamp, 5m)"
    for cursor in range(-1, len(text) + 2):
        offered(store, text, cursor)
