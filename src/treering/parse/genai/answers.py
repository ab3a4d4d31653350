"""The whole answer of a model's API as JSON, as some senders attach it: its id, model, finish reasons and counts.

Known are the bodies of OpenAI's Chat Completions and Responses, of Anthropic's Messages and of Gemini's
`generateContent`. Source: the API references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, langfuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IDS = ("id", "response_id", "responseId")
_MODELS = ("model", "model_version", "modelVersion")
_INPUT = "gen_ai.usage.input_tokens"


def read(value: Any) -> dict[str, Any]:
    """Return what an answer says, under canonical names; an empty dict for what is none."""
    body = content.members(value)
    if isinstance(body.get("raw"), dict):  # a framework's answer, with that of the API inside
        body = body["raw"]
    finishes = list(_finishes(body))
    if not finishes:
        return {}
    return {
        "gen_ai.response.id": _text(body, _IDS),
        "gen_ai.response.model": _text(body, _MODELS),
        "gen_ai.response.finish_reasons": content.reasons(finishes),
        **_usage(body.get("usage")),
    }


def _finishes(body: Mapping[str, Any]) -> Iterator[Any]:
    """Yield why each answer in a body ended; nothing when the body is none of a model's API."""
    for key in ("choices", "candidates"):
        listed = body.get(key)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                yield one.get("finish_reason") or one.get("finishReason")
    if body.get("type") == "message" and "stop_reason" in body:
        yield body["stop_reason"]
    output = body.get("output")
    if body.get("object") == "response" and isinstance(output, list):
        asks = any(isinstance(one, dict) and one.get("type") == "function_call" for one in output)
        yield "tool_call" if asks else body.get("status")


def _usage(held: Any) -> dict[str, Any]:
    found = langfuse.usage(held)
    if isinstance(held, dict) and "cache_read_input_tokens" in held and _INPUT in found:
        found.pop(_INPUT)  # Anthropic's leaves out what was cached
        found.pop("gen_ai.usage.total_tokens", None)
    return found


def _text(body: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if isinstance(value := body.get(name), str) and value), None)
