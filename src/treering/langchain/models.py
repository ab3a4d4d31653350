"""What a model was asked and what it answered, as GenAI attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.client.otlp import cut, to_json
from treering.langchain import messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.outputs import LLMResult

Attributes = dict[str, Any]
# LangChain's provider names (metadata `ls_provider`) to those of the GenAI conventions; others stay as they are.
_PROVIDERS = {
    "azure": "azure.ai.openai", "azure_openai": "azure.ai.openai", "azure_ai": "azure.ai.inference",
    "amazon_bedrock": "aws.bedrock", "bedrock": "aws.bedrock", "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini", "google_vertexai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai", "mistralai": "mistral_ai", "ibm": "ibm.watsonx.ai", "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai", "moonshot": "moonshot_ai",
}  # fmt: skip
# Invocation parameter, or LangChain's own `ls_…` name, to attribute.
_REQUEST = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens", "seed": "seed",
    "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty", "n": "choice.count",
}  # fmt: skip
_STOPS = ("finish_reason", "stop_reason", "done_reason")


def request(serialized: Any, metadata: Mapping[str, Any], kwargs: Mapping[str, Any]) -> Attributes:
    """Return provider, model and parameters of a call."""
    called: Mapping[str, Any] = kwargs.get("invocation_params") or {}
    built = serialized.get("kwargs") if isinstance(serialized, dict) else None
    built = built if isinstance(built, dict) else {}
    provider = metadata.get("ls_provider") or _provider_of(serialized)
    found: Attributes = {
        "gen_ai.provider.name": _PROVIDERS.get(str(provider).lower(), provider),
        "gen_ai.request.model": next(
            (name for name in _models(metadata, called, built) if isinstance(name, str) and name), None
        ),
    }
    for name, target in _REQUEST.items():
        value = called.get(name)
        value = metadata.get(f"ls_{name}") if value is None else value
        if isinstance(value, int | float):
            found[f"gen_ai.request.{target}"] = value
    stop = called.get("stop") or metadata.get("ls_stop")
    if stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if called.get("stream") or called.get("streaming"):
        found["gen_ai.request.stream"] = True
    if tools := called.get("tools") or called.get("functions"):
        found["gen_ai.tool.definitions"] = cut(to_json(tools))
    if isinstance(form := called.get("response_format"), dict) and "json" in str(form.get("type", "")):
        found["gen_ai.output.type"] = "json"
    return found


def _models(*places: Mapping[str, Any]) -> list[Any]:
    return [
        place.get(name)
        for place in places
        for name in ("ls_model_name", "model", "model_name", "model_id", "deployment_name")
    ]


def _provider_of(serialized: Any) -> str | None:
    """Return the package that a serialized class lies in: `[langchain, chat_models, openai, ChatOpenAI]`."""
    path = serialized.get("id") if isinstance(serialized, dict) else None
    return str(path[-2]) if isinstance(path, list) and len(path) >= 2 else None


def response(result: LLMResult, *, content: bool) -> Attributes:
    """Return messages, tokens, model, id and finish reasons of an answer."""
    found: Attributes = {}
    outputs, reasons = [], []
    about: dict[str, Any] = dict(result.llm_output or {})
    usage: Mapping[str, Any] | None = None
    for generation in [one for group in result.generations for one in group]:
        message = getattr(generation, "message", None)
        details = {**(generation.generation_info or {}), **(getattr(message, "response_metadata", None) or {})}
        reason = next((str(details[name]) for name in _STOPS if details.get(name)), None)
        about = {**about, **details}
        usage = usage or getattr(message, "usage_metadata", None)
        if reason:
            reasons.append(reason)
        if message is not None:
            outputs.append(messages.message(message, reason))
        else:
            outputs.append(
                {**messages.plain("assistant", generation.text), **({"finish_reason": reason} if reason else {})}
            )
    model = about.get("model_name") or about.get("model") or about.get("model_id")
    found["gen_ai.response.model"] = model if isinstance(model, str) else None
    found["gen_ai.response.id"] = about["id"] if isinstance(about.get("id"), str) else None
    found["gen_ai.response.finish_reasons"] = reasons or None
    if isinstance(tier := about.get("service_tier"), str):
        found["openai.response.service_tier"] = tier
    if content and outputs:
        found["gen_ai.output.messages"] = to_json(outputs)
    return found | (_usage(usage) if usage else _older_usage(about))


def _usage(usage: Mapping[str, Any]) -> Attributes:
    """Return tokens as LangChain counts them (`UsageMetadata`): input and output include all their details."""
    read, made = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    return {
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": read.get("cache_read"),
        "gen_ai.usage.cache_write.input_tokens": read.get("cache_creation"),
        "gen_ai.usage.audio.input_tokens": read.get("audio"),
        "gen_ai.usage.reasoning.output_tokens": made.get("reasoning"),
        "gen_ai.usage.audio.output_tokens": made.get("audio"),
    }


def _older_usage(about: Mapping[str, Any]) -> Attributes:
    """Return tokens from the provider's own report, under the names that providers use."""
    held = about.get("token_usage") or about.get("usage") or about.get("usage_metadata") or about
    if not isinstance(held, dict):
        return {}
    details = held.get("prompt_tokens_details") or held.get("input_tokens_details") or {}
    made = held.get("completion_tokens_details") or held.get("output_tokens_details") or {}
    return {
        "gen_ai.usage.input_tokens": _first(
            held, ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
        ),
        "gen_ai.usage.output_tokens": _first(
            held,
            ("completion_tokens", "output_tokens", "candidates_token_count", "generated_token_count", "eval_count"),
        ),
        "gen_ai.usage.cache_read.input_tokens": details.get("cached_tokens") or held.get("cache_read_input_tokens"),
        "gen_ai.usage.cache_write.input_tokens": held.get("cache_creation_input_tokens"),
        "gen_ai.usage.reasoning.output_tokens": made.get("reasoning_tokens"),
    }


def _first(held: Mapping[str, Any], names: Sequence[str]) -> int | None:
    return next((held[name] for name in names if type(held.get(name)) is int), None)
