"""LiteLLM's own spans: `litellm_request`, who asked in `metadata.*`, and a child with the raw exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "litellm"
_KEY = "metadata.user_api_key_"


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says beyond the conventions' names."""
    found: dict[str, Any] = {
        "user.id": facts.get(_KEY + "end_user_id") or facts.get(_KEY + "user_id") or None,
        "gen_ai.request.stream": {"True": True, "False": False}.get(str(facts.get("llm.is_streaming"))),
    }
    if not facts.get("gen_ai.operation.name"):
        return found
    usage = content.literal(facts.get("metadata.usage_object"))
    if isinstance(usage, dict):
        for group, key, name in (
            ("prompt_tokens_details", "cached_tokens", "gen_ai.usage.cache_read.input_tokens"),
            ("completion_tokens_details", "reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
        ):
            details = usage.get(group)
            value = details.get(key) if isinstance(details, dict) else None
            found[name] = value if type(value) is int else None
    return found
