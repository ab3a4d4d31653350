"""Records that a query selects, a page at a time."""

from __future__ import annotations

import base64
import dataclasses
import time
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api import language
from treering.api.instants import span_ns
from treering.api.records import fetch, listed
from treering.api.selection import PLACE, PLACE_COLUMNS, beyond, both, by_time, over, place, rescan
from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.stage.store import Scan

MOST = 1000


async def search(
    service: Service,
    text: str,
    span: tuple[str | None, str | None] = (None, None),
    size: int = 100,
    after: str | None = None,
    order: str = "desc",
) -> dict[str, Any]:
    """Return up to `size` records that `text` selects, and where the next page begins (docs/api.md).

    `order` is "desc" (newest first) or "asc". `after` is the `after` of the page before. Raises `UserError` for a
    query with commands other than `search` and `where`.
    """
    if order not in {"desc", "asc"}:
        raise UserError(f"order {order[:20]!r} is neither 'desc' nor 'asc'")
    began = time.monotonic()
    size = max(1, min(size, MOST))
    newest_first = order == "desc"
    range_ns = span_ns(*span, service.clock.now_ns())
    newest = size if newest_first else None
    inner = await language.selected(service, text, PLACE, range_ns, whole=True, newest=newest)
    select = by_time(exp.select(*place()), newest_first=newest_first).limit(size)
    if after is not None:
        position = _position(after)
        condition = beyond(position, newest_first=newest_first)
        select = select.where(condition)
        inner = rescan(inner, lambda scan: _from(scan, position, condition, newest_first=newest_first))
    rows = (await service.run(over(inner, select, PLACE_COLUMNS), size)).rows
    found = [listed(*item) for item in await fetch(service, rows)]
    more = _cursor(rows[-1][2], rows[-1][1]) if len(rows) == size else None
    return {"records": found, "after": more, "took_ms": round((time.monotonic() - began) * 1000)}


def _from(scan: Scan, at: tuple[int, int], condition: exp.Expression, *, newest_first: bool) -> Scan:
    """Narrow the scan to what can still come, so that the store skips what earlier pages showed."""
    where = scan.where
    if scan.newest is not None:
        where = condition.copy() if where is None else both(where, condition.copy())
    if newest_first:
        end = at[0] + 1 if scan.end_ns is None else min(scan.end_ns, at[0] + 1)
        return dataclasses.replace(scan, where=where, end_ns=end)
    start = at[0] if scan.start_ns is None else max(scan.start_ns, at[0])
    return dataclasses.replace(scan, where=where, start_ns=start)


def _cursor(instant: int, number: int) -> str:
    return base64.urlsafe_b64encode(f"{instant}:{number}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(cursor[:80] + "=" * (-len(cursor) % 4)).decode("ascii")
        instant, _, number = text.partition(":")
        return int(instant), int(number)
    except ValueError as error:
        raise UserError(
            "`after` is not a place in a list of records", hint="pass on the `after` of the page before"
        ) from error
