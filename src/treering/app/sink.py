"""The way from receivers into the store: enriched, off the event loop, bounded, never reordered for one caller."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from treering.core.errors import Bug, Retryable
from treering.stage.source import NO_TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from treering.core.telemetry import Telemetry
    from treering.model.batch import Batch
    from treering.stage.enricher import Enricher
    from treering.stage.store import Store

_log = logging.getLogger(__name__)
FAILURES = "treering_enrichment_failures_total"


class StoreSink:
    """Appends batches in a thread pool; refuses with `Retryable` beyond `waiting` requests at once."""

    def __init__(
        self,
        store: Store,
        pool: Executor,
        waiting: int = 256,
        *,
        enrichers: Sequence[Enricher] = (),
        telemetry: Telemetry | None = None,
        masking: Callable[[Batch], Batch] = lambda batch: batch,
        sorting: Callable[[Batch], Sequence[Batch]] = lambda batch: (batch,),
    ) -> None:
        """Append to `store` in `pool` what `enrichers` make of each batch, one after the other, as `sorting` sorts it.

        Before all that, `masking` takes out what must not be kept; what it raises the sender is told, and nothing of
        the request is stored. Batches that an enricher fails on are stored as they were and counted in `telemetry`.
        """
        self._store = store
        self._pool = pool
        self._enrichers = tuple(enrichers)
        self._telemetry = telemetry
        self._masking = masking
        self._sorting = sorting
        self._limit = waiting
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Make all rows durable and return the `_seq` of the first one. Raises `Retryable` or `Permanent`.

        `tombstones` maps streams to the `_seq`s of records that cease to be in the same step.
        """
        if self._waiting >= self._limit:
            raise Retryable(f"{self._limit} requests wait for the store", retry_after_s=1.0)
        self._waiting += 1
        self._idle.clear()
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._append, batches, tombstones)
        work.add_done_callback(self._done)
        # A sender that hangs up must not undo what the thread is about to make durable.
        return await asyncio.shield(work)

    def _append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]]) -> int:
        sorted_out = [part for batch in batches for part in self._sorting(self._enriched(self._masking(batch)))]
        return self._store.append(sorted_out, tombstones)

    def _enriched(self, batch: Batch) -> Batch:
        for enricher in self._enrichers:
            try:
                batch = _checked(batch, enricher(batch))
            except Exception as error:  # noqa: BLE001  an enricher's fault must not lose records
                self._failed(enricher, batch, error)
        return batch

    def _failed(self, enricher: Enricher, batch: Batch, error: Exception) -> None:
        name = getattr(enricher, "__name__", type(enricher).__name__)
        _log.warning("%s failed on %d records of %s: %r", name, batch.rows, batch.stream, error)
        if self._telemetry is not None:
            self._telemetry.add(FAILURES, batch.rows, enricher=name)

    def _done(self, work: asyncio.Future[int]) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._idle.set()
        if not work.cancelled():
            work.exception()  # the caller may be gone: do not let the loop complain that nobody looked

    def close(self) -> None:
        """Let the enrichers keep what they have learnt; call it when nothing is on its way any more."""
        for enricher in self._enrichers:
            if (close := getattr(enricher, "close", None)) is not None:
                close()

    async def settle(self) -> None:
        """Return when nothing is on its way into the store."""
        await self._idle.wait()


def _checked(before: Batch, after: Batch) -> Batch:
    """Return `after` if it is `before` with more columns or other columns of ours. Raises `Bug`."""
    if after is not before and (after.rows != before.rows or after.stream != before.stream):
        raise Bug(f"{before.rows} records of {before.stream} became {after.rows} of {after.stream}")
    return after
