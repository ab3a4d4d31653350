"""Calls that take longer than usual, by endpoint, model, tool and service.

Sees durations of spans and of access lines, in windows of a minute by the end of the call. The default method treats
few calls as counts and compares with the same time of day where three days are known (see `_levels`); what happens
within the first hour of a series is only learnt. A rise is told when the median is up by 60 % and two windows in
a row show it, or one does and no call comes for two minutes.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from treering.detect._calls import STREAMS
from treering.detect._levels import Levels
from treering.detect._measured import Measured, about
from treering.stage.detector import Example

if TYPE_CHECKING:
    from treering.detect._calls import Calls
    from treering.detect._series import Series

NAME = "latency"
ORDER_FREE = False


class Config(Levels, frozen=True):
    """When calls are slow."""

    stands: Annotated[
        int, Meta(ge=0, le=60, description="minutes without calls after a slow one, after which it is told; 0: never")
    ] = 2


def _seconds(batch: Calls) -> Any:
    return batch.seconds


class Latency(Measured):
    """Follows durations."""

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        fields = ("durationInNanos", "attributes.http.server.request.duration")
        super().__init__(NAME, config, (fields, _seconds), "slow", _title, STREAMS)


def _title(series: Series, usual: float, now: float) -> str:
    return f"{about(series)} takes {now:.3g} s, usually {usual:.3g} s"


def build(config: Config) -> Latency:
    """Return the detector."""
    return Latency(config)


def _calls(minutes: int, slow_from: int) -> list[dict[str, Any]]:
    """Return three calls a minute that take about a second, and five from the minute `slow_from` on."""
    chance = random.Random(4)  # noqa: S311  an example has to be repeatable
    found: list[dict[str, Any]] = []
    for number in range(minutes * 3):
        took = chance.lognormvariate(0, 0.3) * (5 if number >= slow_from * 3 else 1)
        start = 1_772_000_000_000_000_000 + number * 20 * 10**9
        found.append(
            {
                "@timestamp": start,
                "serviceName": "shop",
                "name": "POST /answer",
                "kind": "SPAN_KIND_SERVER",
                "durationInNanos": int(took * 1e9),
                "attributes": {"http.route": "/answer"},
            }
        )
    return found


EXAMPLES = (
    Example("an endpoint becomes five times slower", "spans", _calls(150, 140), ("slow",), 120),
    Example("an endpoint stays as it is", "spans", _calls(150, 150), (), 120),
)
