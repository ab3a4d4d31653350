"""OpenLLMetry (Traceloop): `traceloop.*`, and before 0.50 messages flattened into `gen_ai.prompt.N.*`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, values, vectors
from treering.parse.genai.facts import INSTEAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

NAME = "openllmetry"
_ASSOCIATED = "traceloop.association.properties."
_FLAT = re.compile(r"(?:gen_ai|llm)\.(prompts?|completions?)\.(\d{1,5})\.(.+)")
_CALL = re.compile(r"tool_calls\.(\d{1,3})\.(id|name|arguments)")
_FUNCTIONS = re.compile(r"(?:gen_ai|llm)\.request\.functions\.(\d{1,3})\.(name|description|parameters)")
_KINDS = {"tool": "execute_tool", "agent": "invoke_agent", "workflow": "invoke_workflow"}
_CALLS = {"completion": "text_completion", "chat": "chat", "embedding": "embeddings", "rerank": "rerank"}
_CHUNK = "gen_ai.content.completion.chunk"


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    kind = facts.get("traceloop.span.kind")
    operation = values.operation(str(facts.get("gen_ai.operation.name") or ""))
    operation = operation or _CALLS.get(str(facts.get("llm.request.type")))
    found: dict[str, Any] = {
        "gen_ai.operation.name": operation or _KINDS.get(str(kind)),
        "gen_ai.conversation.id": facts.get(_ASSOCIATED + "session_id", _ASSOCIATED + "thread_id"),
        "user.id": facts.get(_ASSOCIATED + "user_id"),
        "gen_ai.request.model": facts.get(_ASSOCIATED + "ls_model_name"),
        "gen_ai.agent.name": facts.get(_ASSOCIATED + "lc_agent_name"),
        "gen_ai.response.time_to_first_chunk": facts.event(_CHUNK, "llm.content.completion.chunk"),
    }
    asked = content.read(facts.get("traceloop.entity.input"))
    answered = content.read(facts.get("traceloop.entity.output"))
    if found["gen_ai.operation.name"] == "execute_tool":
        found |= _tool(facts, asked, answered)
    elif operation == "retrieval":
        found |= _retrieval(asked, answered)
    if facts.get("db.system", "db.system.name") is not None:
        found |= vectors.derive(facts)
    return found | flat(facts.attributes)


def _tool(facts: Facts, asked: Any, answered: Any) -> dict[str, Any]:
    arguments = asked.get("inputs") if isinstance(asked, dict) else None
    result = answered.get("output") if isinstance(answered, dict) else None
    identity = None
    if isinstance(result, dict) and isinstance(result.get("kwargs"), dict):  # LangChain's serialised message
        identity, result = result["kwargs"].get("tool_call_id"), result["kwargs"].get("content")
    return {
        "gen_ai.tool.name": facts.get("traceloop.entity.name"),
        "gen_ai.tool.call.id": identity,
        # OpenLLMetry writes LangChain's whole callback under the conventions' names.
        f"{INSTEAD}gen_ai.tool.call.arguments": _said(arguments, facts.get("traceloop.entity.input")),
        f"{INSTEAD}gen_ai.tool.call.result": _said(result, facts.get("traceloop.entity.output")),
    }


def _said(found: Any, whole: Any) -> Any:
    if found is None:
        return whole
    return found if isinstance(found, str) else content.text(found)


def _retrieval(asked: Any, answered: Any) -> dict[str, Any]:
    query = asked.get("query") if isinstance(asked, dict) else None
    held = answered.get("documents") if isinstance(answered, dict) else None
    documents = [_document(item) for item in held if isinstance(item, dict)] if isinstance(held, list) else []
    return {
        "gen_ai.retrieval.query.text": query if isinstance(query, str) else None,
        "gen_ai.retrieval.documents": content.text(documents) if documents else None,
    }


def _document(item: Mapping[str, Any]) -> dict[str, Any]:
    document = {key: item[key] for key in ("id", "score", "metadata") if item.get(key) is not None}
    return {**document, "content": item.get("page_content", item.get("content", ""))}


def flat(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the messages and tools that older releases, and LangSmith, flatten."""
    sides: dict[str, dict[int, dict[str, Any]]] = {"prompt": {}, "completion": {}}
    tools: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if (place := _place(name)) is None:
            continue
        side, number, key = place
        if side == "tool":
            held = content.literal(value) if key == "parameters" else value
            tools.setdefault(number, {"type": "function"})[key] = held
        else:
            sides[side].setdefault(number, {})[key] = value
    found: dict[str, Any] = {}
    for side, target in (("prompt", "gen_ai.input.messages"), ("completion", "gen_ai.output.messages")):
        if made := [_message(sides[side][place], side) for place in sorted(sides[side])]:
            found[target] = content.text(made)
    finishes = [item["finish_reason"] for _, item in sorted(sides["completion"].items()) if item.get("finish_reason")]
    if finishes:
        found["gen_ai.response.finish_reasons"] = content.reasons(finishes)
    if tools:
        found["gen_ai.tool.definitions"] = content.text([tools[place] for place in sorted(tools)])
    return found


@lru_cache(16_384)
def _place(name: str) -> tuple[str, int, str] | None:
    """Return of which message or tool a flattened attribute is, and what of it; None for others."""
    if (match := _FLAT.fullmatch(name)) is not None:
        return match[1].removesuffix("s"), int(match[2]), match[3]
    match = _FUNCTIONS.fullmatch(name)
    return ("tool", int(match[1]), match[2]) if match is not None else None


def _message(item: Mapping[str, Any], side: str) -> dict[str, Any]:
    who = content.role(item.get("role")) or ("user" if side == "prompt" else "assistant")
    held = item.get("content")
    parsed = content.read(held) if isinstance(held, str) and held[:1] == "[" else None
    parts: list[dict[str, Any]] = []
    if who == "tool":
        parts.append(content.answer_part(held, item.get("tool_call_id")))
    elif isinstance(parsed, list) and (said := content.messages([{"role": who, "content": parsed}])):
        parts += said[0]["parts"]
    elif held:
        parts.append(content.text_part(held))
    calls: dict[int, dict[str, Any]] = {}
    for name, value in item.items():
        if (match := _CALL.fullmatch(name)) is not None:
            calls.setdefault(int(match[1]), {})[match[2]] = value
    if "function_call.name" in item:
        calls[0] = {"name": item["function_call.name"], "arguments": item.get("function_call.arguments")}
    parts += [
        content.call_part(call.get("name"), call.get("arguments"), call.get("id")) for _, call in sorted(calls.items())
    ]
    return content.message(who, parts, item.get("finish_reason"))
