"""Answers without an end: server-sent events, until the client leaves or the server stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from treering.web.leaving import left

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, MutableMapping

    from treering.web.leaving import Receive

    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def send_stream(parts: AsyncGenerator[bytes, None], receive: Receive, send: Send, closing: asyncio.Event) -> None:
    """Send the parts as they come; close `parts` when they end, the client leaves, or `closing` is set."""
    work: tuple[Coroutine[Any, Any, None], ...] = (_send_all(parts, send), left(receive), _closed(closing))
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await parts.aclose()
    with suppress(OSError):
        await send({"type": "http.response.body", "body": b""})
    if isinstance(results[0], Exception):
        raise results[0]


async def _send_all(parts: AsyncGenerator[bytes, None], send: Send) -> None:
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _closed(closing: asyncio.Event) -> None:
    await closing.wait()
