"""The numbers of records: given out in blocks that no other process has, complete up to a number that followers see."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.model.batch import Batch
from treering.model.columns import SEQUENCE
from treering.store.duckdb import arrow
from treering.store.opensearch.state import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_RECENT_BYTES = 32 << 20


class Numbering:
    """Gives numbers out and knows up to which all that were given out are settled."""

    def __init__(self, block: Callable[[], int], newest: int) -> None:
        """Take blocks from `block`; `newest` is the greatest number there is."""
        self._block = block
        self._lock = threading.Lock()
        self._next = self._end = 0
        self._under_way: set[int] = set()
        self._settled = newest

    def take(self, count: int) -> int:
        """Return the first of `count` numbers in a row; call `settle` with it whatever becomes of them."""
        with self._lock:
            if self._next + count > self._end:
                self._next = self._block()
                self._end = self._next + BLOCK
                while self._next + count > self._end:  # more rows than a block has: blocks that follow each other
                    start = self._block()
                    self._next, self._end = (
                        (self._next, start + BLOCK) if start == self._end else (start, start + BLOCK)
                    )
            first = self._next
            self._next += count
            self._under_way.add(first)
            return first

    def settle(self, first: int, last: int | None) -> None:
        """Say that the append that began with `first` is over; `last` is its last number that is a record's."""
        with self._lock:
            self._under_way.discard(first)
            if last is not None:
                self._settled = max(self._settled, last)

    @property
    def newest(self) -> int:
        """The greatest number of a record below which nothing is under way, -1 before the first."""
        with self._lock:
            return min([self._settled, *(first - 1 for first in self._under_way)])


@dataclass(frozen=True, slots=True)
class _Held:
    first: int
    last: int
    batch: Batch


class Recent:
    """The batches appended last, with their numbers, as long as they fit into some memory."""

    def __init__(self, start: int) -> None:
        """Hold nothing; what is numbered up to `start` was never here."""
        self._lock = threading.Lock()
        self._held: deque[_Held] = deque()
        self._bytes = 0
        self._from = start + 1
        self._dead: dict[str, set[int]] = {}

    def add(self, batches: Sequence[Batch], first: int) -> None:
        """Take batches in whose rows are numbered from `first`."""
        with self._lock:
            for batch in batches:
                data = arrow.numbered(batch.data, first)
                self._held.append(_Held(first, first + batch.rows - 1, Batch(batch.stream, data)))
                self._bytes += int(data.nbytes)
                first += batch.rows
            while self._bytes > _RECENT_BYTES and self._held:
                gone = self._held.popleft()
                self._bytes -= int(gone.batch.data.nbytes)
                self._from = max(self._from, gone.last + 1)

    def forget(self, dead: Mapping[str, Sequence[int]]) -> None:
        """Leave records out from now on."""
        with self._lock:
            for stream, seqs in dead.items():
                self._dead.setdefault(stream, set()).update(seq for seq in seqs if seq >= self._from)

    def drop(self, stream: str) -> None:
        """Forget a stream."""
        with self._lock:
            self._held = deque(held for held in self._held if held.batch.stream != stream)
            self._bytes = sum(int(held.batch.data.nbytes) for held in self._held)
            self._dead.pop(stream, None)

    def holds_all_after(self, seq: int) -> bool:
        """Whether every record numbered above `seq` that this process appended is here."""
        with self._lock:
            return seq + 1 >= self._from

    def first_after(self, seq: int) -> int | None:
        """Return the least number above `seq` that is here, deleted or not."""
        with self._lock:
            return min((max(held.first, seq + 1) for held in self._held if held.last > seq), default=None)

    def after(self, seq: int, last: int) -> Iterator[Batch]:
        """Yield the rows numbered above `seq` up to `last`, in order, without those that were deleted."""
        with self._lock:
            found = sorted((held for held in self._held if held.last > seq), key=lambda held: held.first)
            dead = {stream: sorted(seqs) for stream, seqs in self._dead.items()}
        for held in found:
            low, high = max(held.first, seq + 1), min(held.last, last)
            if high < low:
                continue
            data = held.batch.data.slice(low - held.first, high - low + 1)
            yield from _alive(Batch(held.batch.stream, data), dead.get(held.batch.stream, ()))


def _alive(batch: Batch, dead: Sequence[int]) -> Iterator[Batch]:
    seqs = batch.data.column(SEQUENCE).to_pylist()
    gone = set(dead).intersection(seqs)
    if not gone:
        yield batch
        return
    start = 0
    for place, seq in enumerate([*seqs, None]):
        if seq is None or seq in gone:
            if place > start:
                yield Batch(batch.stream, batch.data.slice(start, place - start))
            start = place + 1
