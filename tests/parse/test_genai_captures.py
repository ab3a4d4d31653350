"""Recordings of AI senders through the running server, field by field.

What is expected of each span is read off its recording here, by the names of its sender, without treering's tables.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.parse.llm_rows import as_call, ask, fields
from tests.receive.recordings import recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving import Server

Attributes = dict[str, Any]
USAGE = "gen_ai.usage."
NUMBERS = ("input_tokens", "output_tokens", "total_tokens", "cache_read.input_tokens", "reasoning.output_tokens")
FIELDS = (
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model",
    "gen_ai.response.id", "gen_ai.response.finish_reasons", "gen_ai.request.temperature", "gen_ai.request.max_tokens",
    *(USAGE + name for name in NUMBERS), "gen_ai.conversation.id", "user.id", "error.type", "gen_ai.tool.name",
    "gen_ai.agent.name", "gen_ai.retrieval.query.text", "db.system.name", "treering.dialect",
)  # fmt: skip
WORDS = {"tool_calls": "tool_call"}


def plain(value: dict[str, Any]) -> Any:
    """Return an OTLP value in JSON as Python data."""
    ((kind, held),) = value.items() if value else (("none", None),)
    if kind == "arrayValue":
        return [plain(item) for item in held.get("values", [])]
    if kind == "kvlistValue":
        return {item["key"]: plain(item["value"]) for item in held.get("values", [])}
    return int(held) if kind == "intValue" else held


def spans(folder: Path) -> Iterator[tuple[str, Attributes, dict[str, Any]]]:
    """Yield id, attributes and the whole of each recorded span."""
    for one in recordings(folder):
        for group in (one.otlp or {}).get("resourceSpans", []):
            for scoped in group["scopeSpans"]:
                for span in scoped["spans"]:
                    held = {item["key"]: plain(item["value"]) for item in span.get("attributes", [])}
                    yield base64.b64decode(span["spanId"]).hex(), held, span


def exception(span: dict[str, Any]) -> str | None:
    """Return the type that a span's exception event names."""
    for event in span.get("events", []):
        for item in event.get("attributes", []):
            if item["key"] == "exception.type":
                return str(plain(item["value"]))
    return None


def failed(span: dict[str, Any]) -> bool:
    return bool(span.get("status", {}).get("code") == "STATUS_CODE_ERROR")


def reasons(held: Any) -> list[str] | None:
    texts = json.loads(held) if isinstance(held, str) else held
    return [WORDS.get(text, text) for text in texts] if texts else None


def official(held: Attributes, span: dict[str, Any]) -> Attributes:
    found = {name: held.get(name) for name in FIELDS if name.startswith(("gen_ai.", "user.", "error."))}
    found["gen_ai.provider.name"] = held.get("gen_ai.provider.name", held.get("gen_ai.system"))
    found["gen_ai.response.finish_reasons"] = reasons(held.get("gen_ai.response.finish_reasons"))
    if failed(span) and found["error.type"] is None:
        found["error.type"] = exception(span)
    return found


def known(text: Any) -> Any:
    return None if text in {"unknown", "langchain", "langgraph"} else text


def openllmetry(held: Attributes, span: dict[str, Any]) -> Attributes:
    found = official(held, span)
    properties = "traceloop.association.properties."
    model = known(held.get("gen_ai.request.model")) or held.get(properties + "ls_model_name")
    operation = held.get("gen_ai.operation.name")
    found |= {
        "gen_ai.provider.name": known(held.get("gen_ai.provider.name")),
        "gen_ai.request.model": model,
        "gen_ai.response.model": known(held.get("gen_ai.response.model")),
        "gen_ai.operation.name": "retrieval" if operation == "vector_db_retrieve" else operation,
        "gen_ai.conversation.id": held.get("gen_ai.conversation.id")
        or held.get(properties + "session_id")
        or held.get(properties + "thread_id"),
        "user.id": held.get(properties + "user_id"),
        "gen_ai.agent.name": held.get("gen_ai.agent.name") or held.get(properties + "lc_agent_name"),
    }
    if operation == "vector_db_retrieve":
        found["gen_ai.retrieval.query.text"] = json.loads(held["traceloop.entity.input"])["query"]
    return found


KINDS = {"LLM": "chat", "EMBEDDING": "embeddings", "RETRIEVER": "retrieval", "TOOL": "execute_tool"}


def ended(answer: Any) -> Any:
    """Return why an answer of the Responses API ended."""
    said = json.loads(answer) if answer and answer[0] == "{" else {}
    return "stop" if (said.get("object"), said.get("status")) == ("response", "completed") else None


def openinference(held: Attributes, span: dict[str, Any]) -> Attributes:
    kind = held["openinference.span.kind"]
    metadata = json.loads(held.get("metadata", "{}"))
    settings = json.loads(held.get("llm.invocation_parameters", held.get("embedding.invocation_parameters", "{}")))
    finish = held.get("llm.finish_reason") or ended(held.get("output.value"))
    asked = settings.get("model", settings.get("model_name")) or metadata.get("ls_model_name")
    return {
        "gen_ai.operation.name": {**KINDS, "AGENT": "invoke_agent"}.get(kind),
        "gen_ai.provider.name": held.get("llm.provider", held.get("llm.system")),
        "gen_ai.request.model": asked,
        "gen_ai.response.model": held.get("llm.model_name", held.get("embedding.model_name")),
        "gen_ai.request.temperature": settings.get("temperature"),
        "gen_ai.request.max_tokens": settings.get("max_tokens"),
        "gen_ai.response.finish_reasons": reasons([finish] if finish else None),
        USAGE + "input_tokens": held.get("llm.token_count.prompt"),
        USAGE + "output_tokens": held.get("llm.token_count.completion"),
        USAGE + "total_tokens": held.get("llm.token_count.total"),
        USAGE + "cache_read.input_tokens": held.get("llm.token_count.prompt_details.cache_read"),
        USAGE + "reasoning.output_tokens": held.get("llm.token_count.completion_details.reasoning"),
        "gen_ai.conversation.id": held.get("session.id"),
        "user.id": metadata.get("user_id"),
        "error.type": exception(span) if failed(span) else None,
        "gen_ai.tool.name": held.get("tool.name"),
        "gen_ai.retrieval.query.text": held.get("input.value") if kind == "RETRIEVER" else None,
    }


def langfuse(held: Attributes, span: dict[str, Any]) -> Attributes:
    prefix = "langfuse.observation."
    kind = held[prefix + "type"]
    usage = json.loads(held.get(prefix + "usage_details", "{}"))
    model = held.get(prefix + "model.name")
    return {
        "gen_ai.operation.name": {"generation": "chat", "retriever": "retrieval"}.get(kind),
        "gen_ai.request.model": model,
        "gen_ai.response.model": None if held.get(prefix + "level") == "ERROR" else model,
        USAGE + "input_tokens": usage.get("prompt_tokens"),
        USAGE + "output_tokens": usage.get("completion_tokens"),
        USAGE + "total_tokens": usage.get("total_tokens"),
        USAGE + "cache_read.input_tokens": usage.get("prompt_tokens_details", {}).get("cached_tokens"),
        "gen_ai.retrieval.query.text": held[prefix + "input"] if kind == "retriever" else None,
        "error.type": "429" if failed(span) else None,
    }


def litellm(held: Attributes, span: dict[str, Any]) -> Attributes:
    found = official(held, span)
    usage = held.get("metadata.usage_object", "") if "gen_ai.operation.name" in held else ""
    cached = re.search(r"'cached_tokens': (\d+)", usage)
    thought = re.search(r"'reasoning_tokens': (\d+)", usage)
    found[USAGE + "cache_read.input_tokens"] = int(cached[1]) if cached else None
    found[USAGE + "reasoning.output_tokens"] = int(thought[1]) if thought else None
    return found


def vectors(held: Attributes, span: dict[str, Any]) -> Attributes:
    retrieves = held["db.operation"] in {"query", "peek"}
    return {
        "db.system.name": held["db.system"].lower(),
        "gen_ai.operation.name": "retrieval" if retrieves else None,
        "error.type": held.get("error.type", exception(span)),
    }


READERS: dict[str, Callable[[Attributes, dict[str, Any]], Attributes]] = {
    "langfuse": langfuse,
    "litellm": litellm,
    "openinference-langchain": openinference,
    "openinference-openai": openinference,
    "openllmetry-langchain": openllmetry,
    "otel-genai-openai-content": official,
    "otel-openai-v2-content": official,
    "vec-chromadb": vectors,
}


def send(server: Server, folder: Path) -> None:
    for one in recordings(folder):
        if one.otlp is not None:
            assert server.replay(one.method, one.path, one.headers, one.body).status == 200


@pytest.mark.parametrize("capture", READERS)
def test_every_field_of_every_span(capture: str, server: Server, shared: Path) -> None:
    folder = shared / "captures" / capture
    send(server, folder)
    stored = {row["spanId"]: row for row in ask(server, f"source=spans | fields spanId, {fields(FIELDS)}")}
    expected = {identity: READERS[capture](held, span) for identity, held, span in spans(folder)}
    assert stored.keys() == expected.keys()
    for identity, wanted in expected.items():
        assert {name: stored[identity][f"attributes.{name}"] for name in wanted} == wanted
    calls = {row["spanId"] for row in ask(server, "source=llm | fields spanId")}
    chats = {
        identity for identity, wanted in expected.items() if wanted["gen_ai.operation.name"] in {"chat", "embeddings"}
    }
    assert calls == chats


CONTENT = ("gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")


def texts(held: Any) -> list[str]:
    """Return all texts of recorded messages or instructions, in their order."""
    found = []
    for item in json.loads(held) if held else []:
        for part in item.get("parts", [item]):
            if part["type"] == "text":
                found.append(part["content"])
            elif part["type"] == "tool_call_response":
                answer = part.get("response", part.get("result"))
                found.append(answer if isinstance(answer, str) else json.dumps(answer))
    return found


def indexed(held: Attributes, prefix: str) -> list[str]:
    """Return the texts of OpenInference's flattened messages."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.message\.(?:content|contents\.\d+\.message_content\.text)")
    found = [(int(match[1]), value) for name, value in held.items() if (match := pattern.fullmatch(name))]
    return [value for _, value in sorted(found)]


def chat(held: Any) -> list[str]:
    messages = json.loads(held) if held and held[0] in "[{" else [{"content": held}] if held else []
    return [item["content"] for item in (messages if isinstance(messages, list) else [messages])]


def flattened(held: Attributes) -> tuple[list[str], list[str]]:
    return indexed(held, "llm.input_messages"), indexed(held, "llm.output_messages")


def observed(held: Attributes) -> tuple[list[str], list[str]]:
    return chat(held.get("langfuse.observation.input")), chat(held.get("langfuse.observation.output"))


SAID: dict[str, Callable[[Attributes], tuple[list[str], list[str]]]] = {
    "langfuse": observed,
    "openinference-langchain": flattened,
    "openinference-openai": flattened,
}


def by_conventions(held: Attributes) -> tuple[list[str], list[str]]:
    asked = texts(held.get("gen_ai.system_instructions")) + texts(held.get("gen_ai.input.messages"))
    return asked, texts(held.get("gen_ai.output.messages"))


@pytest.mark.parametrize("capture", [name for name in READERS if name != "vec-chromadb"])
def test_every_text_of_every_call(capture: str, server: Server, shared: Path) -> None:
    folder = shared / "captures" / capture
    send(server, folder)
    stored = {row["spanId"]: as_call(row) for row in ask(server, f"source=llm | fields spanId, {fields(CONTENT)}")}
    recorded = {identity: held for identity, held, _ in spans(folder)}
    events = said_in_events(folder)
    for identity, found in stored.items():
        asked = [*found.system, *(message.text for message in found.input if message.text)]
        answered = [message.text for message in found.output if message.text]
        if capture == "otel-openai-v2-content":
            wanted = events.get(identity, ([], []))
        else:
            wanted = SAID.get(capture, by_conventions)(recorded[identity])
        assert (asked, answered) == tuple([text for text in side if text] for side in wanted)
    assert any(found.output for found in stored.values())


def said_in_events(folder: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Return what log events say of each span: what was asked, what was answered."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for one in recordings(folder):
        for group in (one.otlp or {}).get("resourceLogs", []):
            for record in (record for scoped in group["scopeLogs"] for record in scoped["logRecords"]):
                body = plain(record.get("body", {})) or {}
                sides = found.setdefault(base64.b64decode(record["spanId"]).hex(), ([], []))
                if record["eventName"] == "gen_ai.choice":
                    sides[1].append(body["message"].get("content", ""))
                else:
                    sides[0].append(body.get("content", ""))
    return found
