"""`DuckdbStore`: the embedded store behind the contract of `treering.stage.store`."""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from arro3.core import Table
from sqlglot import exp

from treering.core.clock import SystemClock
from treering.core.errors import Bug, Retryable, UserError
from treering.model.batch import Batch
from treering.model.columns import SEQUENCE, to_record
from treering.stage.store import Limits, Query, Result, StreamInfo
from treering.store.duckdb import arrow, following, journal, recovery, relation, running
from treering.store.duckdb import ids as id_index
from treering.store.duckdb import mapping as mapping_changes
from treering.store.duckdb import plan as plans
from treering.store.duckdb.catalog import Catalog, StreamView, span, unknown
from treering.store.duckdb.config import Config
from treering.store.duckdb.journal import Journal
from treering.store.duckdb.kept_groups import KeptGroups, Reading
from treering.store.duckdb.lookup import Lookup
from treering.store.duckdb.manifest import Manifest, Segment, Stream
from treering.store.duckdb.memtable import Generation
from treering.store.duckdb.ownership import Lock
from treering.store.duckdb.reserve import Reserve
from treering.store.duckdb.statement import check, chosen, counted, seen, streams, text
from treering.store.duckdb.upkeep import Upkeep
from treering.store.duckdb.wal import Disk, Log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from treering.core.clock import Clock
    from treering.model.schema import StreamSchema
    from treering.stage.plan import Plan
    from treering.stage.store import Scan
    from treering.store.duckdb.memtable import Run
    from treering.store.duckdb.scan import Scanner

T = TypeVar("T")
_NO_DEAD: dict[str, Sequence[int]] = {}


class DuckdbStore:
    """Streams of records in one directory (or only in memory), queried through DuckDB."""

    def __init__(
        self,
        path: Path | str | None = None,
        config: Config | None = None,
        *,
        clock: Clock | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Open or create the store in `path`. Raises `UserError` when another process owns it or it cannot be read."""
        self.path = None if path is None else Path(path).absolute()
        self._config = config or Config()
        self._clock = clock or SystemClock()
        self._damage: list[str] = []
        self._trouble: dict[str, str] = {}
        self._lock = self._own()
        self._reserve = Reserve(self.path) if self.path else None
        segments = self.path / "segments" if self.path else None
        try:
            manifest = Manifest(self.path / "manifest.sqlite" if self.path else None)
            self._catalog = Catalog(manifest, segments)
            self._journal = Journal(
                self._catalog, self.path / "wal" if self.path else None, disk or Disk(), self._config.columns,
                self._config.memory_bytes,
            )  # fmt: skip
            self._connection = self._connect()
            self._lookup = Lookup(segments)
            self._kept_groups = KeptGroups(segments)
            self._upkeep = self._recover(segments, disk or Disk())
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise
        # Also when nobody calls close(): a thread inside the engine must not outlive the interpreter.
        parts = self._upkeep, self._journal, self._connection, manifest, self._lock
        self._end = weakref.finalize(self, _end, *parts)
        if self._upkeep is not None:
            self._upkeep.start()

    def _own(self) -> Lock | None:
        if self.path is None:
            return None
        try:
            for folder in (self.path / "wal", self.path / "segments"):
                folder.mkdir(parents=True, exist_ok=True)
            return Lock(self.path)
        except OSError as error:
            raise UserError(f"cannot use {self.path} as data directory: {error.strerror}") from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return running.connect(
            self._config.threads, self._config.engine_memory_bytes, str(self.path) if self.path else None
        )

    def _recover(self, segments: Path | None, disk: Disk) -> Upkeep | None:
        if segments is None:
            self._journal.begin(Generation(0, self._config.columns), None)
            return None
        recovery.sweep(segments, self._catalog.manifest)
        self._damage += recovery.check(self._catalog, segments, self._catalog.manifest.segments())
        folder = segments.parent / "wal"
        try:
            found = recovery.replay(self._catalog, folder, self._config.columns)
            self._damage += found.damage
            self._journal.next_seq = found.next_seq
            if found.generations and not found.damage:
                last = found.generations[-1]
                self._journal.resume(last, Log(folder / journal.name(last.number), disk, keep=found.end))
            else:
                number = (
                    max([int(self._catalog.manifest.fact("flushed", 0)), *(g.number for g in found.generations)]) + 1
                )
                log = Log(folder / journal.name(number), disk)
                self._journal.begin(Generation(number, self._config.columns), log)
        except OSError as error:
            raise journal.refused(error, self.path) from error
        reserve = self._reserve or Reserve(segments.parent)
        return Upkeep(self._catalog, self._journal, segments, self._connection, self._config, self._clock, reserve)

    def announce(self, address: str) -> None:
        """Tell other processes that want this directory where its server listens."""
        if self._lock is not None:
            self._lock.announce(address)

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = _NO_DEAD) -> int:
        """Make all rows durable and return the `_seq` of the first one; delete the records `tombstones` names.

        Raises `Retryable` when the disk is full or the store is behind; nothing of the call is kept then.
        """
        first = self._journal.append(batches, tombstones)
        if self._upkeep is not None and self._journal.generation.bytes >= self._config.flush_bytes:
            self._upkeep.wake()
        return first

    def streams(self, pattern: str = "*") -> list[StreamInfo]:
        """Return the streams that match, by name."""
        return [_info(view) for view in self._catalog.view([pattern])]

    def schema(self, streams: Sequence[str]) -> StreamSchema:
        """Return the merged schema of the streams that match. Raises `UserError` when none does."""
        views = self._catalog.view(streams)
        if not views:
            raise unknown(streams, [stream.name for stream in self.streams()])
        return self._catalog.schema(views)

    def create(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Create an empty stream with an OpenSearch mapping. Raises `UserError` when it exists."""
        with self._catalog.manifest_lock:
            if self._catalog.view([stream]):
                raise UserError(f"stream {stream!r} exists")
            self._catalog.put_stream(Stream(stream, 0, mapping_changes.unwrapped(mapping), self._journal.next_seq))

    def put_mapping(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Add fields to a stream's mapping. Raises `UserError` on a change of type."""
        with self._catalog.manifest_lock:
            views = self._catalog.view([stream])
            if not views:
                raise unknown([stream])
            held = views[0].stream
            joined = mapping_changes.merged(held.mapping, mapping_changes.unwrapped(mapping))
            self._catalog.put_stream(Stream(held.name, held.folder, joined, held.created_seq))

    def delete(self, stream: str) -> bool:
        """Delete a stream with all its records; returns whether it existed."""
        return self._with_reserve(lambda: self._journal.drop(stream))

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None = None) -> Result:
        """Answer a query. Raises `UserError` at a limit or a value the query cannot handle."""
        started = time.thread_time()
        with self._catalog.pinned(streams(query)) as views, self._connection.cursor() as cursor:
            total, skipped = counted(query, views, self._catalog, self._lookup)
            reading = Reading(cursor, self._catalog, self._lookup, views)
            scanner = reading.scanner(skipped)
            try:
                with running.guarded(cursor, limits, cancel):
                    if not skipped and (known := self._kept_groups.answer(query, reading, limits)) is not None:
                        scanner, rows = known
                    else:
                        rows = _answered(query, scanner, reading, limits)
                    rows = [(row[0] + total,) for row in rows] if skipped else rows
            except running.Unreadable as error:
                if not self._quarantine(reading.segments.values()):
                    raise Bug(f"the embedded engine cannot read its files: {error}") from error
                rows = None
        if rows is None:
            return self.run(query, limits, cancel)
        return Result(query.columns, rows, scanner.rows, scanner.bytes, cpu_seconds=time.thread_time() - started)

    def plan(
        self, query: Query, limits: Limits, *, measure: bool = False, cancel: threading.Event | None = None
    ) -> Plan:
        """Return how `query` is answered; with `measure` answer it and say what that took."""
        pinned, connection = self._catalog.pinned(streams(query)), self._connection.cursor()
        try:
            with pinned as views, connection as cursor, running.guarded(cursor, limits, cancel):
                return plans.plan(cursor, self._catalog, self._lookup, query, views, measure=measure)
        except running.Unreadable as error:
            raise Bug(f"the embedded engine cannot read its files: {error}") from error

    def _quarantine(self, items: Iterable[Segment]) -> list[str]:
        reasons = recovery.quarantine(self._catalog, items)
        self._damage += reasons
        return reasons

    def verify(self) -> list[str]:
        """Read every segment whole and take those out that are not what was written; returns why."""
        with self._catalog.pinned(["*"]) as views:
            return self._quarantine(item for view in views for item in view.segments)

    def find_ids(self, stream: str, ids: Collection[str]) -> dict[str, int]:
        """Return the `_seq` of the live record of each `_id` that has one."""
        with self._catalog.pinned([stream]) as views, self._connection.cursor() as cursor:
            return id_index.find(cursor, self._catalog, views[0], ids, self._trouble) if views else {}

    def erase(self, scan: Scan) -> int:
        """Delete the records of one stream or pattern that are in `scan` and satisfy its `where`; returns how many."""
        dead = chosen(scan, self.run)
        self._with_reserve(lambda: self._journal.append([], dead))
        return sum(map(len, dead.values()))

    def _with_reserve(self, work: Callable[[], T]) -> T:
        """Do what makes room, on a full disk too."""
        try:
            return work()
        except Retryable:
            if self._reserve is None or not self._reserve.release():
                raise
            return work()

    def record(self, stream: str, seq: int) -> Mapping[str, Any] | None:
        """Return one record as its sender wrote it, or None."""
        with self._catalog.pinned([stream]) as views:
            if not views or self._catalog.is_dead(stream, seq):
                return None
            for part in views[0].parts:
                low, high = span(part)
                if low <= seq <= high and (row := self._row(part, seq)) is not None:
                    return to_record(row)
        return None

    def _row(self, part: Segment | Run, seq: int) -> dict[str, Any] | None:
        return next(iter(self._rows(part, [seq])), None)

    def _rows(self, part: Segment | Run, seqs: Sequence[int]) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            if isinstance(part, Segment):
                if part.damage or self._catalog.folder is None:
                    return []
                source = relation.files([str(self._catalog.folder / part.file)])
            else:
                cursor.register("memory", Table.from_batches([part.data]))
                source = exp.to_table("memory")
            query = exp.select("*").from_(source).where(relation.numbered(seqs))
            table = Table.from_arrow(cursor.sql(query.sql(dialect="duckdb")))
        return list(arrow.rows(table))

    def records(self, stream: str, seqs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the records with these numbers as their senders wrote them, by number; those gone are left out."""
        found: dict[int, Mapping[str, Any]] = {}
        with self._catalog.pinned([stream]) as views:
            wanted = sorted(seq for seq in seqs if views and not self._catalog.is_dead(stream, seq))
            parts: list[Segment | Run] = [*views[0].segments, *views[0].runs] if wanted else []
            for part in parts:
                low, high = span(part)
                if inside := [seq for seq in wanted if low <= seq <= high]:
                    found.update((row[SEQUENCE], to_record(row)) for row in self._rows(part, inside))
        return found

    def newest_seq(self) -> int:
        """Return the `_seq` of the record appended last, -1 before the first."""
        return self._journal.next_seq - 1

    def tail(self, after_seq: int) -> Iterator[Batch]:
        """Yield appended batches newer than `after_seq` that are still in memory, with their `_seq` column."""
        runs = [(run.first_seq, view.name, run) for view in self._catalog.view(["*"]) for run in view.runs]
        for _, name, run in sorted(runs, key=lambda item: item[0]):
            if run.last_seq <= after_seq:
                continue
            data = run.data
            if run.first_seq <= after_seq:
                seqs = arrow.integers(data.column(SEQUENCE))
                data = data.slice(int(seqs.searchsorted(after_seq, side="right")))
            yield Batch(name, data)

    def since(self, after_seq: int, most: int, streams: Sequence[str] = ("*",)) -> tuple[int, list[Batch]]:
        """Return a position and all rows of `streams` numbered above `after_seq` up to it, at most `most` numbers."""
        with self._connection.cursor() as cursor:
            return following.since(cursor, self._catalog, after_seq, most, streams)

    def health(self) -> Mapping[str, Any]:
        """Return rows, bytes, files, damaged parts and their reasons, for `treering doctor`."""
        views = self._catalog.view(["*"])
        items = [item for view in views for item in view.segments]
        return {
            "path": str(self.path) if self.path else None,
            "rows": sum(view.rows for view in views),
            "bytes": sum(item.bytes + item.extra_bytes for item in items),
            "segments": len(items),
            "unflushed_rows": sum(run.rows for view in views for run in view.runs),
            "deleted_rows": sum(len(view.dead) for view in views),
            "damage": sorted({*self._damage, *(item.damage for item in items if item.damage)}),
            "trouble": {**self._trouble, **self._lookup.trouble, **(self._upkeep.trouble if self._upkeep else {})},
        }

    def flush(self) -> None:
        """Write what is only in memory into segments now. Raises what hinders it."""
        if self._upkeep is not None:
            self._upkeep.flush()

    def compact(self) -> None:
        """Merge small segments now. Raises what hinders it."""
        if self._upkeep is not None:
            self._upkeep.compact_now()

    def retain(self) -> None:
        """Delete now what is older than its stream's records are kept."""
        if self._upkeep is not None:
            self._upkeep.retain()

    def close(self) -> None:
        """End background work and release the directory; what is only in memory is in the log. May be called twice."""
        self._end()


def _end(
    upkeep: Upkeep | None, log: Journal, connection: duckdb.DuckDBPyConnection, manifest: Manifest, lock: Lock | None
) -> None:
    if upkeep is not None:
        upkeep.stop()
    log.close()
    connection.close()
    manifest.close()
    if lock is not None:
        lock.release()


def _answered(query: Query, scanner: Scanner, reading: Reading, limits: Limits) -> list[Any]:
    tables = {name: scanner.table(scan, seen(scan, reading.views)) for name, scan in query.scans.items()}
    check(scanner.bytes, limits)
    return running.fetch(reading.cursor, text(query, tables, scanner.settled), limits)


def _info(view: StreamView) -> StreamInfo:
    segments, runs = view.segments, view.runs
    lows = [*(item.min_ns for item in segments), *(run.first_ns for run in runs)]
    highs = [*(item.max_ns for item in segments), *(run.last_ns for run in runs)]
    size = sum(item.bytes + item.extra_bytes for item in segments) + sum(int(run.data.nbytes) for run in runs)
    first, last = (min(lows), max(highs)) if lows else (None, None)
    return StreamInfo(view.name, view.rows, size, first, last, view.stream.mapping)
