"""A call of a model: how long it takes, what it costs in tokens, how its span looks.

Names follow the GenAI semantic conventions of OpenTelemetry (1.37 and later), messages in the parts format.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

from treering.testing.day.otlp import Value
from treering.testing.day.wording import tokens
from treering.testing.day.world import Model, User

Message = dict[str, Any]


class ProviderError(msgspec.Struct, frozen=True):
    """What a provider answers instead of a completion."""

    type: str
    message: str
    status: int


@dataclass(slots=True)
class Call:
    """One call of a model, as its span shows it."""

    model: Model
    system: str
    messages: list[Message]
    output: Message
    finish: str = "stop"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    first_token_s: float = 0.0
    duration_s: float = 0.0
    tools: str = ""
    extra: dict[str, Value] = field(default_factory=dict)


def text_message(role: str, text: str) -> Message:
    """Return a message of one text part."""
    return {"role": role, "parts": [{"content": text, "type": "text"}]}


def timed(call: Call, rng: random.Random, *, cached: bool = True, history_tokens: int = 0) -> Call:
    """Fill in tokens and times of `call`: log-normal, and about one in eighty far slower than the rest."""
    length = sum(tokens(part.get("content") or str(part)) for m in call.messages for part in m["parts"])
    call.input_tokens = tokens(call.system) + length + 24 + history_tokens
    call.output_tokens = sum(tokens(part.get("content") or str(part)) for part in call.output["parts"]) + 3
    if cached and rng.random() < 0.35:
        call.cached_tokens = call.input_tokens // 128 * 64
    first = call.model.first_token_s * rng.lognormvariate(0, 0.42) * (1 + call.input_tokens / 9000)
    if rng.random() < 0.012:
        first *= rng.uniform(3, 9)
    call.first_token_s = first
    call.duration_s = first + call.output_tokens / (call.model.rate * rng.lognormvariate(0, 0.18))
    return call


def chat_attributes(call: Call, user: User, conversation: str, response_id: str) -> dict[str, Value]:
    """Return the attributes of the span of `call`."""
    model = call.model
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.name,
        "gen_ai.conversation.id": conversation,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.stream": True,
        "server.address": model.host,
        "server.port": model.port,
        "user.id": user.id,
        "tenant.id": user.tenant,
        "gen_ai.system_instructions": _json([{"type": "text", "content": call.system}]),
        "gen_ai.input.messages": _json(call.messages),
    }
    if call.tools:
        attributes["gen_ai.tool.definitions"] = call.tools
    attributes |= call.extra
    if "error.type" in attributes:
        return attributes
    attributes |= {
        "gen_ai.response.model": model.response,
        "gen_ai.response.id": response_id,
        "gen_ai.response.finish_reasons": [call.finish],
        "gen_ai.response.time_to_first_chunk": round(call.first_token_s, 6),
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.output.messages": _json([call.output | {"finish_reason": call.finish}]),
    }
    if call.cached_tokens:
        attributes["gen_ai.usage.cache_read.input_tokens"] = call.cached_tokens
    return attributes


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
