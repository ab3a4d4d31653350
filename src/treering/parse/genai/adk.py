"""Google's Agent Development Kit: `gcp.vertex.agent.*`, requests and answers of the Gemini API as JSON.

Source: google/adk-python, src/google/adk/telemetry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treering.parse.genai.facts import Facts

NAME = "adk"
_OURS = "gcp.vertex.agent."
_TOKENS = (
    ("prompt_token_count", "gen_ai.usage.input_tokens"),
    ("candidates_token_count", "gen_ai.usage.output_tokens"),
    ("total_token_count", "gen_ai.usage.total_tokens"),
    ("cached_content_token_count", "gen_ai.usage.cache_read.input_tokens"),
    ("thoughts_token_count", "gen_ai.usage.reasoning.output_tokens"),
)


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    asked = content.members(facts.get(_OURS + "llm_request"))
    answered = content.members(facts.get(_OURS + "llm_response"))
    operation = values.operation(str(facts.get("gen_ai.operation.name") or ""))
    operation = operation or ("generate_content" if asked else None)
    found: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.conversation.id": facts.get("gen_ai.conversation.id", _OURS + "session_id"),
    }
    if asked or answered:
        return found | _call(asked, answered)
    if operation == "execute_tool":
        found["gen_ai.tool.call.arguments"] = facts.get(_OURS + "tool_call_args")
        found["gen_ai.tool.call.result"] = facts.get(_OURS + "tool_response")
    return found


def _call(asked: Mapping[str, Any], answered: Mapping[str, Any]) -> dict[str, Any]:
    config = content.members(asked.get("config"))
    usage = content.members(answered.get("usage_metadata"))
    found = {name: value for key, name in _TOKENS if type(value := usage.get(key)) is int}
    made: dict[str, Any] = {"gen_ai.request.model": asked.get("model"), **found}
    for name, key, kind in (("temperature", "temperature", float), ("max_tokens", "max_output_tokens", int)):
        made[f"gen_ai.request.{name}"] = value if type(value := config.get(key)) is kind else None
    if (system := config.get("system_instruction")) is not None:
        made["gen_ai.system_instructions"] = content.text([content.text_part(said) for said in _texts(system)])
    contents = asked.get("contents")
    if said := [_message(item) for item in contents if isinstance(item, dict)] if isinstance(contents, list) else []:
        made["gen_ai.input.messages"] = content.text(said)
    finish = answered.get("finish_reason")
    if isinstance(answer := answered.get("content"), dict):
        made["gen_ai.output.messages"] = content.text([_message({"role": "model", **answer}, finish)])
    made["gen_ai.response.finish_reasons"] = content.reasons([finish])
    return made


def _message(item: Mapping[str, Any], finish: Any = None) -> dict[str, Any]:
    held = item.get("parts")
    parts = [_part(part) for part in held if isinstance(part, dict)] if isinstance(held, list) else []
    return content.message(item.get("role") or "user", parts, finish)


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    call, answer = part.get("function_call"), part.get("function_response")
    if isinstance(call, dict):
        return content.call_part(call.get("name"), call.get("args"), call.get("id"))
    if isinstance(answer, dict):
        return content.answer_part(answer.get("response"), answer.get("id"))
    return content.text_part(part["text"]) if "text" in part else dict(part)


def _texts(system: Any) -> Iterable[Any]:
    parts = system.get("parts") if isinstance(system, dict) else None
    return [part.get("text", part) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else [system]
