"""Background work: logs become segments, small segments become large, old ones go."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from treering.core.errors import TreeringError
from treering.model.columns import SEQUENCE
from treering.store.duckdb import arrow, compaction, journal, memtable, recovery, segment
from treering.store.duckdb.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treering.core.clock import Clock
    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.config import Config
    from treering.store.duckdb.journal import Journal
    from treering.store.duckdb.manifest import Segment
    from treering.store.duckdb.memtable import Generation, Tail
    from treering.store.duckdb.reserve import Reserve

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_NOBODY = np.array([], dtype=np.int64)


class Upkeep:
    """One thread that keeps memory, number of files and disk within bounds."""

    def __init__(
        self,
        catalog: Catalog,
        log: Journal,
        folder: Path,
        connection: duckdb.DuckDBPyConnection,
        config: Config,
        clock: Clock,
        reserve: Reserve,
    ) -> None:
        """Work on `catalog`; nothing happens before `start`."""
        self.trouble: dict[str, str] = {}
        self._catalog = catalog
        self._journal = log
        self._folder = folder
        self._connection = connection
        self._config = config
        self._clock = clock
        self._reserve = reserve
        self._wake = threading.Condition()
        self._ending = False
        self._busy = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="treering-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the work in hand."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self._thread.join()

    def wake(self) -> None:
        """Look for work now."""
        with self._wake:
            self._wake.notify()

    def _run(self) -> None:
        while not self._ending:
            with self._wake:
                if not self._ending:
                    self._wake.wait(_TICK_SECONDS if not self.trouble else _RETRY_SECONDS)
            if not self._ending:
                self.step()

    def step(self) -> None:
        """Do what is due."""
        self._attempt("flush", self._flush_due)
        self._attempt("retention", self._retain)
        self._attempt("reserve", self._reserve.renew)
        self._attempt("compaction", self._compact)

    def retain(self) -> None:
        """Delete what is older than its stream's records are kept."""
        with self._busy:
            self._retain()

    def _retain(self) -> None:
        for view in self._catalog.view(["*"]):
            old = compaction.expired(view, self._config, self._clock.now_ns())
            if old:
                dead = {int(seq) for item in old for seq in view.dead_inside(item.min_seq, item.max_seq)}
                self._catalog.replaced(view.name, old, [], dead)

    def compact_now(self) -> None:
        """Merge everything that should be merged."""
        with self._busy:
            self._compact()

    def _compact(self) -> None:
        for name in self._catalog.names(["*"]):
            while not self._ending:
                with self._catalog.pinned([name]) as views:
                    items = compaction.due(views[0], self._config, aged=bool(self._config.retention)) if views else []
                    if not items:
                        break
                    self._merge(views[0], items)
                if self._journal.generation.bytes >= self._config.flush_bytes:
                    return

    def _merge(self, view: StreamView, items: list[Segment]) -> None:
        try:
            with self._connection.cursor() as cursor:
                compaction.compact(cursor, self._catalog, view, items, self._config)
        except (duckdb.Error, OSError, ValueError):
            # A damaged segment is taken out, or merging would fail for ever.
            if not recovery.quarantine(self._catalog, items):
                raise

    def _attempt(self, name: str, work: Callable[[], None]) -> None:
        try:
            with self._busy:
                work()
            self.trouble.pop(name, None)
        except Exception as error:  # noqa: BLE001  background work must go on; what failed is told by health()
            text = error.message if isinstance(error, TreeringError) else f"{type(error).__name__}: {error}"
            self.trouble[name] = text.splitlines()[0][:500]

    def _flush_due(self) -> None:
        # On a full disk only this makes room for the next log.
        self._flush_old()
        generation = self._journal.generation
        age = time.monotonic() - generation.born
        config = self._config
        if (
            generation.bytes >= config.flush_bytes
            or (age >= config.flush_seconds and generation.bytes >= config.flush_least_bytes)
            or (age >= config.flush_latest_seconds and generation.bytes)
        ):
            self._journal.rotate()
        self._flush_old()

    def _flush_old(self) -> None:
        for generation in self._catalog.generations:
            if generation is not self._journal.generation:
                self._flush(generation)

    def flush(self) -> None:
        """Write everything that is only in memory into segments now."""
        with self._busy:
            if self._journal.generation.rows or self._journal.generation.dead:
                self._journal.rotate()
            self._flush_old()

    def _flush(self, generation: Generation) -> None:
        """Put segments in the place of a log; a crash on the way leaves files that nobody lists."""
        written: list[Segment] = []
        purged: dict[str, set[int]] = {}
        for name, tail in list(generation.tails.items()):
            dead = self._dead(name, tail)
            purged[name] = set(dead.tolist())
            if len(dead) < tail.rows:
                written.append(self._write(name, tail, dead, generation.number))
        self._catalog.flushed(generation, written, self._journal.next_seq, purged)
        (self._folder.parent / "wal" / journal.name(generation.number)).unlink(missing_ok=True)

    def _dead(self, name: str, tail: Tail) -> Any:
        """Return the numbers of rows of `tail` that are deleted."""
        views = self._catalog.view([name])
        if not views:
            return _NOBODY
        inside = views[0].dead_inside(tail.runs[0].first_seq, tail.runs[-1].last_seq)
        if not len(inside):
            return _NOBODY
        held = np.concatenate([arrow.integers(part.data.column(SEQUENCE)) for part in tail.runs])
        return np.intersect1d(held, inside)

    def _write(self, name: str, tail: Tail, dead: Any, number: int) -> Segment:
        stream = self._catalog.ensure_stream(name, tail.runs[0].first_seq)
        table = arrow.merged([part.data for part in tail.runs], self._config.columns)
        rest: Names = memtable.rest_names(tail.runs, Names(tuple(table.schema.names)))
        table = arrow.without(table, dead)
        file = f"{stream.folder}/{number:012d}.parquet"
        with self._connection.cursor() as cursor:
            return segment.write(cursor, self._folder, file, name, table, rest, self._config.shape)
