"""Langfuse (SDK 3 and later, over OpenTelemetry): `langfuse.observation.*` with JSON in attributes of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

NAME = "langfuse"
_P = "langfuse.observation."
_OPERATIONS = {
    "generation": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
    "guardrail": "run_guardrail",
    "evaluator": "evaluate",
}
_USAGE = {
    "gen_ai.usage.input_tokens": ("prompt_tokens", "input_tokens", "input", "promptTokens"),
    "gen_ai.usage.output_tokens": ("completion_tokens", "output_tokens", "output", "completionTokens"),
    "gen_ai.usage.total_tokens": ("total_tokens", "total", "totalTokens"),
    "gen_ai.usage.cache_read.input_tokens": ("cache_read_input_tokens", "input_cached_tokens", "cached_tokens"),
    "gen_ai.usage.cache_write.input_tokens": ("cache_creation_input_tokens",),
    "gen_ai.usage.reasoning.output_tokens": ("output_reasoning_tokens", "reasoning_tokens"),
}


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the observation says, under canonical names."""
    attributes = facts.attributes
    kind = str(attributes.get(_P + "type") or attributes.get("langfuse.type") or "").lower()
    asked, answered = attributes.get(_P + "input"), attributes.get(_P + "output")
    found: dict[str, Any] = {
        "gen_ai.operation.name": _OPERATIONS.get(kind),
        "gen_ai.conversation.id": attributes.get("langfuse.session.id") or attributes.get("session.id"),
        "user.id": attributes.get("langfuse.user.id"),
        "gen_ai.prompt.name": attributes.get(_P + "prompt.name"),
    }
    if kind in {"generation", "embedding"}:
        found |= _call(attributes, asked, answered)
        began = content.read(attributes.get(_P + "completion_start_time"))
        found["gen_ai.response.time_to_first_chunk"] = facts.since_start(began)
    elif kind == "retriever":
        held = content.read(answered)
        found["gen_ai.retrieval.query.text"] = asked if isinstance(asked, str) else None
        found["gen_ai.retrieval.documents"] = content.text(held) if isinstance(held, list) else None
    elif kind == "tool":
        found |= {"gen_ai.tool.call.arguments": asked, "gen_ai.tool.call.result": answered}
    return found


def _call(attributes: Mapping[str, Any], asked: Any, answered: Any) -> dict[str, Any]:
    model = attributes.get(_P + "model.name")
    failed = attributes.get(_P + "level") == "ERROR"
    # What the API answered, or, when it did not, what it was asked for: the SDK has one name for both.
    found: dict[str, Any] = {"gen_ai.request.model": model, "gen_ai.response.model": None if failed else model}
    found |= usage(content.read(attributes.get(_P + "usage_details")))
    settings = content.read(attributes.get(_P + "model.parameters"))
    if isinstance(settings, dict):
        for name in ("temperature", "top_p"):
            if isinstance(value := settings.get(name), int | float):
                found[f"gen_ai.request.{name}"] = float(value)
        if isinstance(most := settings.get("max_tokens"), int):
            found["gen_ai.request.max_tokens"] = most
    held = content.read(asked)
    if isinstance(held, dict):
        found["gen_ai.tool.definitions"] = content.text(held["tools"]) if isinstance(held.get("tools"), list) else None
        held = held.get("input", held)
    if said := content.messages(asked if held is None else held):
        found["gen_ai.input.messages"] = content.text(said)
    held = content.read(answered)
    if isinstance(answered, str) and not isinstance(held, dict | list):
        held = {"role": "assistant", "content": answered}
    if said := content.messages(held):
        found["gen_ai.output.messages"] = content.text(said)
    if isinstance(finish := content.read(attributes.get(_P + "metadata.finish_reason")), str):
        found["gen_ai.response.finish_reasons"] = content.reasons([finish])
    return found


def usage(held: Any) -> dict[str, Any]:
    """Return token counts by their canonical names, from the usage object of an API or of an SDK."""
    if not isinstance(held, dict):
        return {}
    for details in ("prompt_tokens_details", "completion_tokens_details", "input_tokens_details",
                    "output_tokens_details"):  # fmt: skip
        if isinstance(inner := held.get(details), dict):
            held = {**inner, **held}
    found: dict[str, Any] = {}
    for name, keys in _USAGE.items():
        found[name] = next((held[key] for key in keys if type(held.get(key)) is int), None)
    return found
