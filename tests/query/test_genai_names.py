"""GenAI names in queries: older names, names that two senders use differently, views, fields nobody has filled yet."""

from __future__ import annotations

from typing import Any

import pytest

from treering.core.errors import UserError
from treering.model.batch import batch
from treering.parse.genai import Normaliser
from treering.query import compile as compiled
from treering.stage.store import Limits
from treering.store.duckdb import Config, build

CHAT = {"gen_ai.operation.name": "chat"}
RECORDS: list[dict[str, Any]] = [
    {"name": "new", "attributes": {**CHAT, "gen_ai.usage.input_tokens": 1}},
    {"name": "old", "attributes": {**CHAT, "gen_ai.usage.prompt_tokens": 2, "gen_ai.system": "b"}},
    {"name": "both", "attributes": {**CHAT, "gen_ai.system": "c", "gen_ai.provider.name": "C"}},
    {"name": "tool", "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}},
    {"name": "plain", "attributes": {"http.route": "/"}},
]  # fmt: skip


def rows(query: str, streams: dict[str, list[dict[str, Any]]] | None = None, *, normalised: bool = True) -> list[Any]:
    """Return the sorted rows that a store with these records answers."""
    store = build(Config(), None)
    step = Normaliser() if normalised else lambda part: part
    for stream, records in (streams or {"spans": RECORDS}).items():
        store.append([step(batch(stream, records, received_ns=1))])
    found = store.run(compiled(query, schema=store.schema, now_ns=1), Limits())
    store.close()
    return sorted(found.rows, key=repr)


@pytest.mark.parametrize(
    "name",
    [
        "attributes.gen_ai.usage.input_tokens", "gen_ai.usage.input_tokens", "attributes.gen_ai.usage.prompt_tokens",
        "gen_ai.usage.prompt_tokens", "attributes.llm.token_count.prompt", "llm.usage.prompt_tokens",
        "ai.usage.promptTokens",
    ],
)  # fmt: skip
@pytest.mark.parametrize("normalised", [True, False])
def test_every_name_finds_every_value(name: str, normalised: bool) -> None:
    query = f"source=spans | where {name} > 0 | fields name, {name}"
    assert rows(query, normalised=normalised) == [("new", 1), ("old", 2)]


def test_two_names_in_one_record() -> None:
    assert rows("source=spans | where isnotnull(attributes.gen_ai.system) | fields name, attributes.gen_ai.system") == [
        ("both", "c"),
        ("old", "b"),
    ]
    assert rows("source=spans attributes.gen_ai.provider.name=c | fields name") == [("both",)]
    grouped = rows("source=llm | stats count() by gen_ai.provider.name")
    assert grouped == [(1, "b"), (1, "c"), (1, None)]


def test_the_view_has_calls_only() -> None:
    assert rows("source=llm | fields name") == [("both",), ("new",), ("old",)]
    assert rows("source=llm new | fields name") == [("new",)]
    assert rows("source=llm,spans | stats count()") == [(5,)]


def test_the_view_beside_other_streams() -> None:
    streams = {"spans": RECORDS, "audit": [{"name": "else"}]}
    assert rows("source=llm,audit | fields name", streams) == [("both",), ("else",), ("new",), ("old",)]


def test_a_field_nobody_has_filled() -> None:
    query = "source=llm | fields name, attributes.gen_ai.usage.cache_write.input_tokens, attributes.treering.cost.usd"
    assert rows(query) == [("both", None, None), ("new", None, None), ("old", None, None)]
    assert rows("source=llm | where attributes.gen_ai.usage.output_tokens > 3 | fields name") == []


@pytest.mark.parametrize("name", ["attributes.gen_ai.nonsense", "nonsense", "attributes.user.ids"])
def test_other_names_are_unknown_as_before(name: str) -> None:
    with pytest.raises(UserError, match="unknown field"):
        rows(f"source=llm | fields {name}")


def test_other_streams_are_as_before() -> None:
    streams = {"accounts": [{"name": "x"}]}
    with pytest.raises(UserError, match="unknown field"):
        rows("source=accounts | fields gen_ai.usage.input_tokens", streams)
    with pytest.raises(UserError, match="unknown field"):
        rows("source=spans | fields name | where isnull(attributes.gen_ai.usage.input_tokens)")


def test_an_own_field_of_that_name_stays_itself() -> None:
    streams = {"logs": [{"user": {"id": "top"}, "attributes": {"enduser.id": "low", "gen_ai.system": "x"}}]}
    assert rows("source=logs | fields user.id, attributes.enduser.id, attributes.user.id", streams) == [
        ("top", "low", "low")
    ]


EVENTS: list[dict[str, Any]] = [
    {"eventName": "gen_ai.user.message", "traceId": "1", "spanId": "2", "body": {"content": "hi"}},
    {"eventName": "gen_ai.assistant.message", "traceId": "1", "spanId": "2", "body": {"content": "hm"}},
    {"eventName": "gen_ai.choice", "traceId": "1", "spanId": "2", "body": {"index": 0, "message": {"content": "yes"}}},
    {"eventName": "gen_ai.user.message", "traceId": "9", "spanId": "9", "body": {"content": "of another span"}},
]


@pytest.mark.parametrize("as_attribute", [False, True])
def test_content_in_events_belongs_to_its_call(as_attribute: bool) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
    own = {**call, "gen_ai.input.messages": '[{"role":"user","parts":[]}]'}
    spans = [
        {"name": "told", "traceId": "1", "spanId": "2", "attributes": call, "@timestamp": 5},
        {"name": "own", "traceId": "1", "spanId": "3", "attributes": own},
        {"name": "none", "traceId": "1", "spanId": "4", "attributes": call},
    ]
    events = [{**event, "attributes": {"gen_ai.system": "openai"}} for event in EVENTS]
    if as_attribute:  # as log records had it before they had a name
        for event in events:
            event["attributes"]["event.name"] = event.pop("eventName")
    streams = {"logs": events, "spans": spans}
    found = rows("source=llm | fields name, gen_ai.input.messages, gen_ai.output.messages", streams)
    said = '[{"role":"%s","parts":[{"type":"text","content":"%s"}]}'
    asked = said % ("user", "hi") + "," + (said % ("assistant", "hm"))[1:]
    assert found == [
        ("none", None, None),
        ("own", own["gen_ai.input.messages"], None),
        ("told", f"{asked}]", said % ("assistant", "yes") + "]"),
    ]
    assert rows("source=llm | where gen_ai.input.messages like '%hm%' | stats count()", streams) == [(1,)]
    assert rows("source=llm gen_ai.output.messages=yes | fields name", streams) == [("told",)]
    newest = "source=llm name=told | sort - @timestamp | head 5 | fields name, gen_ai.output.messages"
    assert rows(newest, streams) == [("told", said % ("assistant", "yes") + "]")]


def test_scores_belong_to_the_call_they_judge() -> None:
    def score(value: float, span: str) -> dict[str, Any]:
        said = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": value}
        return {"eventName": "gen_ai.evaluation.result", "traceId": "1", "spanId": span, "attributes": said}

    spans = [{"name": name, "traceId": "1", "spanId": name, "attributes": CHAT} for name in ("a", "b")]
    streams = {"logs": [score(0.5, "a"), score(1.0, "a"), score(0.25, "x")], "spans": spans}
    query = "source=llm | fields name, gen_ai.evaluation.name, gen_ai.evaluation.score.value"
    assert rows(query, streams) == [("a", "relevance", 0.75), ("b", None, None)]
    assert rows("source=llm | where gen_ai.evaluation.score.value < 0.8 | fields name", streams) == [("a",)]
