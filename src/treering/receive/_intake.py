"""What every receiver does between decoding and answering: work off the loop, append, keep the books."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from treering.core.errors import Retryable, TreeringError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from treering.model.batch import Batch
    from treering.stage.source import Context

    Append = Callable[[Sequence[Batch]], Awaitable[int]]

T = TypeVar("T")
# Below this many bytes a decode takes less than handing it to another thread.
INLINE_BYTES = 16_384
_PAUSE_S = 0.25
BUSY, REFUSED, UNREADABLE = "store busy", "store refused", "item unreadable or in conflict"
_settling: set[asyncio.Task[int]] = set()


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """Return `work()`, run in the loop's thread pool when its input of `size` bytes is worth it."""
    if size < INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)


async def store(
    context: Context,
    receiver: str,
    batches: Sequence[Batch],
    *,
    rejected: int = 0,
    append: Append | None = None,
    patience_s: float = 0.0,
) -> int:
    """Append `batches`, count their rows and `rejected` unreadable items, and return the first row's `_seq`.

    `append` is used instead of the sink's when given, also without any row. A store that is busy is asked again for
    `patience_s` seconds. Goes on to its end when the caller is cancelled (a gRPC client that hangs up), so the books
    always close. Raises what the sink raises.
    """
    rows = sum(batch.rows for batch in batches)
    telemetry = context.telemetry
    telemetry.received(receiver, rows + rejected)
    telemetry.rejected(receiver, rejected, UNREADABLE)
    if not rows and append is None:
        return 0
    appending = partial(_patient, append or context.sink.append, batches, patience_s)
    task = asyncio.ensure_future(_append(context, receiver, rows, appending))
    _settling.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


def refuse(context: Context, receiver: str, reason: str) -> None:
    """Count a request that could not be taken apart, so that nobody knows how many records it held."""
    context.telemetry.add("treering_refused_requests_total", receiver=receiver, reason=reason)


async def _patient(append: Append, batches: Sequence[Batch], patience_s: float) -> int:
    until = time.monotonic() + patience_s
    while True:
        try:
            return await append(batches)
        except Retryable:
            left = until - time.monotonic()
            if left <= 0:
                raise
        await asyncio.sleep(min(left, _PAUSE_S))


async def _append(context: Context, receiver: str, rows: int, appending: Callable[[], Awaitable[int]]) -> int:
    try:
        first = await appending()
    except Retryable:
        context.telemetry.rejected(receiver, rows, BUSY)
        raise
    except TreeringError:
        context.telemetry.rejected(receiver, rows, REFUSED)
        raise
    except BaseException:
        context.telemetry.rejected(receiver, rows, "store failed")
        raise
    context.telemetry.stored(receiver, rows)
    return first


def _forget(task: asyncio.Task[int]) -> None:
    _settling.discard(task)
    if not task.cancelled():
        task.exception()  # the caller got it, or has gone
