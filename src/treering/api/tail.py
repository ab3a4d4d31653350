"""New records as they come in, for as long as somebody reads."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.api import language
from treering.api.records import fetch, listed
from treering.api.selection import PLACE, PLACE_COLUMNS, both, column, named, over, place, rescan
from treering.model.columns import SEQUENCE
from treering.stage.store import ResultColumn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from treering.api.service import Service
    from treering.stage.store import Query, Scan

PAUSE_S = 0.4
_QUIET_S = 15.0  # proxies close a connection that says nothing for long
_AT_ONCE = 500


async def tail(service: Service, text: str) -> AsyncGenerator[bytes, None]:
    """Yield server-sent events: `records`, and `gap` with how many were left out for a reader that is too slow.

    Each round asks for what was stored since the last one, at most 500 records of it, the newest. So a slow reader
    costs no memory: what it misses is counted, not kept. Raises `UserError` before the first event.
    """
    position = await service.call(service.store.newest_seq)
    await language.check_records(service, text)
    return _events(service, text, position)


async def _events(service: Service, text: str, position: int) -> AsyncGenerator[bytes, None]:
    yield b": open\n\n"
    quiet = 0.0
    while True:
        await asyncio.sleep(PAUSE_S)
        end = await service.call(service.store.newest_seq)
        quiet += PAUSE_S
        if end > position:
            rows, matched = await _between(service, text, position, end)
            position = end
            if matched > len(rows):
                yield _event("gap", {"dropped": matched - len(rows)})
            if rows:
                yield _event("records", rows)
                quiet = 0.0
        if quiet >= _QUIET_S:
            yield b": quiet\n\n"
            quiet = 0.0


async def _between(service: Service, text: str, position: int, end: int) -> tuple[list[dict[str, Any]], int]:
    """Return the newest matching records numbered above `position` up to `end`, oldest first, and how many match."""
    fresh = both(
        exp.GT(this=column(SEQUENCE), expression=exp.Literal.number(position)),
        exp.LTE(this=column(SEQUENCE), expression=exp.Literal.number(end)),
    )
    if not await service.call(service.store.streams):
        return [], 0
    inner = await language.selected(service, text, PLACE, (None, None), whole=True)
    inner = rescan(inner, lambda scan: _narrowed(scan, fresh))
    rows = (await service.run(_newest_of(inner, fresh), _AT_ONCE)).rows
    found = await fetch(service, [row[:3] for row in reversed(rows)])
    return [listed(*item) for item in found], rows[0][3] if rows else 0


def _narrowed(scan: Scan, fresh: exp.Expression) -> Scan:
    where = fresh.copy() if scan.where is None else both(scan.where, fresh.copy())
    return dataclasses.replace(scan, where=where)


def _newest_of(inner: Query, fresh: exp.Expression) -> Query:
    matched = named(exp.Window(this=exp.Count(this=exp.Star())), "matched")
    order = exp.Ordered(this=column(SEQUENCE), desc=True)
    select = exp.select(*place(), matched).where(fresh.copy()).order_by(order).limit(_AT_ONCE)
    return over(inner, select, (*PLACE_COLUMNS, ResultColumn("matched", "bigint")))


def _event(name: str, data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
