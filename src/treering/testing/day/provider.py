"""Which calls of a model fail, and how."""

from __future__ import annotations

import random

from treering.testing.day.calls import ProviderError
from treering.testing.day.clock import DayClock, Story
from treering.testing.day.world import CLAUDE, VLLM_MODEL, Model

_BURST: tuple[tuple[ProviderError, int], ...] = (
    (
        ProviderError(
            "anthropic.RateLimitError",
            "Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': 'Number of request"
            " tokens has exceeded your per-minute rate limit'}}",
            429,
        ),
        5,
    ),
    (
        ProviderError(
            "anthropic.OverloadedError",
            "Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}",
            529,
        ),
        3,
    ),
    (
        ProviderError(
            "anthropic.InternalServerError",
            "Error code: 500 - {'type': 'error', 'error': {'type': 'api_error', 'message': 'Internal server error'}}",
            500,
        ),
        2,
    ),
)
_REFUSED = ProviderError("openai.APIConnectionError", "Connection error.", 503)
_ORDINARY = (
    ProviderError("openai.APITimeoutError", "Request timed out.", 504),
    ProviderError("openai.InternalServerError", "Error code: 502 - {'error': {'message': 'Bad gateway'}}", 502),
    ProviderError(
        "openai.RateLimitError",
        "Error code: 429 - {'error': {'message': 'Rate limit reached on tokens per min (TPM)', 'code':"
        " 'rate_limit_exceeded'}}",
        429,
    ),
)
BURST_SHARE = 0.62
_ORDINARY_SHARE = 0.004


def failure(
    model: Model, at_ns: int, clock: DayClock, down: list[tuple[int, int]], rng: random.Random
) -> tuple[ProviderError, Story | None] | None:
    """Return why the call at `at_ns` fails and the story it belongs to, or None. `down` are vLLM's outages."""
    if model.name == VLLM_MODEL and any(first <= at_ns < last for first, last in down):
        return _REFUSED, Story.CRASH
    if model.name == CLAUDE and clock.during(Story.PROVIDER, at_ns):
        if rng.random() < BURST_SHARE:
            error = rng.choices([kind for kind, _ in _BURST], [weight for _, weight in _BURST])[0]
            return error, Story.PROVIDER
        return None
    if rng.random() < _ORDINARY_SHARE:
        return rng.choice(_ORDINARY), None
    return None
