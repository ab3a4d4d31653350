"""The way from receivers into the store: off the event loop, bounded, never reordered for one caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from treering.core.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from treering.model.batch import Batch
    from treering.stage.store import Store


class StoreSink:
    """Appends batches in a thread pool; refuses with `Retryable` beyond `waiting` requests at once."""

    def __init__(self, store: Store, pool: Executor, waiting: int = 256) -> None:
        """Append to `store` in `pool`."""
        self._store = store
        self._pool = pool
        self._limit = waiting
        self._waiting = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def append(self, batches: Sequence[Batch]) -> int:
        """Make all rows durable and return the `_seq` of the first one. Raises `Retryable` or `Permanent`."""
        if self._waiting >= self._limit:
            raise Retryable(f"{self._limit} requests wait for the store", retry_after_s=1.0)
        self._waiting += 1
        self._idle.clear()
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._store.append, batches)
        work.add_done_callback(self._done)
        # A sender that hangs up must not undo what the thread is about to make durable.
        return await asyncio.shield(work)

    def _done(self, work: asyncio.Future[int]) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._idle.set()
        if not work.cancelled():
            work.exception()  # the caller may be gone: do not let the loop complain that nobody looked

    async def settle(self) -> None:
        """Return when nothing is on its way into the store."""
        await self._idle.wait()
