"""Streams from one store into another: in steps that can be broken off, verified by counts and checksums.

A journal beside the data says how far the copy is. It is written before and after each step, so that a step that was
broken off is taken back and done again: the copy has each record once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import DataType
from sqlglot import exp

from treering.core.errors import UserError
from treering.core.files import replaced
from treering.model.batch import Batch
from treering.model.columns import ID, SEQUENCE, TIME, Kind, as_stored, to_record
from treering.stage.store import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from treering.stage.store import Store, StreamInfo

_STEP = 5000
_SUMS = 1 << 64


class Sum(msgspec.Struct):
    """How many records, and the sum of their hashes modulo 2^64: whatever their order and numbers."""

    rows: int = 0
    hashes: int = 0

    def add(self, batch: Batch) -> None:
        """Take the records of a batch in."""
        for row in _rows(batch):
            self.rows += 1
            self.hashes = (self.hashes + _hash(row)) % _SUMS


class Journal(msgspec.Struct):
    """How far a copy is: up to which number of the source, from which of the target on, what it had by then.

    `before` is the target's newest number before a step that is under way, None between steps.
    """

    streams: list[str]
    start: int
    after: int = -1
    before: int | None = None
    sums: dict[str, Sum] = msgspec.field(default_factory=dict)


class Copied(msgspec.Struct, frozen=True):
    """What became of one stream: the records read, those found in the target, and whether they are the same."""

    stream: str
    read: int
    found: int
    same: bool


class Copy:
    """One copy of streams from `source` into `target`, broken off and taken up again at will."""

    def __init__(self, source: Store, target: Store, streams: Sequence[str], journal: Path) -> None:
        """Take up the copy that `journal` tells of, else begin one. Raises `UserError` when it is of other streams."""
        self._source = source
        self._target = target
        self._path = journal
        self._streams = sorted(streams)
        self._journal = self._read()
        if self._journal.streams != self._streams:
            raise UserError(
                f"{journal} tells of a copy of {', '.join(self._journal.streams)}",
                hint="end that one, or delete the file",
            )

    def _read(self) -> Journal:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Journal)
        except FileNotFoundError:
            return Journal(self._streams, self._target.newest_seq())
        except msgspec.DecodeError as error:
            raise UserError(f"{self._path} is no journal of a copy: {error}", hint="delete it to begin anew") from error

    def _write(self) -> None:
        replaced(self._path, msgspec.json.encode(self._journal))

    def run(self, told: Callable[[int], None] = lambda _: None) -> None:
        """Copy what is left; `told` is called with how many records there are so far."""
        self._take_back()
        self._declare()
        while True:
            position, batches = self._source.since(self._journal.after, _STEP, self._streams)
            if position == self._journal.after:
                return
            self._step(position, batches)
            told(sum(item.rows for item in self._journal.sums.values()))

    def _declare(self) -> None:
        """Give the target the mappings that streams were declared with."""
        for info in self._infos(self._source):
            if not info.mapping:
                continue
            if self._target.streams(info.name):
                self._target.put_mapping(info.name, info.mapping)
            else:
                self._target.create(info.name, info.mapping)

    def _infos(self, store: Store) -> list[StreamInfo]:
        return [info for pattern in self._streams for info in store.streams(pattern)]

    def _take_back(self) -> None:
        """Delete what a step that was broken off had written."""
        if self._journal.before is None:
            return
        number = exp.Literal.number(self._journal.before)
        where = exp.GT(this=exp.column(SEQUENCE, quoted=True), expression=number)
        for pattern in self._streams:
            if self._target.streams(pattern):
                self._target.erase(Scan((pattern,), (SEQUENCE,), where=where))

    def _step(self, position: int, batches: Sequence[Batch]) -> None:
        self._journal.before = self._target.newest_seq()
        self._write()
        if batches:
            self._target.append([_unnumbered(batch) for batch in batches])
        for batch in batches:
            self._journal.sums.setdefault(batch.stream, Sum()).add(batch)
        self._journal.after, self._journal.before = position, None
        self._write()

    def verify(self, told: Callable[[int], None] = lambda _: None) -> list[Copied]:
        """Read the copy back and compare it with what was read, and that with what the source has.

        `told` is called with how many records it has seen.
        """
        found: dict[str, Sum] = {}
        after, seen = self._journal.start, 0
        while True:
            position, batches = self._target.since(after, _STEP, self._streams)
            if position == after:
                break
            after = position
            for batch in batches:
                found.setdefault(batch.stream, Sum()).add(batch)
                seen += batch.rows
            told(seen)
        sums = self._journal.sums
        held = {info.name: info.rows for info in self._infos(self._source)}
        names = sorted({*held, *sums, *found})
        pairs = [(name, sums.get(name, Sum()), found.get(name, Sum())) for name in names]
        return [
            Copied(name, read.rows, kept.rows, read == kept and read.rows == held.get(name, 0))
            for name, read, kept in pairs
        ]


def _unnumbered(batch: Batch) -> Batch:
    data = batch.data
    return Batch(batch.stream, data.select([name for name in data.schema.names if name != SEQUENCE]))


def _rows(batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield rows by physical column, instants as nanoseconds."""
    names = batch.data.schema.names
    held = []
    for name in names:
        column = batch.data.column(name)
        instant = name == TIME or name.endswith(f":{Kind.TIME.value}")
        held.append((column.cast(DataType.int64()) if instant else column).to_pylist())
    for values in zip(*held, strict=True):
        yield dict(zip(names, values, strict=True))


def _hash(row: dict[str, Any]) -> int:
    """Return a hash of a record as sent, as stored, its id and time."""
    content = (to_record(row), as_stored(row), row.get(ID), row[TIME])
    text = msgspec.json.encode(content, order="deterministic", enc_hook=str)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
