"""Hostile and odd GenAI records: nothing raises, and what the sender wrote comes back whatever was normalised."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering.model.batch import batch
from treering.model.columns import ARROW, Kind, to_record
from treering.model.genai import Call
from treering.model.semconv import fields, renames
from treering.parse.genai import Normaliser, call
from treering.parse.prices import Prices

RELAXED = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
INDEXED = (
    "llm.input_messages.0.message.role", "llm.input_messages.0.message.content",
    "llm.input_messages.0.message.contents.0.message_content.text", "llm.input_messages.x.message.content",
    "llm.output_messages.99999999.message.content", "llm.input_messages.0.message",
    "llm.output_messages.1.message.tool_calls.0.tool_call.function.name",
    "llm.input_messages.0.message.content.deeper", "llm.tools.0.tool.json_schema",
    "retrieval.documents.0.document.score", "retrieval.documents.0.document.metadata", "gen_ai.prompt.0.content",
    "gen_ai.prompt.0.tool_calls.0.arguments", "gen_ai.completion.1.finish_reason", "openinference.span.kind",
    "traceloop.span.kind", "traceloop.entity.input", "traceloop.entity.output", "langfuse.observation.type",
    "langfuse.observation.input", "langfuse.observation.usage_details", "langfuse.observation.completion_start_time",
    "mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.tokenUsage", "ai.operationId",
    "ai.prompt.messages", "ai.response.toolCalls", "ai.prompt.tools", "litellm.call_id", "metadata.usage_object",
    "llm.invocation_parameters", "output.value", "metadata", "langsmith.span.kind", "request_data", "response_data",
    "gen_ai.prompt", "gen_ai.completion", "mcp.method.name", "db.operation", "event.name", "run_type", "inputs",
    "outputs", "schemaType", "modelId", "call_type", "model", "startTime", "operationName", "resourceId", "properties",
)  # fmt: skip
NAMES = st.sampled_from(sorted({*fields(), *renames(), *INDEXED}))
WORDS = st.sampled_from(
    ["chat", "LLM", "TOOL", "RETRIEVER", "generation", "unknown", "langchain", "openai", "gpt-4o", '"CHAT_MODEL"',
     "ERROR", "ModelInvocationLog", "llm", "completion", "ai.generateText.doGenerate", "tools/call", "[", "{}",
     '["stop"]',
     "null",
     '[{"role":"user","parts":[{"type":"text","content":"a"}]}]', '[{"role":"user","content":[{"text":1}]}]', "[[]]",
     "{'a': 1}", '{"prompt_tokens": -1}', '{"choices": [1]}', "query", "ChatCompletions_Create", '{"messages": {}}',
     '{"modelName": 3}', '[{"kwargs": {"content": []}}]', '{"documents": [null, {}]}', "\u202e\x00\ud7ff"]
)  # fmt: skip
SCALARS = st.one_of(WORDS, st.text(max_size=20), st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "parts", "id", "name", "usage", "message",
                                       "a.b", "x/y", "~"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["exception", "gen_ai.choice", "gen_ai.user.message", "First Token Stream Event",
                                  "db.query.result"])},
        optional={"time": VALUES, "attributes": st.dictionaries(
            st.sampled_from(["exception.type", "message", "content", "db.query.result.id", "db.query.result.distance"]),
            VALUES, max_size=3)},
    ),
    max_size=2,
)  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {"attributes": st.dictionaries(NAMES, VALUES, max_size=8)},
    optional={
        "events": EVENTS | VALUES,
        "status": st.fixed_dictionaries({"code": st.integers(0, 3) | SCALARS}, optional={"message": SCALARS}),
        "spanId": SCALARS,
        "parentSpanId": SCALARS,
        "name": SCALARS,
        "startTime": st.integers(0, 2**62) | SCALARS,
        "body": VALUES,
        "eventName": st.sampled_from(["gen_ai.choice", "gen_ai.user.message", "other"]) | SCALARS,
        "run_type": WORDS,
        "inputs": VALUES,
        "instrumentationScope": st.fixed_dictionaries(
            {"name": st.sampled_from(["litellm", "ai", "x", "langfuse-sdk"])}
        ),
    },
)


def rows(data: Any) -> list[dict[str, Any]]:
    """Return the rows of an Arrow batch by physical column."""
    long, stamp = ARROW[Kind.LONG], ARROW[Kind.TIME]
    held = [(column.cast(long) if column.type == stamp else column).to_pylist() for column in data.columns]
    return [dict(zip(data.schema.names, values, strict=True)) for values in zip(*held, strict=True)]


@RELAXED
@given(st.lists(RECORDS, min_size=1, max_size=4), st.sampled_from(["spans", "logs", "metrics", "other"]))
def test_the_senders_record_comes_back(records: list[dict[str, Any]], stream: str) -> None:
    before = batch(stream, records, received_ns=1)
    after = Normaliser(Prices())(before)
    assert after.stream == stream
    assert after.data.column("_time").to_pylist() == before.data.column("_time").to_pylist()
    sent, kept = ([sorted(flat("", to_record(row))) for row in rows(one.data)] for one in (before, after))
    assert kept == sent


def flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    """Return the leaves of a record as texts, so that NaN equals itself and the order of members does not matter."""
    if isinstance(value, dict) and value:
        return [leaf for name, member in value.items() for leaf in flat(f"{prefix}/{name!r}", member)]
    return [(prefix, repr(value))]


@RELAXED
@given(RECORDS)
def test_a_record_is_read_or_is_none(record: dict[str, Any]) -> None:
    found = call(record)
    assert found is None or isinstance(found, Call)
    if found is not None:
        assert isinstance(found.prompt, str)
        assert isinstance(found.answer, str)


@RELAXED
@given(st.dictionaries(NAMES, VALUES, max_size=10))
def test_a_canonical_record_is_read(attributes: dict[str, Any]) -> None:
    record = {"attributes": {**attributes, "treering.dialect": "gen_ai", "gen_ai.operation.name": "chat"}}
    assert isinstance(call(record), Call)
