"""New, vanished and bursting templates, from counts of (template, time) alone.

`TemplateWatch` gets counts in about the order of time and answers with changes. Time is cut into buckets; a bucket is
judged when the newest count is `lateness` buckets past it, so late counts still belong to it. State is bounded and can
be kept (`dump`, `load`).

* new: first seen after the stream has been watched for `warm_up` buckets.
* bursting: a bucket's count is at least `least`, three times the median of the last `memory` buckets, and six robust
  standard deviations above it (1.4826 MAD, never less than Poisson's square root); buckets in a row are one burst.
* vanished: silent for so long that, at its median rate, the silence has a probability below e^-14 (about one in a
  million), while others go on.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from treering.core.errors import UserError

_VERSION = 1
_SIGMA = 1.4826
_SILENCE = 14.0


class Settings(msgspec.Struct, frozen=True):
    """How counts are judged; times in nanoseconds, the rest in buckets or counts."""

    bucket_ns: Annotated[int, Meta(gt=0)] = 60 * 10**9
    memory: Annotated[int, Meta(ge=4)] = 60
    warm_up: Annotated[int, Meta(ge=1)] = 30
    lateness: Annotated[int, Meta(ge=0)] = 2
    least: Annotated[int, Meta(ge=1)] = 10
    most_templates: Annotated[int, Meta(ge=1)] = 20_000


class Change(msgspec.Struct, frozen=True):
    """What happened to a template between two instants; `usual` is the median count of a bucket before."""

    kind: Literal["new", "bursting", "vanished"]
    template: str
    start_ns: int
    end_ns: int
    count: int
    usual: float
    score: float


class _Seen(msgspec.Struct):
    first: int
    last: int
    total: int = 0
    counts: dict[int, int] = {}
    burst: tuple[int, int, int] | None = None
    gone: bool = False


class _State(msgspec.Struct):
    version: int
    settings: Settings
    begun: int | None
    newest: int | None
    judged: int | None
    seen: dict[str, _Seen]


class TemplateWatch:
    """Watches the templates of one stream."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Begin with nothing seen."""
        self.settings = settings or Settings()
        self._begun: int | None = None
        self._newest: int | None = None
        self._judged: int | None = None
        self._seen: dict[str, _Seen] = {}

    def add(self, counts: Iterable[tuple[str, int, int]]) -> list[Change]:
        """Take in (template, nanoseconds, count) and return the changes in the buckets that are complete now."""
        found: list[Change] = []
        for template, moment, count in counts:
            bucket = moment // self.settings.bucket_ns
            if self._begun is None:
                self._begun = bucket
            if self._newest is None or bucket > self._newest:
                found += self._advance(bucket)
            self._count(template, bucket, count, found)
        return found

    def advance(self, now_ns: int) -> list[Change]:
        """Return the changes up to `now_ns`, when no counts came for a while."""
        bucket = now_ns // self.settings.bucket_ns
        return self._advance(bucket) if self._newest is not None and bucket > self._newest else []

    def finish(self) -> list[Change]:
        """Return the changes in the buckets that wait for late counts, and bursts that have not ended."""
        if self._newest is None:
            return []
        found = self._judge_until(self._newest)
        for template, seen in self._seen.items():
            self._end_burst(template, seen, found)
        return found

    def dump(self) -> bytes:
        """Return the state as JSON for `load`."""
        return msgspec.json.encode(_State(_VERSION, self.settings, self._begun, self._newest, self._judged, self._seen))

    @classmethod
    def load(cls, state: bytes) -> TemplateWatch:
        """Return a watch that goes on where `dump` was called. Raises `UserError` when `state` is not one."""
        try:
            held = msgspec.json.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise UserError(f"not a state of watched templates: {error}") from error
        if held.version != _VERSION:
            raise UserError(f"watched templates of version {held.version}, this is {_VERSION}")
        watch = cls(held.settings)
        watch._begun, watch._newest, watch._judged, watch._seen = held.begun, held.newest, held.judged, held.seen
        return watch

    def _count(self, template: str, bucket: int, count: int, found: list[Change]) -> None:
        seen = self._seen.get(template)
        if seen is None:
            seen = self._seen[template] = _Seen(bucket, bucket)
            self._forget()
            if self._begun is not None and bucket - self._begun >= self.settings.warm_up:
                found.append(self._change("new", template, bucket, bucket, count, 0.0, float(count)))
        if self._judged is None or bucket > self._judged:
            seen.counts[bucket] = seen.counts.get(bucket, 0) + count
        seen.total += count
        if bucket > seen.last:
            seen.last, seen.gone = bucket, False

    def _forget(self) -> None:
        if len(self._seen) > self.settings.most_templates:
            del self._seen[min(self._seen, key=lambda name: self._seen[name].last)]

    def _advance(self, bucket: int) -> list[Change]:
        self._newest = bucket
        return self._judge_until(bucket - self.settings.lateness - 1)

    def _judge_until(self, last: int) -> list[Change]:
        found: list[Change] = []
        first = self._judged + 1 if self._judged is not None else self._begun
        if first is None or last < first:
            return found
        # After a long silence of everything only the buckets within memory can say something.
        for bucket in range(max(first, last - self.settings.memory), last + 1):
            alive = any(bucket in seen.counts for seen in self._seen.values())
            for template, seen in self._seen.items():
                self._judge(template, seen, bucket, found, alive=alive)
        self._judged = last
        return found

    def _judge(self, template: str, seen: _Seen, bucket: int, found: list[Change], *, alive: bool) -> None:
        if not seen.counts and seen.burst is None:
            return
        count = seen.counts.get(bucket, 0)
        if count >= self.settings.least or seen.burst is not None:
            span = min(self.settings.memory, bucket - seen.first)
            before = [seen.counts.get(one, 0) for one in range(bucket - span, bucket)]
            if len(before) >= self.settings.warm_up // 3:
                self._burst(template, seen, bucket, (count, statistics.median(before), before), found)
        if alive and not count:
            self._silence(template, seen, bucket, found)
        for old in [one for one in seen.counts if one <= bucket - self.settings.memory]:
            del seen.counts[old]

    def _burst(
        self, template: str, seen: _Seen, bucket: int, about: tuple[int, float, list[int]], found: list[Change]
    ) -> None:
        count, usual, before = about
        spread = max(_SIGMA * statistics.median(abs(one - usual) for one in before), math.sqrt(usual + 1))
        if count >= max(self.settings.least, 3 * usual) and (count - usual) / spread >= 6:
            begun, _, total = seen.burst or (bucket, bucket, 0)
            seen.burst = begun, bucket, total + count
        elif seen.burst is not None:
            self._end_burst(template, seen, found)

    def _end_burst(self, template: str, seen: _Seen, found: list[Change]) -> None:
        if seen.burst is None:
            return
        first, last, total = seen.burst
        before = [seen.counts.get(one, 0) for one in range(first - self.settings.memory, first) if one >= seen.first]
        usual = float(statistics.median(before)) if before else 0.0
        score = total / (last - first + 1) / max(usual, 1.0)
        found.append(self._change("bursting", template, first, last, total, usual, score))
        seen.burst = None

    def _silence(self, template: str, seen: _Seen, bucket: int, found: list[Change]) -> None:
        silent = bucket - seen.last
        if seen.gone or silent <= 0:
            return
        # The rate before the silence: the median of half the memory up to the last bucket that had any.
        first = max(seen.first, seen.last - self.settings.memory // 2)
        held = [seen.counts.get(one, 0) for one in range(first, seen.last + 1)]
        rate = statistics.median(held) if len(held) >= self.settings.warm_up // 3 else 0
        if rate * silent > _SILENCE:
            seen.gone = True
            found.append(self._change("vanished", template, seen.last + 1, bucket, 0, float(rate), rate * silent))

    def _change(
        self,
        kind: Literal["new", "bursting", "vanished"],
        template: str,
        first: int,
        last: int,
        count: int,
        usual: float,
        score: float,
    ) -> Change:
        width = self.settings.bucket_ns
        return Change(kind, template, first * width, (last + 1) * width, count, usual, score)
