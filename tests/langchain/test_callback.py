"""LangChain and LangGraph, through their own public ways, with the callback on and a running treering behind it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel, ParrotFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.outputs import Generation, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from tests.client.peers import answering, down, hanging
from treering.client import Bounds, Sender
from treering.langchain import TreeringCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Server

QUICK = Bounds(interval_s=0.02, timeout_s=0.5, exit_s=0.2)
USAGE = {
    "input_tokens": 10, "output_tokens": 3, "total_tokens": 13,
    "input_token_details": {"cache_read": 4, "cache_creation": 2}, "output_token_details": {"reasoning": 1},
}  # fmt: skip


class Model(GenericFakeChatModel):
    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "azure", "ls_model_name": "gpt-4o-mini", "ls_model_type": "chat", "ls_temperature": 0.2}


class Retriever(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        if query == "fail":
            raise LookupError("no index")
        return [
            Document("Ottawa is the capital.", id="d1", metadata={"score": 0.91, "source": "wiki"}),
            Document("Toronto is larger.", metadata={"doc_id": "d2", "relevance_score": 0.5}),
        ]


@tool
def search(query: str) -> str:
    """Look something up."""
    if query == "fail":
        raise ValueError("no such thing")
    return f"found {query}"


def call(query: str = "x") -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"name": "search", "args": {"query": query}, "id": "c1"}],
        usage_metadata=USAGE,
        response_metadata={"model_name": "gpt-4o-mini-2024", "finish_reason": "tool_calls", "id": "r1"},
    )


def agent(messages: list[AIMessage], **compiled: Any) -> Any:
    model = Model(messages=iter(messages))

    def step(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke([SystemMessage("Be terse."), *state["messages"]])]}

    async def astep(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke([SystemMessage("Be terse."), *state["messages"]])]}

    def route(state: MessagesState) -> str:
        return "tools" if state["messages"][-1].tool_calls else END

    graph = StateGraph(MessagesState)
    graph.add_node("agent", RunnableLambda(step, astep))
    graph.add_node("tools", ToolNode([search]))
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", route)
    graph.add_edge("tools", "agent")
    return graph.compile(name="helper", **compiled)


@pytest.fixture
def callback(server: Server) -> Iterator[TreeringCallback]:
    found = TreeringCallback(sender=Sender(server.url, service="app", bounds=QUICK))
    yield found
    assert found.errors == 0
    assert found.sender.dropped == 0
    found.sender.close(0)


def spans(server: Server, callback: TreeringCallback) -> dict[str, dict[str, Any]]:
    """Return the spans by name; of several with one name the last one."""
    assert callback.flush(20)
    return {record["name"]: record for record in server.records("spans")}


def decoded(record: dict[str, Any], name: str) -> Any:
    return json.loads(record["attributes"][f"gen_ai.{name}"])


def above(found: dict[str, dict[str, Any]], record: dict[str, Any]) -> list[str]:
    """Return the names of the spans above one."""
    names = []
    by_id = {one["spanId"]: one for one in found.values()}
    while record["parentSpanId"]:
        record = by_id[record["parentSpanId"]]
        names.append(record["name"])
    return names


def check_agent(found: dict[str, dict[str, Any]]) -> None:
    root, tools = found["invoke_agent helper"], found["execute_tool search"]
    assert (root["parentSpanId"], root["status"]["code"]) == ("", 0)
    assert {record["traceId"] for record in found.values()} == {root["traceId"]}
    assert above(found, tools) == ["tools", "invoke_agent helper"]
    assert above(found, found["chat gpt-4o-mini"])[-2:] == ["agent", "invoke_agent helper"]
    about = {"gen_ai.conversation.id": "t1", "user.id": "u1", "gen_ai.agent.name": "helper"}
    assert all(about.items() <= record["attributes"].items() for record in found.values())
    assert decoded(root, "input.messages") == [{"role": "user", "parts": [{"type": "text", "content": "hi é😀"}]}]
    assert decoded(root, "output.messages")[0]["parts"] == [{"type": "text", "content": "done"}]
    assert decoded(tools, "tool.call.arguments") == {"query": "x"}
    assert tools["attributes"]["gen_ai.tool.call.result"] == "found x"
    assert tools["attributes"]["gen_ai.tool.call.id"] == "c1"
    assert tools["attributes"]["gen_ai.tool.description"] == "Look something up."


CONFIG = {"configurable": {"thread_id": "t1"}, "metadata": {"user_id": "u1"}}


def test_a_graph_becomes_one_trace(server: Server, callback: TreeringCallback) -> None:
    agent([call(), AIMessage("done")]).invoke(
        {"messages": [HumanMessage("hi é😀")]}, {"callbacks": [callback], **CONFIG}
    )
    found = spans(server, callback)
    check_agent(found)
    (first,) = [one for one in server.records("spans") if "gen_ai.usage.input_tokens" in one["attributes"]]
    assert (
        first["attributes"]
        | {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "azure.ai.openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.response.model": "gpt-4o-mini-2024",
            "gen_ai.response.id": "r1",
            "gen_ai.response.finish_reasons": ["tool_calls"],
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.usage.cache_write.input_tokens": 2,
            "gen_ai.usage.reasoning.output_tokens": 1,
        }
        == first["attributes"]
    )
    assert first["kind"] == "SPAN_KIND_CLIENT"
    assert decoded(first, "system_instructions") == [{"type": "text", "content": "Be terse."}]
    assert decoded(first, "output.messages") == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "search", "arguments": {"query": "x"}}],
            "finish_reason": "tool_calls",
        }
    ]
    second = found["chat gpt-4o-mini"]
    assert decoded(second, "input.messages")[-1]["parts"] == [
        {"type": "tool_call_response", "id": "c1", "response": "found x"}
    ]


def test_the_same_under_asyncio(server: Server, callback: TreeringCallback) -> None:
    graph = agent([call(), AIMessage("done")])
    asyncio.run(graph.ainvoke({"messages": [HumanMessage("hi é😀")]}, {"callbacks": [callback], **CONFIG}))
    check_agent(spans(server, callback))


def test_streaming_tells_when_the_first_piece_came(server: Server, callback: TreeringCallback) -> None:
    class Slow(Model):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            time.sleep(0.2)
            yield from super()._stream(*args, **kwargs)

    pieces = list(Slow(messages=iter(["one two three"])).stream("hi", {"callbacks": [callback]}))
    assert len(pieces) >= 3
    record = spans(server, callback)["chat gpt-4o-mini"]
    assert 0.2 <= record["attributes"]["gen_ai.response.time_to_first_chunk"] <= record["durationInNanos"] / 1e9
    assert record["attributes"]["gen_ai.request.stream"] is True
    assert decoded(record, "output.messages")[0]["parts"] == [{"type": "text", "content": "one two three"}]

    async def consume() -> list[AIMessageChunk]:
        model = Model(messages=iter(["four five"]))
        return [piece async for piece in model.astream("hi", {"callbacks": [callback]})]

    assert asyncio.run(consume())
    assert "gen_ai.response.time_to_first_chunk" in spans(server, callback)["chat gpt-4o-mini"]["attributes"]


def test_streamed_events_tell_it_too(server: Server, callback: TreeringCallback) -> None:
    model = Model(messages=iter(["one two three"]))
    if not hasattr(model, "stream_events"):
        pytest.skip("needs a langchain-core with stream_events")
    stream = model.stream_events("hi", {"callbacks": [callback]}, version="v3")
    assert "".join(piece for piece in stream.text) == "one two three"
    record = spans(server, callback)["chat gpt-4o-mini"]
    assert 0 <= record["attributes"]["gen_ai.response.time_to_first_chunk"] <= record["durationInNanos"] / 1e9


def test_retrieval_carries_documents_and_scores(server: Server, callback: TreeringCallback) -> None:
    chain = (
        {"context": Retriever(), "question": RunnableLambda(lambda text: text)}
        | ChatPromptTemplate.from_template("{context} {question}")
        | Model(messages=iter(["Ottawa"]))
    )
    assert chain.invoke("capital?", {"callbacks": [callback], "metadata": {"session_id": "s"}}).content == "Ottawa"
    found = spans(server, callback)
    record = found["retrieval Retriever"]
    assert record["attributes"]["gen_ai.retrieval.query.text"] == "capital?"
    assert decoded(record, "retrieval.documents") == [
        {
            "id": "d1",
            "score": 0.91,
            "content": "Ottawa is the capital.",
            "metadata": {"score": 0.91, "source": "wiki"},
        },
        {
            "id": "d2",
            "score": 0.5,
            "content": "Toronto is larger.",
            "metadata": {"doc_id": "d2", "relevance_score": 0.5},
        },
    ]
    root = found["invoke_workflow RunnableSequence"]
    assert root["attributes"]["gen_ai.conversation.id"] == record["attributes"]["gen_ai.conversation.id"] == "s"
    assert decoded(root, "input.messages")[0]["parts"][0]["content"] == "capital?"
    assert {one["traceId"] for one in found.values()} == {root["traceId"]}


def test_errors_keep_their_class_and_reach_the_program(server: Server, callback: TreeringCallback) -> None:
    with pytest.raises(LookupError, match="no index"):
        Retriever().invoke("fail", {"callbacks": [callback]})
    with pytest.raises(ValueError, match="no such thing"):
        search.invoke({"query": "fail"}, {"callbacks": [callback]})
    with pytest.raises(StopIteration):
        Model(messages=iter([])).invoke("hi", {"callbacks": [callback]})
    found = spans(server, callback)
    assert found["retrieval Retriever"]["attributes"]["error.type"] == "LookupError"
    failed = found["execute_tool search"]
    assert failed["status"] == {"code": 2, "message": "no such thing"}
    assert failed["events"][0]["attributes"]["exception.type"] == "ValueError"
    assert "raise ValueError" in failed["events"][0]["attributes"]["exception.stacktrace"]
    assert found["chat gpt-4o-mini"]["status"]["code"] == 2


def test_waiting_for_a_person_is_no_error(server: Server, callback: TreeringCallback) -> None:
    def ask(_: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("approve?"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    app = graph.compile(checkpointer=InMemorySaver())
    app.invoke({"messages": []}, {"callbacks": [callback], **CONFIG})
    found = spans(server, callback)
    assert found["ask"]["attributes"]["langgraph.interrupted"] == "GraphInterrupt"
    assert all(record["status"]["code"] == 0 for record in found.values())


def test_batches_and_completions(server: Server, callback: TreeringCallback) -> None:
    answers = ParrotFakeChatModel().batch([f"q{number}" for number in range(20)], {"callbacks": [callback]})
    assert [answer.content for answer in answers] == [f"q{number}" for number in range(20)]
    FakeListLLM(responses=["fine"]).invoke("how are you?", {"callbacks": [callback]})
    assert callback.flush(20)
    records = server.records("spans")
    assert len({record["traceId"] for record in records}) == len(records) == 21
    (completion,) = [one for one in records if one["attributes"]["gen_ai.operation.name"] == "text_completion"]
    assert decoded(completion, "input.messages")[0]["parts"][0]["content"] == "how are you?"
    assert decoded(completion, "output.messages")[0]["parts"][0]["content"] == "fine"


def test_tokens_as_providers_report_them(server: Server, callback: TreeringCallback) -> None:
    reports = [
        {"token_usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}},
        {"usage": {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 3}},
        {"prompt_eval_count": 7, "eval_count": 2},
        {"token_usage": {"prompt_token_count": 7, "candidates_token_count": 2}},
    ]
    for report in reports:
        run = uuid4()
        callback.on_llm_start({}, ["x"], run_id=run)
        callback.on_llm_end(LLMResult(generations=[[Generation(text="y")]], llm_output=report), run_id=run)
    assert callback.flush(20)
    records = [record["attributes"] for record in server.records("spans")]
    assert [(one["gen_ai.usage.input_tokens"], one["gen_ai.usage.output_tokens"]) for one in records] == [(7, 2)] * 4
    assert [one.get("gen_ai.usage.cache_read.input_tokens") for one in records] == [3, 3, None, None]


def test_parts_of_other_kinds(server: Server, callback: TreeringCallback) -> None:
    content: list[Any] = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "thinking", "thinking": "hm"},
    ]
    ParrotFakeChatModel().invoke([HumanMessage(content)], {"callbacks": [callback]})
    (record,) = spans(server, callback).values()
    assert decoded(record, "input.messages")[0]["parts"] == [
        {"type": "text", "content": "look"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "encoded_length": 4022},
        {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://example.org/a.png"},
        {"type": "reasoning", "content": "hm"},
    ]


def test_without_content_nothing_that_was_said_leaves(server: Server, callback: TreeringCallback) -> None:
    callback.content = False
    agent([call("secret"), AIMessage("secret")]).invoke(
        {"messages": [HumanMessage("secret")]}, {"callbacks": [callback]}
    )
    Retriever().invoke("secret", {"callbacks": [callback]})
    found = spans(server, callback)
    assert "secret" not in json.dumps(found)
    assert "Ottawa" not in json.dumps(found)
    assert decoded(found["retrieval Retriever"], "retrieval.documents") == [
        {"id": "d1", "score": 0.91},
        {"id": "d2", "score": 0.5},
    ]


def test_runs_go_below_the_current_span_of_opentelemetry(server: Server, callback: TreeringCallback) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("t").start_as_current_span("request") as outer:
        context = outer.get_span_context()
        ParrotFakeChatModel().invoke("hi", {"callbacks": [callback]})
    (record,) = spans(server, callback).values()
    assert (record["traceId"], record["parentSpanId"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


@pytest.mark.parametrize("trouble", ["down", "hanging", "500"])
def test_the_program_does_not_notice_trouble(trouble: str) -> None:
    with hanging() as never, answering(500) as (failing, _):
        address = {"down": down(), "hanging": never, "500": failing}[trouble]
        callback = TreeringCallback(sender=Sender(address, bounds=Bounds(max_items=50, timeout_s=30, exit_s=0.2)))
        began = time.perf_counter()
        for _ in range(20):
            out = agent([call(), AIMessage("done")]).invoke(
                {"messages": [HumanMessage("hi")]}, {"callbacks": [callback]}
            )
            assert out["messages"][-1].content == "done"
        assert time.perf_counter() - began < 20
        assert callback.sender.dropped > 0
        assert callback.errors == 0
        callback.sender.close(0)


def test_faults_of_the_callback_stay_its_own(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Sender):
        def span(self, *_: Any) -> bool:
            raise RuntimeError("broken")

    callback = TreeringCallback(sender=Broken(down(), bounds=QUICK))
    assert ParrotFakeChatModel().invoke("hi", {"callbacks": [callback]}).content == "hi"
    assert callback.errors == 1
    callback.on_chat_model_start(None, None, run_id=uuid4(), metadata={"ls_provider": object()})  # type: ignore[arg-type]
    callback.on_retriever_end([object()], run_id=uuid4())  # type: ignore[list-item]
    assert callback.errors == 1
