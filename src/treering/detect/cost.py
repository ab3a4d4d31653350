"""Model calls that cost more than usual, by model and service.

US dollars of each call as treering priced it (`attributes.treering.cost.usd`), in windows of a minute; judged as
`latency` judges seconds. A call without a known price is not seen. How much is spent in all is the business of `spend`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.detect._levels import Levels
from treering.detect._measured import Measured, about
from treering.stage.detector import Example

if TYPE_CHECKING:
    from treering.detect._calls import Calls
    from treering.detect._series import Series

NAME = "cost"
ORDER_FREE = False


class Config(Levels, frozen=True):
    """When calls are expensive."""


def _costs(batch: Calls) -> Any:
    return batch.costs


def _title(series: Series, usual: float, now: float) -> str:
    return f"a call of {about(series)} costs ${now:.3g}, usually ${usual:.3g}"


class Cost(Measured):
    """Follows dollars a call."""

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        super().__init__(NAME, config, (("attributes.treering.cost.usd",), _costs), "more_expensive", _title)


def build(config: Config) -> Cost:
    """Return the detector."""
    return Cost(config)


def _calls(minutes: int, dear_from: int) -> list[dict[str, Any]]:
    """Return two model calls a minute of about a cent, and of five cents from the minute `dear_from` on."""
    return [
        {
            "@timestamp": 1_772_000_000_000_000_000 + number * 30 * 10**9,
            "serviceName": "agent",
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m-1",
                "treering.cost.usd": (0.008 + number * 37 % 200 / 50_000) * (5 if number >= dear_from * 2 else 1),
            },
        }
        for number in range(minutes * 2)
    ]


EXAMPLES = (
    Example("calls become five times as expensive", "spans", _calls(150, 140), ("more_expensive",), 120),
    Example("calls that stay as they are", "spans", _calls(150, 150), (), 120),
)
