"""The known day: one simulated day of an AI platform, the same for the same seed, with the truth about it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from treering.core.errors import UserError
from treering.model.times import format_ns
from treering.testing.day.agents import Agents
from treering.testing.day.attacks import Attacks
from treering.testing.day.changes import Changes
from treering.testing.day.clock import DAY_NS, DayClock, Story
from treering.testing.day.emission import Emission
from treering.testing.day.gateway import Gateway
from treering.testing.day.host import Host
from treering.testing.day.inference import Ollama, Vllm
from treering.testing.day.platform import Platform
from treering.testing.day.rag import Rag
from treering.testing.day.sessions import Sessions
from treering.testing.day.trainer import Trainer
from treering.testing.day.truth import Truth
from treering.testing.day.weaviate import Weaviate

_MINUTE_NS = 60_000_000_000
SHORTEST_DAYS = 0.05


class Day:
    """A day (or several) of records; iterate over it for what is sent, ask `truth` for what happened.

    Equal arguments give equal bytes on every machine, however fast they are played.
    """

    def __init__(
        self,
        seed: int = 7,
        days: float = 1.0,
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        rate: float = 1.0,
        stories: Collection[Story] = tuple(Story),
    ) -> None:
        """Describe the day; nothing is computed yet.

        It ends at `end_ns`, else `days` after `start_ns`, else at the last full minute. The stories happen on its last
        24 hours, or squeezed into all of a shorter one. `rate` scales the number of users. Of what can happen only
        `stories` do; without any the day is quiet. Raises UserError when the day is shorter than an hour or so, or the
        rate is not positive.
        """
        if start_ns is not None and end_ns is not None:
            days = (end_ns - start_ns) / DAY_NS
        if days < SHORTEST_DAYS:
            raise UserError(f"a known day of {days:g} days is too short", hint=f"at least {SHORTEST_DAYS} days")
        if rate <= 0:
            raise UserError(f"the rate {rate:g} is not positive")
        length = int(days * DAY_NS)
        if end_ns is None:
            end_ns = time.time_ns() // _MINUTE_NS * _MINUTE_NS if start_ns is None else start_ns + length
        self.seed = seed
        self.rate = rate
        self.stories = stories
        self.start_ns = end_ns - length if start_ns is None else start_ns
        self.end_ns = end_ns
        self._truth: Truth | None = None

    def __iter__(self) -> Iterator[Emission]:
        """Simulate the day from its begin and yield what is sent, in order of time."""
        clock = DayClock(self.start_ns, self.end_ns, self.stories)
        platform = _assemble(Platform(self.seed, clock, self.rate))
        yield from platform.run()
        self._truth = Truth(
            self.seed,
            format_ns(self.start_ns),
            format_ns(self.end_ns),
            platform.truth.incidents(),
            dict(platform.out.counts),
        )

    def truth(self) -> Truth:
        """Return what happened; plays the day silently if that has not been done."""
        if self._truth is None:
            for _ in self:
                pass
        assert self._truth is not None
        return self._truth

    def following(self) -> Day:
        """Return the day after this one, with another seed: for a demo that goes on live."""
        return Day(self.seed + 1, 1.0, self.end_ns, rate=self.rate, stories=self.stories)


def _assemble(platform: Platform) -> Platform:
    """Put the components of the platform together."""
    host = Host(platform)
    weaviate = Weaviate(platform)
    vllm = Vllm(platform, host)
    rag = Rag(platform, weaviate, (vllm, Ollama(platform)))
    gateway = Gateway(platform, rag, Agents(platform))
    Trainer(platform)
    Changes(platform, weaviate, gateway)
    Attacks(platform, gateway)
    Sessions(platform, gateway)
    return platform
