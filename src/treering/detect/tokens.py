"""Model calls that take more tokens than usual, by model and service.

Input and output tokens of each call together, in windows of a minute; judged as `latency` judges seconds. Calls whose
sender counted no tokens are not seen, nor is a shift between input and output (see `drift`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.detect._levels import Levels
from treering.detect._measured import Measured, about
from treering.stage.detector import Example

if TYPE_CHECKING:
    from treering.detect._calls import Calls
    from treering.detect._series import Series

NAME = "tokens"
ORDER_FREE = False


class Config(Levels, frozen=True):
    """When calls are large."""


def _tokens(batch: Calls) -> Any:
    return batch.tokens


def _title(series: Series, usual: float, now: float) -> str:
    return f"a call of {about(series)} takes {now:,.0f} tokens, usually {usual:,.0f}"


class Tokens(Measured):
    """Follows tokens a call."""

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        fields = ("attributes.gen_ai.usage.input_tokens", "attributes.gen_ai.usage.output_tokens")
        super().__init__(NAME, config, (fields, _tokens), "more_tokens", _title)


def build(config: Config) -> Tokens:
    """Return the detector."""
    return Tokens(config)


def _calls(minutes: int, large_from: int) -> list[dict[str, Any]]:
    """Return two model calls a minute of some 500 tokens, and of six times as many from the minute `large_from` on."""
    return [
        {
            "@timestamp": 1_772_000_000_000_000_000 + number * 30 * 10**9,
            "serviceName": "agent",
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m-1",
                "gen_ai.usage.input_tokens": (400 + number * 37 % 200) * (6 if number >= large_from * 2 else 1),
                "gen_ai.usage.output_tokens": 60,
            },
        }
        for number in range(minutes * 2)
    ]


EXAMPLES = (
    Example("a context that has grown", "spans", _calls(150, 140), ("more_tokens",), 120),
    Example("calls that stay as they are", "spans", _calls(150, 150), (), 120),
)
