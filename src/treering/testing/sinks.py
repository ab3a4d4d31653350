"""Sinks for receivers' tests: one that records, and ones that fail, dawdle or are full.

Each wraps the next: `SlowSink(FailingSink(RecordingSink(), seed=7), seconds=0.01)`.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from treering.core.errors import Permanent, Retryable
from treering.model.columns import ARROW, Kind, to_record
from treering.stage.source import NO_TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.core.errors import TreeringError
    from treering.model.batch import Batch
    from treering.stage.source import Sink


def rows(batch: Batch) -> list[dict[str, Any]]:
    """Return each row of `batch` by physical column name; instants are nanoseconds since the epoch."""
    data = batch.data
    stamp, long = ARROW[Kind.TIME], ARROW[Kind.LONG]
    held = []
    for index in range(data.num_columns):
        column = data.column(index)
        held.append((column.cast(long) if column.type == stamp else column).to_pylist())
    return [dict(zip(data.schema.names, values, strict=True)) for values in zip(*held, strict=True)]


class RecordingSink:
    """Keeps what it is given in memory, in order."""

    def __init__(self) -> None:
        """Start empty."""
        self.appends: list[tuple[Batch, ...]] = []
        self.tombstones: dict[str, list[int]] = {}
        self._next = 0

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Keep `batches` and return the `_seq` of their first row; `tombstones` are kept too."""
        first = self._next
        for stream, numbers in tombstones.items():
            self.tombstones.setdefault(stream, []).extend(numbers)
        self.appends.append(tuple(batches))
        self._next += sum(batch.rows for batch in batches)
        return first

    @property
    def count(self) -> int:
        """The number of records kept."""
        return self._next

    def records(self, stream: str | None = None) -> list[dict[str, Any]]:
        """Return the records kept, of one stream or of all, as their senders wrote them."""
        return [to_record(row) for batch in self.batches(stream) for row in rows(batch)]

    def batches(self, stream: str | None = None) -> list[Batch]:
        """Return the batches kept, of one stream or of all."""
        return [batch for group in self.appends for batch in group if stream in (None, batch.stream)]


class FailingSink:
    """Fails at random, the same way for the same seed; what it refuses is not kept."""

    def __init__(
        self,
        inner: Sink,
        *,
        seed: int,
        rate: float = 0.5,
        errors: Sequence[Callable[[], TreeringError]] = (lambda: Retryable("the store is busy"),),
    ) -> None:
        """Refuse a share `rate` (0 to 1) of the appends to `inner`, with one of `errors` each time."""
        self.inner = inner
        self.refused = 0
        self._random = random.Random(seed)  # noqa: S311  repeatable on purpose
        self._rate = rate
        self._errors = tuple(errors)

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Pass `batches` on, or raise."""
        if self._random.random() < self._rate:
            self.refused += 1
            error = self._random.choice(self._errors)()
            raise error
        return await self.inner.append(batches, tombstones)


class SlowSink:
    """Takes its time before it passes batches on."""

    def __init__(self, inner: Sink, *, seconds: float) -> None:
        """Wait `seconds` before each append to `inner`."""
        self.inner = inner
        self.waiting = 0
        self._seconds = seconds

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Wait, then pass `batches` on."""
        self.waiting += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.waiting -= 1
        return await self.inner.append(batches, tombstones)


class FullSink:
    """Has room for `room` records, then refuses until `room` is raised, as a full disk does."""

    def __init__(self, inner: Sink, *, room: int = 0, permanent: bool = False) -> None:
        """Pass on to `inner` what fits whole into `room`."""
        self.inner = inner
        self.room = room
        self._error: type[Retryable | Permanent] = Permanent if permanent else Retryable

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Pass `batches` on if they fit, else raise."""
        count = sum(batch.rows for batch in batches)
        if count > self.room:
            raise self._error(f"no room for {count} records")
        first = await self.inner.append(batches, tombstones)
        self.room -= count
        return first
