"""Where on the real time line the simulated clock stands.

The day opens at 18:00 and ends at 18:00 on the simulated clock, so the night of training comes first and the
analyst's day last. A day shorter than 24 hours runs the same clock faster; earlier days of a longer one are quiet.
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

OPENING = 18.0
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS

_HOURLY = (22, 18, 15, 14, 15, 19, 30, 52, 78, 96, 100, 97, 84, 90, 98, 95, 88, 74, 58, 48, 42, 38, 33, 27)
"""Requests by hour of the day, in percent of the busiest one."""


class Story(StrEnum):
    """What happens on the last day; the values are the ids of the incidents."""

    TRAINING = "training-nan"
    CRASH = "vllm-crash-loop"
    LATENCY = "support-latency"
    PROVIDER = "provider-errors"
    DIRECT = "injection-direct"
    POISON = "injection-document"
    DRIFT = "support-model-swap"
    SPEND = "agent-spend-loop"
    INDEX = "people-hallucination"
    THEFT = "vector-cross-tenant"


STORY_HOURS: dict[Story, tuple[float, float]] = {
    Story.TRAINING: (3.1, 3.6),
    Story.CRASH: (5.7, 6.45),
    Story.LATENCY: (8.93, 10.2),
    Story.PROVIDER: (9.35, 9.85),
    Story.DIRECT: (10.5, 11.4),
    Story.POISON: (10.3, 11.7),
    Story.DRIFT: (12.0, 13.7),
    Story.SPEND: (12.25, 12.95),
    Story.INDEX: (12.8, 14.0),
    Story.THEFT: (14.1, 14.8),
}
"""Begin and end on the simulated clock, in hours."""


def stream(seed: int, name: str) -> random.Random:
    """Return the random stream `name`; the same in every process, whatever PYTHONHASHSEED is."""
    return random.Random(f"{seed}/{name}")  # noqa: S311  a simulation has to be repeatable


class DayClock:
    """Maps hours of the simulated clock to nanoseconds since 1970-01-01 UTC and back."""

    def __init__(self, start_ns: int, end_ns: int, stories: Collection[Story] = tuple(Story)) -> None:
        """Let the last day end at `end_ns`; it lasts 24 hours, or all of a shorter time. Only `stories` happen."""
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.length_ns = min(end_ns - start_ns, DAY_NS)
        self.begin_ns = end_ns - self.length_ns
        self.stories = frozenset(stories)
        self._windows = {
            story: (self.at(first), self.at(last)) if story in self.stories else (end_ns + DAY_NS, end_ns + DAY_NS)
            for story, (first, last) in STORY_HOURS.items()
        }

    @property
    def pace(self) -> float:
        """Real time by simulated time: 1 for a whole day, less for a shorter one."""
        return self.length_ns / DAY_NS

    def at(self, hour: float) -> int:
        """Return when the clock shows `hour` on the last day."""
        return self.begin_ns + round((hour - OPENING) % 24 / 24 * self.length_ns / 1e6) * 1_000_000

    def hour(self, at_ns: int) -> float:
        """Return the hour that the clock shows at `at_ns`."""
        return ((at_ns - self.begin_ns) / self.length_ns * 24 + OPENING) % 24

    def window(self, story: Story) -> tuple[int, int]:
        """Return begin and end of a story; both lie after the day where it does not happen."""
        return self._windows[story]

    def during(self, story: Story, at_ns: int) -> bool:
        """Return whether `at_ns` lies within the story."""
        first, last = self._windows[story]
        return first <= at_ns < last

    def load(self, at_ns: int) -> float:
        """Return how busy the platform is; the mean over a day is 1. Weekends among earlier days are calmer."""
        hour = self.hour(at_ns)
        low, share = int(hour), hour % 1
        level = _HOURLY[low] * (1 - share) + _HOURLY[(low + 1) % 24] * share
        days_back = (self.end_ns - at_ns - 1) // DAY_NS if self.length_ns == DAY_NS else 0
        weekend = 0.4 if days_back % 7 in (2, 3) else 1.0
        return level * 24 / sum(_HOURLY) * weekend
