"""Clients that leave before they have their answer: what they asked is not worked on any longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

T = TypeVar("T")


class Gone(Exception):  # noqa: N818  nothing went wrong here
    """The client left before its request was complete, or before it was answered."""


async def left(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_here(work: Awaitable[T], receive: Receive) -> T:
    """Return what `work` returns; when the client leaves first, cancel it. Raises `Gone` then."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
