"""Amazon Bedrock's model invocation logs, as they come from CloudWatch Logs or S3.

Source: the Bedrock user guide, "Model invocation logging" (schema `ModelInvocationLog` 1.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content
from treering.parse.genai.documents import Found, Kindred

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMBEDDINGS = ("amazon.titan-embed", "cohere.embed", "amazon.nova-2-multimodal-embeddings")


def read(document: Mapping[str, Any]) -> Found | None:
    """Return what an invocation log says; None for other documents."""
    if document.get("schemaType") != "ModelInvocationLog":
        return None
    model = str(document.get("modelId") or "").rpartition("/")[2]
    asked, answered = _side(document, "input"), _side(document, "output")
    identity = document.get("identity")
    error = document.get("errorCode")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "embeddings" if model.startswith(_EMBEDDINGS) else "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": model or None,
        "gen_ai.response.id": document.get("requestId"),
        "gen_ai.request.stream": True if "Stream" in str(document.get("operation")) else None,
        "user.id": identity.get("arn") if isinstance(identity, dict) else None,
        "error.type": error if isinstance(error, str) else None,
        **_usage(document, answered),
        **_content(asked, answered),
    }
    metrics = answered.get("metrics") if isinstance(answered, dict) else None
    waited = metrics.get("latencyMs") if isinstance(metrics, dict) else None
    seconds = waited / 1000 if isinstance(waited, int | float) else None
    return Found(attributes, started=document.get("timestamp"), seconds=seconds, failed=bool(error))


def _side(document: Mapping[str, Any], name: str) -> Any:
    side = document.get(name)
    return side.get(f"{name}BodyJson") if isinstance(side, dict) else None


def _usage(document: Mapping[str, Any], answered: Any) -> dict[str, Any]:
    counts = {name: document.get(name) for name in ("input", "output")}
    inside = answered.get("usage") if isinstance(answered, dict) else None
    inside = inside if isinstance(inside, dict) else {}

    def count(side: str, *keys: str) -> Any:
        held = counts[side]
        outer = held.get(f"{side}TokenCount") if isinstance(held, dict) else None
        return outer if outer is not None else next((inside[key] for key in keys if key in inside), None)

    found = {
        "gen_ai.usage.input_tokens": count("input", "inputTokens", "input_tokens"),
        "gen_ai.usage.output_tokens": count("output", "outputTokens", "output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": inside.get(
            "cacheReadInputTokens", inside.get("cache_read_input_tokens")
        ),
        "gen_ai.usage.cache_write.input_tokens": inside.get(
            "cacheWriteInputTokens", inside.get("cache_creation_input_tokens")
        ),
    }
    return {name: value for name, value in found.items() if type(value) is int}


def _content(asked: Any, answered: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(asked, dict):
        system = asked.get("system")
        if system:
            parts = system if isinstance(system, list) else [system]
            texts = [part.get("text", "") if isinstance(part, dict) else str(part) for part in parts]
            found["gen_ai.system_instructions"] = content.text([content.text_part(text) for text in texts])
        said = content.messages(asked.get("messages")) or content.messages(
            asked.get("prompt") or asked.get("inputText")
        )
        found["gen_ai.input.messages"] = content.text(said) if said else None
        tools = asked.get("tools")
        found["gen_ai.tool.definitions"] = content.text(tools) if isinstance(tools, list) else None
    chunks = answered if isinstance(answered, list) else None
    held: Any = {"role": "assistant", "content": _streamed(chunks)} if chunks else answered
    if isinstance(held, dict):
        output = held.get("output")
        message = output.get("message") if isinstance(output, dict) else None
        finish = held.get("stopReason") or held.get("stop_reason")
        said = content.messages(message if isinstance(message, dict) else held if "content" in held else None)
        for item in said or ():
            if finish:
                item["finish_reason"] = finish
        found["gen_ai.output.messages"] = content.text(said) if said else None
        found["gen_ai.response.finish_reasons"] = content.reasons([finish])
    return found


def _streamed(chunks: list[Any]) -> str:
    """Return the text of a stream's chunks (Converse's and Anthropic's deltas)."""
    texts = []
    for chunk in chunks:
        held = chunk.get("contentBlockDelta", chunk) if isinstance(chunk, dict) else None
        delta = held.get("delta") if isinstance(held, dict) else None
        if isinstance(delta, dict) and isinstance(delta.get("text"), str):
            texts.append(delta["text"])
    return "".join(texts)


KIND = Kindred("bedrock", ("schemaType", "modelId"), read)
