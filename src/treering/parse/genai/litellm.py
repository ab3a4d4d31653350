"""LiteLLM: its spans (`litellm_request`, who asked in `metadata.*`, a child with the raw exchange), its JSON logs.

The JSON logs are its callbacks' `StandardLoggingPayload` (to S3, GCS, a webhook, a file).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content
from treering.parse.genai.documents import Found, Kindred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

NAME = "litellm"
_KEY = "metadata.user_api_key_"


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says beyond the conventions' names."""
    named = str(facts.get("litellm.provider.model") or "")
    found: dict[str, Any] = {
        "gen_ai.operation.name": _CALLS.get(str(facts.get("llm.request.type")))
        if facts.get("litellm.call_id")
        else None,
        "gen_ai.provider.name": named.partition("/")[0] if "/" in named else None,
        "user.id": facts.get(_KEY + "end_user_id") or facts.get(_KEY + "user_id") or facts.get("llm.user") or None,
        "gen_ai.request.stream": {"True": True, "False": False}.get(str(facts.get("llm.is_streaming"))),
    }
    if not (facts.get("gen_ai.operation.name") or found["gen_ai.operation.name"]):
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


_CALLS = {"completion": "chat", "acompletion": "chat", "text_completion": "text_completion", "embedding": "embeddings",
          "atext_completion": "text_completion", "aembedding": "embeddings", "responses": "chat", "aresponses": "chat",
          "anthropic_messages": "chat", "generate_content": "generate_content"}  # fmt: skip


def read(payload: Mapping[str, Any]) -> Found | None:
    """Return what a `StandardLoggingPayload` says; None for other documents."""
    operation = _CALLS.get(str(payload.get("call_type")))
    if operation is None:
        return None
    held = payload.get("metadata")
    metadata = held if isinstance(held, dict) else {}
    error = payload.get("error_information")
    failed = payload.get("status") == "failure" or bool(payload.get("error_str"))
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": payload.get("custom_llm_provider"),
        "gen_ai.request.model": payload.get("model_group") or payload.get("model"),
        "gen_ai.response.model": None if failed else payload.get("model"),
        "gen_ai.response.id": payload.get("id"),
        "gen_ai.request.stream": payload.get("stream"),
        "gen_ai.usage.input_tokens": payload.get("prompt_tokens"),
        "gen_ai.usage.output_tokens": payload.get("completion_tokens"),
        "gen_ai.usage.total_tokens": payload.get("total_tokens"),
        "user.id": payload.get("end_user") or metadata.get("user_api_key_user_id") or None,
        "gen_ai.conversation.id": payload.get("session_id") or None,
        "error.type": error.get("error_class") if isinstance(error, dict) else None,
    }
    if said := content.messages(payload.get("messages")):
        attributes["gen_ai.input.messages"] = content.text(said)
    response = content.read(payload.get("response"))
    choices = response.get("choices") if isinstance(response, dict) else None
    if said := content.messages(choices if isinstance(choices, list) else None):
        attributes["gen_ai.output.messages"] = content.text(said)
        finishes = [item.get("finish_reason") for item in said]
        attributes["gen_ai.response.finish_reasons"] = content.reasons(finishes)
    found = Found(attributes, payload.get("startTime"), payload.get("endTime"), failed=failed)
    found.fields = {"traceId": payload.get("trace_id") or None}
    return found


KIND = Kindred("litellm", ("call_type", "model", "startTime"), read)
