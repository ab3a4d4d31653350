"""How many bytes of requests may be in memory at once."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from treering.web.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Budget:
    """Bytes that requests share, given out in the order they asked.

    A request that finds none waits with its body unread, so that TCP holds the sender back, which costs no sender its
    data; only after `wait_s` it is answered 429.
    """

    def __init__(self, limit: int, wait_s: float) -> None:
        """Give out `limit` bytes."""
        self.limit = limit
        self.used = 0
        self._wait_s = wait_s
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Have `size` bytes (at most all of them) for as long as the block runs."""
        size = min(size, self.limit)
        await self._take(size)
        try:
            yield
        finally:
            self.used -= size
            self._wake()

    async def _take(self, size: int) -> None:
        if not self._waiting and self.used + size <= self.limit:
            self.used += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._wait_s)
        except BaseException as error:
            if turn.done():
                self.used -= size
            else:
                turn.cancel()
            self._wake()
            if isinstance(error, TimeoutError):
                raise Problem(429, "too many bytes of requests in flight", {"retry-after": "2"}) from None
            raise

    def _wake(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if turn.done():
                self._waiting.popleft()
                continue
            if self.used + size > self.limit:
                return
            self._waiting.popleft()
            self.used += size
            turn.set_result(None)
