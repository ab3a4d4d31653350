"""Dialects of which there is no recording: what their documentation shows, under canonical names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treering.model.batch import batch
from treering.model.columns import ARROW, Kind, as_stored, to_record
from treering.parse.genai import Normaliser, call, calls
from treering.parse.prices import Prices

START = 1_795_422_830_000_000_000
HI = [{"role": "user", "content": "hi"}]
TOOL = {"city": "Paris"}


def rows(data: Any) -> list[dict[str, Any]]:
    long, stamp = ARROW[Kind.LONG], ARROW[Kind.TIME]
    held = [(column.cast(long) if column.type == stamp else column).to_pylist() for column in data.columns]
    return [dict(zip(data.schema.names, values, strict=True)) for values in zip(*held, strict=True)]


def normalised(record: dict[str, Any], stream: str = "spans") -> dict[str, Any]:
    """Return a record as it is stored; what its sender wrote must come back."""
    data = Normaliser(Prices())(batch(stream, [record], received_ns=START)).data
    (row,) = rows(data)
    (before,) = rows(batch(stream, [record], received_ns=START).data)
    assert to_record(row) == to_record(before)
    return as_stored(row)


def attributes(record: dict[str, Any], stream: str = "spans") -> dict[str, Any]:
    found: dict[str, Any] = normalised(record, stream)["attributes"]
    return found


def span(name: str = "x", **held: Any) -> dict[str, Any]:
    return {"name": name, "startTime": START, "traceId": "1", "spanId": "2", "attributes": held["attributes"],
            **{key: value for key, value in held.items() if key != "attributes"}}  # fmt: skip


CHAT = {"operation": "chat", "prompt": "hi", "answer": "hello", "tokens": (3, 1)}
SPANS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "gen_ai up to 1.36, on the span": (
        {
            "gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt": json.dumps(HI), "gen_ai.completion": "hello",
            "gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 1,
        },
        {**CHAT, "dialect": "gen_ai/1.36", "provider": "openai", "models": ("gpt-4o", None)},
    ),
    "openllmetry, flattened": (
        {
            "gen_ai.system": "OpenAI", "llm.request.type": "chat", "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "hello", "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.name": "f", "gen_ai.completion.0.tool_calls.0.arguments": '{"a": 1}',
            "llm.request.functions.0.name": "f", "llm.request.functions.0.parameters": '{"type": "object"}',
            "gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 1, "llm.usage.total_tokens": 4,
        },
        {**CHAT, "dialect": "openllmetry", "provider": "openai", "models": ("gpt-4o", None), "finish": ("tool_call",)},
    ),
    "mlflow": (
        {
            "mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"gpt-4o"',
            "mlflow.spanInputs": json.dumps({"messages": HI, "model": "gpt-4o"}),
            "mlflow.spanOutputs": json.dumps({"id": "c1", "model": "gpt-4o-2024-08-06", "choices": [
                {"finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}]}),
            "mlflow.chat.tokenUsage": '{"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}',
        },
        {**CHAT, "dialect": "mlflow", "models": ("gpt-4o", "gpt-4o-2024-08-06"), "finish": ("stop",), "id": "c1"},
    ),
    "vercel": (
        {
            "ai.operationId": "ai.streamText.doStream", "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat",
            "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]),
            "ai.response.text": "hello", "ai.response.finishReason": "tool-calls", "ai.response.msToFirstChunk": 250.0,
            "ai.response.toolCalls": json.dumps([{"toolCallId": "t", "toolName": "f", "args": {"a": 1}}]),
            "ai.usage.promptTokens": 3, "ai.usage.completionTokens": 1, "ai.telemetry.metadata.userId": "u",
            "ai.telemetry.metadata.sessionId": "s", "ai.response.model": "gpt-4o-2024-08-06",
        },
        {**CHAT, "dialect": "vercel", "provider": "openai", "models": ("gpt-4o", "gpt-4o-2024-08-06"), "first": 0.25,
         "finish": ("tool_call",), "user": "u", "conversation": "s"},
    ),
    "openlit": (
        {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.is_stream": True, "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
            "gen_ai.server.time_to_first_token": 0.5, "gen_ai.usage.cost": 0.1,
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "text": "hello"}]}]),
        },
        {**CHAT, "dialect": "openlit", "provider": "openai", "models": ("gpt-4o", None), "first": 0.5,
         "estimated": True},
    ),
    "logfire": (
        {
            "logfire.span_type": "span", "gen_ai.operation.name": "chat", "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
            "request_data": json.dumps({"messages": HI, "model": "gpt-4o"}),
            "response_data": json.dumps({"message": {"role": "assistant", "content": "hello"}}),
        },
        {**CHAT, "dialect": "logfire", "provider": "openai", "models": ("gpt-4o", None)},
    ),
    "langsmith": (
        {
            "langsmith.span.kind": "LLM", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt": json.dumps({"messages": HI}), "gen_ai.usage.input_tokens": 3,
            "gen_ai.completion": json.dumps({"role": "assistant", "content": "hello"}),
            "gen_ai.usage.output_tokens": 1, "langsmith.metadata.user_id": "u", "langsmith.trace.session_id": "s",
        },
        {**CHAT, "dialect": "langsmith", "provider": "openai", "models": ("gpt-4o", None), "user": "u",
         "conversation": "s"},
    ),
    "langsmith, flattened": (
        {
            "langsmith.span.kind": "llm", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "hello", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
        },
        {**CHAT, "dialect": "langsmith", "provider": "openai", "models": ("gpt-4o", None)},
    ),
    "pydantic ai": (
        {
            "gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
            "events": json.dumps([
                {"event.name": "gen_ai.system.message", "content": "be brief", "role": "system"},
                {"event.name": "gen_ai.user.message", "content": "hi", "role": "user", "gen_ai.message.index": 0},
                {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "hello"}}]),
            "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
            "gen_ai.usage.details.reasoning_tokens": 1,
        },
        {**CHAT, "dialect": "gen_ai/1.36", "provider": "openai", "models": ("gpt-4o", None)},
    ),
    "adk": (
        {
            "gen_ai.system": "gcp.vertex.agent", "gen_ai.operation.name": "call_llm",
            "gen_ai.request.model": "gemini-2.0-flash", "gcp.vertex.agent.session_id": "s",
            "gcp.vertex.agent.llm_request": json.dumps({
                "model": "gemini-2.0-flash", "config": {"system_instruction": "be brief", "temperature": 0.5},
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
            "gcp.vertex.agent.llm_response": json.dumps({
                "content": {"role": "model", "parts": [{"text": "hello"}]}, "finish_reason": "STOP",
                "usage_metadata": {"prompt_token_count": 3, "candidates_token_count": 1, "total_token_count": 4}}),
        },
        {**CHAT, "operation": "generate_content", "dialect": "adk", "provider": "gcp.gen_ai", "finish": ("stop",),
         "models": ("gemini-2.0-flash", None), "conversation": "s"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPANS)
def test_a_call(name: str) -> None:
    sent, wanted = SPANS[name]
    stored = normalised(span(attributes=sent))
    found = call(stored)
    assert found is not None
    assert call(span(attributes=sent)) is not None
    shown = {
        "operation": found.operation, "prompt": found.prompt, "answer": found.answer,
        "tokens": (found.tokens.input, found.tokens.output), "dialect": found.dialect, "provider": found.provider,
        "models": (found.request_model, found.response_model), "finish": found.finish_reasons, "id": found.response_id,
        "first": found.time_to_first_chunk, "user": found.user, "conversation": found.conversation,
        "estimated": found.tokens.estimated,
    }  # fmt: skip
    assert {key: shown[key] for key in wanted} == wanted
    assert found.is_call
    assert found.cost_usd is not None


def test_a_request_as_the_inference_server_saw_it() -> None:
    sent = {
        "gen_ai.request.id": "cmpl-1", "gen_ai.response.model": "facebook/opt-125m", "gen_ai.usage.prompt_tokens": 3,
        "gen_ai.usage.completion_tokens": 1, "gen_ai.latency.time_to_first_token": 0.25, "gen_ai.latency.e2e": 1.5,
    }  # fmt: skip
    found = call(normalised(span("llm_request", attributes=sent)))
    assert found is not None
    assert (found.operation, found.dialect, found.provider, found.response_id) == (
        "text_completion", "vllm", "vllm", "cmpl-1",
    )  # fmt: skip
    assert (found.tokens.input, found.tokens.output, found.time_to_first_chunk) == (3, 1, 0.25)
    assert found.is_call
    assert "treering.view" not in attributes(span("queue", attributes={"gen_ai.latency.e2e": 1.5}))


def test_a_tool_of_an_agent_development_kit() -> None:
    asked = {
        "contents": [
            {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a": 1}, "id": "c"}}]},
            {"role": "user", "parts": [{"function_response": {"id": "c", "response": {"b": 2}}}]},
        ]
    }
    found = attributes(span(attributes={"gcp.vertex.agent.llm_request": json.dumps(asked)}))
    (question, answer) = json.loads(found["gen_ai.input.messages"])
    assert question["parts"] == [{"type": "tool_call", "name": "f", "arguments": {"a": 1}, "id": "c"}]
    assert answer["parts"] == [{"type": "tool_call_response", "response": {"b": 2}, "id": "c"}]
    ran = {"gen_ai.operation.name": "execute_tool", "gcp.vertex.agent.tool_call_args": '{"a": 1}',
           "gcp.vertex.agent.tool_response": '{"b": 2}'}  # fmt: skip
    found = attributes(span(attributes=ran))
    assert found["gen_ai.tool.call.arguments"] == '{"a": 1}'
    assert found["gen_ai.tool.call.result"] == '{"b": 2}'


def test_span_events_of_older_conventions() -> None:
    events = [
        {"name": "gen_ai.system.message", "attributes": {"content": "be brief"}},
        {"name": "gen_ai.user.message", "attributes": {"content": "hi"}},
        {"name": "gen_ai.choice", "attributes": {"finish_reason": "stop", "message": '{"content": "hello"}'}},
    ]
    found = call(span(attributes={"gen_ai.system": "openai", "gen_ai.operation.name": "chat"}, events=events))
    assert found is not None
    assert (found.system, found.prompt, found.answer, found.finish_reasons) == (("be brief",), "hi", "hello", ("stop",))


def test_spans_around_calls_are_no_calls() -> None:
    for sent in (
        {"ai.operationId": "ai.generateText", "ai.model.id": "gpt-4o"},
        {"openinference.span.kind": "CHAIN", "llm.model_name": "gpt-4o"},
        {"mlflow.spanType": '"CHAIN"'},
        {"logfire.span_type": "log", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m"},
    ):
        assert "treering.view" not in attributes(span(attributes=sent))


def test_a_call_around_a_call_of_the_same_dialect_counts_once() -> None:
    def chat(identity: str, parent: str, **held: Any) -> dict[str, Any]:
        return {
            **span(attributes={"gen_ai.operation.name": "chat", **held}),
            "spanId": identity,
            "parentSpanId": parent,
        }

    outer, inner = chat("o", ""), chat("i", "o")
    other = chat("x", "i", **{"openinference.span.kind": "LLM"})
    once = Normaliser()
    together = once(batch("spans", [inner, outer, other], received_ns=1))
    assert [found.span_id for _, found in calls(together)] == ["i", "x"]
    apart = Normaliser()
    assert [found.span_id for _, found in calls(apart(batch("spans", [inner], received_ns=1)))] == ["i"]
    later = apart(batch("spans", [outer], received_ns=1))
    assert list(calls(later)) == []


BEDROCK = {
    "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-11-20T10:00:00Z",
    "accountId": "1", "identity": {"arn": "arn:aws:iam::1:user/a"}, "requestId": "r", "operation": "ConverseStream",
    "modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "input": {"inputBodyJson": {"system": [{"text": "be brief"}],
                                "messages": [{"role": "user", "content": [{"text": "hi"}]}]},
              "inputTokenCount": 3},
    "output": {"outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}},
                                  "stopReason": "end_turn", "metrics": {"latencyMs": 1500}}, "outputTokenCount": 1},
}  # fmt: skip
AZURE = {
    "time": "2026-11-20T10:00:00Z", "resourceId": "/SUBSCRIPTIONS/1", "category": "RequestResponse",
    "durationMs": "1500",
    "operationName": "ChatCompletions_Create", "resultSignature": "429", "correlationId": "c",
    "properties": json.dumps({"modelDeploymentName": "mine", "modelName": "gpt-4o", "modelVersion": "2024-08-06"}),
}  # fmt: skip
RUN = {
    "id": "r", "run_type": "llm", "name": "ChatOpenAI", "start_time": "2026-11-20T10:00:00Z",
    "end_time": "2026-11-20T10:00:01.5Z", "trace_id": "t", "parent_run_id": "p", "error": None,
    "inputs": {"messages": [[{"lc": 1, "id": ["x", "HumanMessage"], "kwargs": {"content": "hi"}}]]},
    "outputs": {"generations": [[{"text": "hello",
                                  "message": {"kwargs": {"content": "hello"}, "id": ["x", "AIMessage"]}}]]},
    "extra": {"invocation_params": {"model": "gpt-4o"}, "metadata": {"ls_provider": "openai", "user_id": "u"}},
    "prompt_tokens": 3, "completion_tokens": 1, "feedback_stats": {"helpful": {"n": 1, "avg": 0.5}},
}  # fmt: skip
PAYLOAD = {
    "id": "c", "call_type": "acompletion", "status": "success", "model": "gpt-4o-2024-08-06", "model_group": "gpt-4o",
    "custom_llm_provider": "openai", "prompt_tokens": 3, "completion_tokens": 1, "messages": HI, "trace_id": "t",
    "startTime": 1795422830.0, "endTime": 1795422831.5, "metadata": {"user_api_key_user_id": "u"},
    "response": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}]},
}  # fmt: skip
ANSWER = {"id": "c", "model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 3, "completion_tokens": 1},
          "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}]}  # fmt: skip
EXCHANGE = {"model": "gpt-4o", "messages": HI, "response": ANSWER, "latency_ms": 1500, "created": 1795422830,
            "user_id": "u"}  # fmt: skip
DOCUMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bedrock": (BEDROCK, {"provider": "aws.bedrock", "user": "arn:aws:iam::1:user/a", "finish": ("stop",),
                          "system": ("be brief",)}),
    "azure": (AZURE, {"provider": "azure.ai.openai", "error": "429", "tokens": (None, None), "prompt": "", "answer": "",
                      "models": ("mine", "gpt-4o-2024-08-06")}),
    "langsmith": (RUN, {"provider": "openai", "user": "u"}),
    "litellm": (PAYLOAD, {"provider": "openai", "user": "u", "models": ("gpt-4o", "gpt-4o-2024-08-06")}),
    "openai": (EXCHANGE, {"user": "u", "models": ("gpt-4o", "gpt-4o-2024-08-06"), "finish": ("stop",)}),
}  # fmt: skip


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_call_as_a_document(name: str, inside: bool) -> None:
    document, more = DOCUMENTS[name]
    stored = normalised({"attributes": document} if inside else document, "logs")
    found = call(stored)
    assert found is not None
    assert found.is_call
    shown = {
        "operation": found.operation, "prompt": found.prompt, "answer": found.answer, "error": found.error,
        "tokens": (found.tokens.input, found.tokens.output), "provider": found.provider, "user": found.user,
        "models": (found.request_model, found.response_model), "finish": found.finish_reasons, "system": found.system,
        "dialect": found.dialect, "duration": found.duration,
    }  # fmt: skip
    wanted = {**CHAT, "dialect": name, "duration": 1.5, **more}
    assert {key: shown[key] for key in wanted} == wanted
    assert (found.cost_usd is None) == (name == "azure")


@pytest.mark.parametrize(
    "document",
    [
        {"request": {"model": "gpt-4o", "messages": HI}, "response": ANSWER},
        {"custom_id": "1", "request": {"messages": HI}, "response": {"status_code": 200, "body": ANSWER}},
        {"model": "gpt-4o", "prompt": "hi", "completion": "hello", "usage": ANSWER["usage"]},
        {"model": "gpt-4o", "prompt": "hi", "response": "hello", "usage": ANSWER["usage"]},
        {"request": {"model": "gpt-4o", "input": "hi"}, "response": {
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}],
            "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"request": {"model": "claude-3-5-sonnet-latest", "messages": HI, "system": "be brief"},
         "response": {"role": "assistant", "content": [{"type": "text", "text": "hello"}],
                      "usage": {"input_tokens": 3, "output_tokens": 1}}},
    ],
)  # fmt: skip
def test_an_exchange_as_an_application_logs_it(document: dict[str, Any]) -> None:
    found = call(normalised(document, "logs"))
    assert found is not None
    assert found.is_call
    assert (found.prompt, found.answer) == ("hi", "hello")
    assert (found.tokens.input, found.tokens.output) == (3, 1)


@pytest.mark.parametrize(
    "document",
    [
        {"messages": ["a", "b"], "model": "x"},
        {"messages": HI},
        {"prompt": 3, "completion": "x", "model": "m"},
        {"request": {"messages": "hi"}, "response": {"body": 4}},
        {"response": {"body": {"choices": "x"}}, "messages": [{"role": 3}]},
    ],
)
def test_what_is_no_exchange_with_a_model(document: dict[str, Any]) -> None:
    assert "treering.view" not in normalised(document, "logs").get("attributes", {})


def test_feedback_of_a_run() -> None:
    found = call(normalised(RUN, "logs"))
    assert found is not None
    assert found.evaluation is not None
    assert (found.evaluation.name, found.evaluation.value) == ("helpful", 0.5)


@pytest.mark.parametrize("old", [False, True])
def test_evaluation_scores(old: bool) -> None:
    names = ("score", "label", "reasoning") if old else ("score.value", "score.label", "explanation")
    values = zip(names, (0.9, "good", "because"), strict=True)
    event = {"eventName": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.name": "relevance",
             **{f"gen_ai.evaluation.{name}": value for name, value in values}}}  # fmt: skip
    found = call(normalised(event, "logs"))
    assert found is not None
    assert found.evaluation is not None
    assert (found.evaluation.value, found.evaluation.label, found.evaluation.explanation) == (0.9, "good", "because")
    assert not found.is_call


def test_a_tool_over_mcp() -> None:
    found = attributes(
        span("tools/call get_weather", attributes={"mcp.method.name": "tools/call", "mcp.session.id": "s"})
    )
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "get_weather"
    listing = attributes(span("tools/list", attributes={"mcp.method.name": "tools/list"}))
    assert "gen_ai.operation.name" not in listing


@pytest.mark.parametrize("system", ["Chroma", "chroma", "CHROMA"])
def test_vector_databases_have_one_spelling(system: str) -> None:
    events = [{"name": "db.query.result", "attributes": {"db.query.result.id": "a", "db.query.result.distance": "0.5",
               "db.query.result.metadata": "{'s': 0}", "db.query.result.document": "text"}}]  # fmt: skip
    sent = {"db.system": system, "db.operation": "query", "db.chroma.query.n_results": 2}
    record = span("chroma.query", attributes=sent, events=events)
    found = call(normalised(record))
    assert found is not None
    (document,) = found.documents
    assert (document.id, document.score, document.content, document.metadata) == ("a", 0.5, "text", {"s": 0})
    assert attributes(record)["db.system.name"] == "chroma"


@pytest.mark.parametrize(
    ("name", "today"),
    [
        ("vllm:time_to_first_token_seconds", "gen_ai.server.time_to_first_token"),
        ("gen_ai.client.operation.duration", "gen_ai.client.inference.duration"),
        ("gen_ai.server.request.duration", None),
        ("http.server.request.duration", None),
    ],
)
def test_metrics_have_todays_name_beside_theirs(name: str, today: str | None) -> None:
    stored = normalised({"name": name, "attributes": {"gen_ai.system": "OpenAI"}}, "metrics")
    assert stored["name"] == name
    assert stored["attributes"].get("treering.metric") == today
    assert stored["attributes"]["gen_ai.provider.name"] == "openai"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"gen_ai.system": "az.ai.openai"}, {"gen_ai.provider.name": "azure.ai.openai"}),
        ({"gen_ai.provider.name": "langchain"}, {"gen_ai.provider.name": None}),
        ({"gen_ai.provider.name": "My-Own"}, {"gen_ai.provider.name": "my-own"}),
        ({"gen_ai.request.model": "unknown"}, {"gen_ai.request.model": None}),
        ({"gen_ai.operation.name": "completion"}, {"gen_ai.operation.name": "text_completion"}),
        ({"gen_ai.response.finish_reasons": ["MAX_TOKENS"]}, {"gen_ai.response.finish_reasons": ["length"]}),
        ({"gen_ai.response.finish_reasons": '["end_turn"]'}, {"gen_ai.response.finish_reasons": ["stop"]}),
        ({"gen_ai.usage.cache_creation.input_tokens": 4}, {"gen_ai.usage.cache_write.input_tokens": 4}),
    ],
)
def test_values_have_one_spelling(sent: dict[str, Any], stored: dict[str, Any]) -> None:
    found = attributes(span(attributes=sent))
    assert {name: found.get(name) for name in stored} == stored


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"events": [{"name": "exception", "attributes": {"exception.type": "openai.RateLimitError"}}]},
         "openai.RateLimitError"),
        ({"status": {"code": 2, "message": "RuntimeError('out of memory')Traceback (most recent call last):"}},
         "RuntimeError"),
        ({"status": {"code": 2, "message": "Error code: 429 - slow down"}}, "429"),
        ({"status": {"code": 2, "message": "it broke"}}, None),
    ],
)  # fmt: skip
def test_what_failed_has_a_type(record: dict[str, Any], error: str | None) -> None:
    sent = {"status": {"code": 2}, **span(attributes={"gen_ai.operation.name": "chat"}), **record}
    assert attributes(sent).get("error.type") == error
    found = call(sent)
    assert found is not None
    assert found.error == error or (error is None and found.error == "_OTHER")


def test_a_conversation_wider_than_a_batch_of_columns() -> None:
    sent = {"openinference.span.kind": "LLM"}
    for place in range(900):
        prefix = f"llm.input_messages.{place}.message."
        sent |= {f"{prefix}role": "user" if place % 2 else "assistant", f"{prefix}content": f"turn {place}"}
    found = call(normalised(span(attributes=sent)))
    assert found is not None
    assert [message.text for message in found.input] == [f"turn {place}" for place in range(900)]


def test_many_calls_as_data() -> None:
    names = ("chat", "x", "embeddings")
    records = [span(attributes={"gen_ai.operation.name": name, "user.id": name}) for name in names]
    found = calls(Normaliser()(batch("spans", records, received_ns=1)))
    assert [(place, one.operation, one.user) for place, one in found] == [(0, "chat", "chat"), (2, *["embeddings"] * 2)]


def test_a_stream_of_logfire_is_the_log_at_its_end() -> None:
    asked = {
        "request_data": '{"model": "gpt-4o"}', "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    }  # fmt: skip
    answer = {
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]),
        "gen_ai.response.id": "c1", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1, "duration": 1.5,
    }  # fmt: skip
    kinds: list[dict[str, Any]] = [
        {"logfire.span_type": "pending_span", **asked},
        {"logfire.span_type": "span", **asked},
        {"logfire.span_type": "log", **asked, **answer},
        {"logfire.span_type": "span", **asked, "error.type": "APIError"},
    ]
    sent = [span(attributes=held, spanId=f"{place}") for place, held in enumerate(kinds)]
    found = list(calls(Normaliser()(batch("spans", sent, received_ns=1))))
    assert [(place, one.answer) for place, one in found] == [(2, "hello"), (3, "")]
    assert (found[0][1].started_ns, found[0][1].tokens.output) == (START - 1_500_000_000, 1)
    assert attributes(sent[2])["treering.dialect"] == "logfire"


@pytest.mark.parametrize(("later", "ids", "names", "count"), [
    (0, ("m1", "m1"), ("anthropic.messages.create", "anthropic.chat"), 1),
    (0, ("m1", "m2"), ("anthropic.messages.create", "anthropic.chat"), 2),
    (0, ("m1", "m1"), ("chat", "chat"), 2),  # a server whose ids are all the same
    (50, ("m1", "m1"), ("anthropic.messages.create", "anthropic.chat"), 2),
])  # fmt: skip
def test_an_answer_told_by_two_layers_that_do_not_know_each_other_is_one_call(
    later: int, ids: tuple[str, str], names: tuple[str, str], count: int
) -> None:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
    held = [{"gen_ai.operation.name": "chat", "gen_ai.response.id": one} for one in ids]
    held[1]["gen_ai.input.messages"] = said
    times = [(START + 5, START + 50), (START + later * 10**9, START + later * 10**9 + 60)]
    sent = [
        span(name, attributes=one, spanId=name[-3:], traceId=name, startTime=begun, endTime=ended)
        for name, one, (begun, ended) in zip(names, held, times, strict=True)
    ]
    found = [place for place, _ in calls(Normaliser()(batch("spans", sent, received_ns=1)))]
    assert found == ([1] if count == 1 else [0, 1])
