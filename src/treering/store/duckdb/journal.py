"""The way in: rows are numbered, written to the log, made durable together, and only then shown and acknowledged."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from treering.core.errors import Bug, Retryable
from treering.store.duckdb import memtable, wal
from treering.store.duckdb.memtable import Generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from treering.model.batch import Batch
    from treering.store.duckdb.catalog import Catalog
    from treering.store.duckdb.memtable import Run

T = TypeVar("T")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(slots=True)
class _Entry:
    """An append between the log and the readers."""

    end: int
    rows: list[tuple[str, Run]]
    dead: dict[str, Sequence[int]]
    state: str = "written"
    error: OSError | None = None


class Journal:
    """Numbers rows, logs them and shows them; one per store."""

    def __init__(self, catalog: Catalog, folder: Path | None, disk: wal.Disk, most: int, room: int) -> None:
        """Keep logs in `folder` (none: only in memory); `room` is how many bytes of unflushed rows may wait."""
        self.next_seq = 0
        self.log: wal.Log | None = None
        self.generation = Generation(0, most)
        self.closed = False
        self._catalog = catalog
        self._folder = folder
        self._disk = disk
        self._most = most
        self._room = room
        self._write = threading.Lock()
        self._sync = threading.Lock()
        self._pending: list[_Entry] = []
        self._synced = 0
        self._suspect = False

    def begin(self, generation: Generation, log: wal.Log | None) -> None:
        """Go on with a new generation and its log."""
        generation.born = time.monotonic()
        self._catalog.add_generation(generation)
        self.resume(generation, log)

    def resume(self, generation: Generation, log: wal.Log | None) -> None:
        """Go on with a generation that readers see already."""
        self.generation, self.log = generation, log
        self._synced = log.size if log else 0

    def append(self, batches: Sequence[Batch], dead: Mapping[str, Sequence[int]]) -> int:
        """Make rows and deletions durable, show them, and return the number of the first row."""
        held = [batch for batch in batches if batch.rows]
        logged = self._folder is not None
        encoded = tuple(wal.encoded(batch.stream, batch.data) for batch in held) if logged else ()
        packed = {name: np.asarray(seqs, dtype="<i8").tobytes() for name, seqs in dead.items()}
        with self._write:
            self._admit()
            first = self.next_seq
            if not held and not dead:
                return first
            end = self._log(wal.Frame(first, encoded, packed)) if logged else 0
            rows = self._number(held, first)
            self.next_seq += sum(batch.rows for batch in held)
            entry = _Entry(end, rows, dict(dead))
            self._pending.append(entry)
        self._settle(entry)
        return first

    @staticmethod
    def _number(batches: Sequence[Batch], first: int) -> list[tuple[str, Run]]:
        rows = []
        for batch in batches:
            rows.append((batch.stream, memtable.run(batch.data, first)))
            first += batch.rows
        return rows

    def _admit(self) -> None:
        if self.closed:
            raise Retryable("the store is closing")
        if self._folder is not None and sum(held.bytes for held in self._catalog.generations) > self._room:
            raise Retryable("the store is behind with writing segments", hint="see treering doctor", retry_after_s=2)
        if self._suspect:
            self._guard(self._rotate)
            self._suspect = False

    def _log(self, frame: wal.Frame) -> int:
        if self.log is None:
            raise Bug("the store has no log")
        log = self.log
        return self._guard(lambda: log.write(wal.pack(frame)))

    def _guard(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            raise refused(error, self._folder) from error

    def _settle(self, entry: _Entry) -> None:
        """Wait until `entry` is durable and shown; whoever comes first does it for all that wait."""
        with self._sync:
            if entry.state == "written":
                self._flush_pending()
        if entry.error is not None:
            raise refused(entry.error, self._folder) from entry.error

    def _flush_pending(self) -> None:
        """Make all pending entries durable and show them. Call with the sync lock held."""
        with self._write:
            entries, self._pending = self._pending, []
            log, generation = self.log, self.generation
        try:
            if log is not None and entries:
                log.sync()
        except OSError as error:
            with self._write:
                self._fail(entries, error)
            return
        self._show(generation, entries)

    def _show(self, generation: Generation, entries: Sequence[_Entry]) -> None:
        if not entries:
            return
        dead: dict[str, list[int]] = {}
        for entry in entries:
            for stream, seqs in entry.dead.items():
                dead.setdefault(stream, []).extend(seqs)
            entry.state = "shown"
        self._catalog.publish(generation, [row for entry in entries for row in entry.rows], dead)
        self._synced = entries[-1].end

    def _fail(self, entries: list[_Entry], error: OSError) -> None:
        """Refuse what could not be made durable, and what was written after it. Call with the write lock held."""
        # What a failed fdatasync left behind is unknown, so the log is cut to what was durable before and not used
        # again: the next append begins a new one.
        failed = [*entries, *self._pending]
        self._pending = []
        self._suspect = True
        with contextlib.suppress(OSError):
            if self.log is not None:
                self.log.cut(self._synced)
        for entry in failed:
            entry.state, entry.error = "failed", error

    def rotate(self) -> Generation:
        """Begin a new log and return the generation of the old one. Raises `Retryable`."""
        with self._quiet():
            old = self.generation
            self._guard(self._rotate)
            return old

    def drop(self, stream: str) -> bool:
        """Delete a stream with all its rows, durably; returns whether it existed."""
        with self._quiet():
            self._admit()
            if self.log is not None:
                self._synced = self._log(wal.Frame(self.next_seq, drop=stream))
                self._sync_log()
            self.next_seq += 1
            return self._catalog.drop_stream(stream, self.next_seq - 1)

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """No append is under way inside; all that were are durable and shown."""
        with self._sync:
            self._flush_pending()
            with self._write:
                if self._pending:
                    self._sync_log()
                entries, self._pending = self._pending, []
                self._show(self.generation, entries)
                yield

    def _sync_log(self) -> None:
        if self.log is None:
            return
        try:
            self.log.sync()
        except OSError as error:
            self._fail([], error)
            raise refused(error, self._folder) from error

    def _rotate(self) -> None:
        if self._folder is None:
            raise Bug("a store in memory has no logs")
        number = self.generation.number + 1
        log = wal.Log(self._folder / name(number), self._disk)
        if self.log is not None:
            self.log.close()
        self.begin(Generation(number, self._most), log)

    def close(self) -> None:
        """Take no more appends; those under way end first."""
        with self._quiet():
            self.closed = True
            if self.log is not None:
                self.log.close()


def name(number: int) -> str:
    """Return the file name of a log."""
    return f"{number:012d}.wal"


def refused(error: OSError, folder: Path | None) -> Retryable:
    """Return what a sender is told when the log could not be written."""
    if error.errno in _NO_ROOM:
        return Retryable(
            f"no space left for {folder}", hint="free disk space, or delete or age out a stream", retry_after_s=10
        )
    return Retryable(f"cannot write to {folder}: {error.strerror}", hint="see treering doctor", retry_after_s=10)
