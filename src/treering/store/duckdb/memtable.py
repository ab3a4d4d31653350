"""Rows that are durable in the log but not yet in a segment: one generation per log file, queried with the segments.

Small batches are merged as they gather (each row at most log32(4096) times), so ten thousand appends of one row are a
few dozen batches to a query.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arro3.core import RecordBatch

from treering.model.columns import ID
from treering.store.duckdb import arrow
from treering.store.duckdb.names import Names, interned, union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.store.duckdb.manifest import Segment

_FAN_IN = 32
_MERGED_ROWS = 4096
_MERGED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one stream that came one after another, with their sequence numbers."""

    data: RecordBatch
    first_seq: int
    last_seq: int
    first_ns: int
    last_ns: int
    columns: Names
    rest: Names

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.data.num_rows)


def run(data: RecordBatch, first: int) -> Run:
    """Return a batch as a run whose rows are numbered from `first`."""
    flat, rest = arrow.flattened(data)
    numbered = arrow.numbered(flat, first)
    low, high = arrow.bounds(data)
    return Run(numbered, first, first + data.num_rows - 1, low, high, interned(numbered.schema.names), rest)


def rest_names(runs: Sequence[Run | Segment], columns: Names) -> Names:
    """Return what is in `_rest` when the rows of `runs` are put together in `columns`."""
    moved = [name for name in union(part.columns for part in runs).order if name not in columns.members]
    held = union(part.rest for part in runs)
    return interned((*held.order, *moved)) if moved else held


def _merge(runs: Sequence[Run], most: int) -> Run:
    (data,) = arrow.merged([part.data for part in runs], most).combine_chunks().to_batches()
    columns = interned(data.schema.names)
    rest = rest_names(runs, columns)
    low, high = min(part.first_ns for part in runs), max(part.last_ns for part in runs)
    return Run(data, runs[0].first_seq, runs[-1].last_seq, low, high, columns, rest)


@dataclass(slots=True)
class Tail:
    """The unflushed rows of one stream in one generation."""

    most: int
    runs: list[Run] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def add(self, part: Run) -> None:
        """Take a run in; small neighbours are merged."""
        self.rows += part.rows
        if ID in part.columns.members:
            seqs = range(part.first_seq, part.last_seq + 1)
            ids = part.data.column(ID).to_pylist()
            self.ids.update((name, seq) for name, seq in zip(ids, seqs, strict=True) if name is not None)
        self.runs.append(part)
        level = 1
        while level < _MERGED_ROWS:
            small = self._trailing(level * _FAN_IN)
            if small < _FAN_IN:
                break
            self.runs[-small:] = [_merge(self.runs[-small:], self.most)]
            level *= _FAN_IN

    def _trailing(self, rows: int) -> int:
        count = 0
        while count < len(self.runs) and self.runs[-1 - count].rows < rows:
            if self.runs[-1 - count].data.nbytes > _MERGED_BYTES:
                break
            count += 1
        return count


class Generation:
    """The memory side of one log file."""

    def __init__(self, number: int, most: int) -> None:
        """Start empty; `most` is the greatest number of field columns of a batch."""
        self.number = number
        self.tails: dict[str, Tail] = {}
        self.bytes = 0
        self.rows = 0
        self.dead: dict[str, list[int]] = {}
        self.born = 0.0
        self._most = most

    def add(self, stream: str, part: Run) -> None:
        """Take rows in."""
        tail = self.tails.get(stream)
        if tail is None:
            tail = self.tails[stream] = Tail(self._most)
        tail.add(part)
        self.rows += part.rows
        self.bytes += int(part.data.nbytes)

    def drop(self, stream: str) -> None:
        """Forget a stream's rows."""
        tail = self.tails.pop(stream, None)
        self.dead.pop(stream, None)
        if tail is not None:
            self.rows -= tail.rows
