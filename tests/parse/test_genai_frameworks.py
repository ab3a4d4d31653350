"""What frameworks and clients of today write, in small: every fact of a call found where each of them puts it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.parse.test_genai_dialects import START, normalised, span
from treering.model.batch import batch
from treering.model.genai import Call
from treering.parse.genai import Normaliser, call, calls
from treering.parse.prices import Prices

HI = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
BODY = {
    "id": "c-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
              "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}},
}  # fmt: skip


def read(record: dict[str, Any], stream: str = "spans") -> Call:
    found = call(normalised(record, stream))
    assert found is not None
    return found


def openinference(**held: Any) -> Call:
    return read(span(attributes={"openinference.span.kind": "LLM", **held}))


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_attached_answer_fills_what_its_sender_leaves_out(wrapped: bool) -> None:
    answer = {"message": {}, "raw": BODY} if wrapped else BODY
    found = openinference(**{"llm.model_name": "gpt-4o", "output.value": json.dumps(answer)})
    assert (found.request_model, found.response_model, found.response_id) == ("gpt-4o", "gpt-4o-2024-08-06", "c-1")
    assert found.finish_reasons == ("stop",)
    assert (found.tokens.input, found.tokens.cache_read, found.tokens.reasoning) == (9, 2, 1)


ASKS = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "7"}


@pytest.mark.parametrize(
    ("answer", "finish", "model"),
    [
        ({"object": "response", "id": "r", "status": "completed", "output": [ASKS]}, "tool_call", None),
        ({"object": "response", "id": "r", "status": "incomplete", "output": []}, "length", None),
        ({"type": "message", "id": "r", "model": "claude-x", "stop_reason": "end_turn"}, "stop", "claude-x"),
        ({"candidates": [{"finish_reason": "STOP"}], "response_id": "r", "model_version": "g"}, "stop", "g"),
    ],
)
def test_answers_of_each_api(answer: dict[str, Any], finish: str, model: str | None) -> None:
    found = openinference(**{"output.value": json.dumps(answer)})
    assert (found.finish_reasons, found.response_id, found.response_model) == ((finish,), "r", model)


def test_anthropics_input_count_without_the_cached_is_not_taken_for_the_whole() -> None:
    usage = {"input_tokens": 7, "cache_read_input_tokens": 40, "output_tokens": 3}
    answer = {"type": "message", "id": "r", "stop_reason": "end_turn", "usage": usage}
    found = openinference(**{"output.value": json.dumps(answer)})
    assert (found.tokens.input, found.tokens.output, found.tokens.cache_read) == (None, 3, 40)


def test_a_request_names_model_tools_and_limits() -> None:
    asked = {"model": "m", "tools": [{"type": "function", "function": {"name": "f"}}]}
    found = openinference(**{"input.value": json.dumps(asked), "llm.invocation_parameters": '{"maxTokens": 5}'})
    assert found.request_model == "m"
    assert [tool["name"] for tool in found.tools] == ["f"]
    named = openinference(**{"llm.request.model_name": "asked", "llm.response.model_name": "answered"})
    assert (named.request_model, named.response_model) == ("asked", "answered")


def test_a_text_written_twice_is_said_once() -> None:
    message = "llm.output_messages.0.message."
    inner = f"{message}contents.0.message_content."
    found = openinference(**{f"{message}role": "assistant", f"{message}content": "hello", f"{inner}type": "text",
                             f"{inner}text": "hello"})  # fmt: skip
    assert found.answer == "hello"


def test_blocks_of_converse_in_span_events() -> None:
    asks = [{"toolUse": {"toolUseId": "7", "name": "f", "input": {"city": "Paris"}}}]
    events = [
        {"name": "gen_ai.user.message", "attributes": {"content": json.dumps([{"text": "hi"}])}},
        {"name": "gen_ai.choice", "attributes": {"finish_reason": "tool_use", "message": json.dumps(asks)}},
    ]
    sent = {"gen_ai.system": "strands-agents", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    found = read(span(attributes=sent, events=events))
    assert (found.provider, found.prompt) == (None, "hi")
    assert [(one.name, one.arguments, one.id) for one in found.output[0].calls] == [("f", {"city": "Paris"}, "7")]
    said = [{"name": "gen_ai.choice", "attributes": {"message": "hello"}}]
    assert read(span(attributes=sent, events=said)).answer == "hello"


@pytest.mark.parametrize(("written", "seconds"), [(1782, 1.782), (0.25, 0.25), (1.5, 1.5), (9_000_000, 9_000_000)])
def test_a_first_token_later_than_its_span_is_in_milliseconds(written: float, seconds: float) -> None:
    sent = {"gen_ai.operation.name": "chat", "gen_ai.server.time_to_first_token": written}
    found = normalised(span(attributes=sent, durationInNanos=2_000_000_000))["attributes"]
    assert found["gen_ai.response.time_to_first_chunk"] == seconds


def test_messages_of_log_events_as_json_text_and_an_enumerations_finish_reason() -> None:
    event = {"eventName": "gen_ai.choice", "body": json.dumps({"message": {"role": "assistant", "content": "hello"},
             "finish_reason": "stop"}), "attributes": {"gen_ai.system": "openai"}}  # fmt: skip
    (said,) = json.loads(normalised(event, "logs")["attributes"]["gen_ai.output.messages"])
    assert (said["parts"], said["finish_reason"]) == ([{"type": "text", "content": "hello"}], "stop")
    sent = {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS"}
    assert read(span(attributes=sent)).finish_reasons == ("tool_call",)


def test_litellm_without_the_conventions_operation() -> None:
    sent = {"litellm.call_id": "1", "llm.request.type": "completion", "gen_ai.request.model": "gpt-4o", "llm.user": "u",
            "litellm.provider.model": "openai/gpt-4o", "gen_ai.response.model": "openai/gpt-4o",
            "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 4,
            "metadata.usage_object": "{'prompt_tokens_details': {'cached_tokens': 2}}"}  # fmt: skip
    found = read(span("litellm_request", attributes=sent))
    assert (found.operation, found.user, found.provider, found.tokens.cache_read) == ("chat", "u", "openai", 2)
    assert found.cost_usd == pytest.approx((7 * 2.5 + 2 * 1.25 + 4 * 10) / 1e6)
    embedded = {**sent, "llm.request.type": "embedding"}
    assert read(span("litellm_request", attributes=embedded)).operation == "embeddings"


def test_a_framework_s_answer_in_langsmiths_span() -> None:
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"],
               "kwargs": {"content": "hello", "usage_metadata": {"input_token_details": {"cache_read": 2}},
                          "response_metadata": {"finish_reason": "stop", "id": "c-1"}}}  # fmt: skip
    answer = {"generations": [[{"text": "hello", "message": message}]]}
    sent = {"langsmith.span.kind": "llm", "gen_ai.completion": json.dumps(answer), "gen_ai.request.model": "gpt-4o"}
    found = read(span(attributes=sent))
    assert (found.answer, found.finish_reasons, found.response_id) == ("hello", ("stop",), "c-1")
    assert (found.output[0].role, found.tokens.cache_read) == ("assistant", 2)


def test_items_of_the_responses_api_in_langfuse() -> None:
    told = {"type": "function_call_output", "call_id": "7", "output": "21C"}
    asked = {"input": [{"role": "user", "content": "hi"}, ASKS, told], "tools": [{"type": "function", "name": "f"}]}
    prefix = "langfuse.observation."
    found = read(span(attributes={f"{prefix}type": "generation", f"{prefix}input": json.dumps(asked),
                                  f"{prefix}output": json.dumps(ASKS)}))  # fmt: skip
    assert [message.role for message in found.input] == ["user", "assistant", "tool"]
    assert [(one.name, one.id) for one in found.output[0].calls] == [("f", "7")]
    assert [tool["name"] for tool in found.tools] == ["f"]


def layer(identity: str, parent: str, service: str = "app", **held: Any) -> dict[str, Any]:
    sent = {"gen_ai.operation.name": "chat", **held}
    return {**span(attributes=sent), "spanId": identity, "parentSpanId": parent, "serviceName": service}


def counted(normalise: Normaliser, *records: dict[str, Any]) -> list[str | None]:
    return [found.span_id for _, found in calls(normalise(batch("spans", list(records), received_ns=START)))]


SAID = {"gen_ai.input.messages": json.dumps(HI)}
OTHER = {"openinference.span.kind": "LLM"}


def test_layers_of_one_program_tell_of_one_call() -> None:
    outer, inner = layer("o", "", **OTHER), layer("i", "o")
    assert counted(Normaliser(), inner, outer) == ["i"]
    apart = Normaliser()
    assert (counted(apart, inner), counted(apart, outer)) == (["i"], [])
    assert counted(Normaliser(), layer("i", "o", "gateway"), outer) == ["i", "o"]


def test_of_layers_that_with_the_messages_stands_for_the_call() -> None:
    bare, middle = layer("i", "m"), layer("m", "o")
    assert counted(Normaliser(), layer("i", "o"), layer("o", "", **SAID)) == ["o"]
    assert counted(Normaliser(), bare, middle, layer("o", "", **SAID)) == ["o"]
    assert counted(Normaliser(), bare, layer("m", "o", **SAID), layer("o", "", **SAID)) == ["m"]
    two = (layer("i", "o"), layer("j", "o"))
    assert counted(Normaliser(), *two, layer("o", "", **SAID)) == ["i", "j"]


def test_spans_that_are_their_own_parents_end() -> None:
    assert counted(Normaliser(), layer("a", "b"), layer("b", "a")) == []
    assert counted(Normaliser(), layer("a", "a")) == []


def test_the_price_of_a_model_that_is_named_with_its_provider() -> None:
    prices = Prices()
    plain = prices.find("openai", "gpt-4o", None, START // 3_600_000_000_000)
    assert plain is not None
    assert prices.find("openai", "openai/gpt-4o", None, START // 3_600_000_000_000) == plain
    assert prices.find("openai", "mine/gpt-4o", None, START // 3_600_000_000_000) is None
