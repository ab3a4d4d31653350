"""vLLM's own spans: one `llm_request` for each completion, with `gen_ai.latency.*` and counts but no operation.

Source: vllm-project/vllm, vllm/tracing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "vllm"


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    if facts.get("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens") is None:
        return {}
    return {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": facts.get("gen_ai.response.model"),
        "gen_ai.response.id": facts.get("gen_ai.request.id"),
    }
