"""Completion offers what can stand at the cursor, the likeliest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering import query as ppl
from treering.model.batch import batch
from treering.query import Known
from treering.store.duckdb import DuckdbStore


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    record = {
        "serviceName": "rag",
        "severityText": "ERROR",
        "durationInNanos": 5,
        "odd name": 1,
        "rare": 1,
        "a": {"b": 2},
    }
    store.append([batch("logs", [record], received_ns=1), batch("spans", [record], received_ns=1)])
    return store


def completed(store: DuckdbStore, text: str, cursor: int | None = None) -> tuple[str, list[ppl.Suggestion]]:
    data = ppl.Data(
        schema=store.schema,
        streams=lambda: [info.name for info in store.streams()],
        values=lambda _, field: {"serviceName": ["rag", "llm-proxy"], "durationInNanos": ["5", "70"]}.get(field, []),
        known=lambda _: {"serviceName": Known(1.0, ("rag",)), "severityText": Known(0.95), "rare": Known(0.01)},
    )
    found = ppl.completions(text, len(text) if cursor is None else cursor, data)
    return text[found.start : found.end], list(found.suggestions)


def offered(store: DuckdbStore, text: str, cursor: int | None = None) -> tuple[str, list[tuple[str, str]]]:
    word, suggestions = completed(store, text, cursor)
    return word, [(each.text, each.kind) for each in suggestions]


@pytest.mark.parametrize(
    ("text", "word", "first"),
    [
        ("source=logs | wh", "wh", ("where", "command")),
        ("source=logs | ", "", ("where", "command")),
        ("source=logs | where ser", "ser", ("serviceName", "field")),
        ("source=logs | where ", "", ("serviceName", "field")),
        ("source=logs | where durationInNanos > 5 | stats av", "av", ("avg(", "function")),
        ("source=logs | stats count() by ser", "ser", ("serviceName", "field")),
        ("source=logs | stats avg(dur", "dur", ("durationInNanos", "field")),
        ("source=logs | stats count() by sp", "sp", ("span(", "function")),
        ("source=logs | stats count() as n by serviceName | sort - ", "", ("n", "field")),
        ("source=logs | eval took = durationInNanos / 2 | where to", "to", ("took", "field")),
        ("source=logs | eval took = nosuch( | where to", "to", ("took", "field")),
        ("source=logs | rename serviceName as svc | where sv", "sv", ("svc", "field")),
        ("source=lo", "lo", ("logs", "stream")),
        ("source=logs, sp", "sp", ("spans", "stream")),
        ("sev", "sev", ("severityText", "field")),
        ("", "", ("source=", "keyword")),
        ("tra", "tra", ("trace", "command")),
        ("source=logs | eval x = coal", "coal", ("coalesce(", "function")),
        ("source=logs | where serviceName = 'r", "r", ("rag", "value")),
        ("source=logs | where serviceName = ", "", ("'rag'", "value")),
        ("source=logs | where serviceName in ('rag', ", "", ("'rag'", "value")),
        ("source=logs | where durationInNanos = ", "", ("5", "value")),
        ("serviceName=r", "r", ("'rag'", "value")),
        ("source=logs | sort - dur", "dur", ("durationInNanos", "field")),
        ("source=logs | fields odd", "odd", ("`odd name`", "field")),
        ("source=logs | where a = 'x | y' | he", "he", ("head", "command")),
        ("source=logs | timechart sp", "sp", ("span=", "option")),
        ("source=logs | diff win", "win", ("window=", "option")),
        ("source=logs | append [ sou", "sou", ("source=", "keyword")),
        ("source=logs | append [ source=spans | wh", "wh", ("where", "command")),
        ("source=logs | where svn", "svn", ("serviceName", "field")),
        ("source=logs | sort b", "b", ("a.b", "field")),
    ],
)
def test_the_likeliest_comes_first(store, text: str, word: str, first: tuple[str, str]) -> None:
    replaced, suggestions = offered(store, text)
    assert replaced == word
    assert suggestions[0] == first


def test_fields_come_by_how_often_they_are_there_and_say_so(store) -> None:
    _, suggestions = completed(store, "source=logs | where ")
    fields = [each for each in suggestions if each.kind == "field"]
    assert [each.text for each in fields[:2]] == ["serviceName", "severityText"]
    assert fields[0].values == ("rag",)
    assert fields[1].detail == "text · 95%"
    (rare,) = (each for each in fields if each.text == "rare")
    assert rare.detail.endswith("1%")


def test_after_stats_only_its_columns_are_fields(store) -> None:
    _, suggestions = offered(store, "source=logs | stats count() as n by serviceName | where ")
    assert [text for text, kind in suggestions if kind == "field"] == ["n", "serviceName"]


def test_inside_a_text_nothing_is_offered(store) -> None:
    assert offered(store, "source=logs | where like(body, 'wh")[1] == []


def test_the_text_after_the_cursor_does_not_matter(store) -> None:
    text = "source=logs | wh serviceName = 'a' | stats ((("
    assert offered(store, text, 16)[1][0] == ("where", "command")


def test_a_stream_that_does_not_exist_offers_no_fields(store) -> None:
    assert all(kind != "field" for _, kind in offered(store, "source=nope | where ")[1])


def test_every_command_says_what_it_does(store) -> None:
    _, suggestions = completed(store, "source=logs | ")
    assert all(each.detail for each in suggestions if each.kind == "command")


PIECES = st.sampled_from(
    """source=logs | where stats by [ ] ( ) ' " ` = , serviceName count() as eval x span( in ('a' != -- odd name`
    diff @""".split()
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map(" ".join)), st.integers(-3, 60))
def test_any_text_and_cursor_are_answered(store, text: str, cursor: int) -> None:
    completed(store, text, cursor)
