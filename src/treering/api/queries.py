"""Several PPL queries of one page in one call: answered at once, each with its own answer or its own error."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.query import query
from treering.core.errors import TreeringError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.api.service import Service

MOST = 60


class Asked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of the queries; what it leaves out is that of the whole call."""

    query: str
    start: str | None = msgspec.field(default=None, name="from")
    end: str | None = msgspec.field(default=None, name="to")
    limit: int | None = None


async def queries(
    service: Service,
    asked: Mapping[str, Asked],
    span: tuple[str | None, str | None] = (None, None),
    limit: int | None = None,
) -> dict[str, Any]:
    """Return the answers of up to 60 queries by their names, and the milliseconds that all took (docs/api.md).

    A query that cannot run (an unknown field, a stream that nobody has sent to yet) answers `{"error": …}` and leaves
    its neighbours alone. Raises `UserError` for more queries than that.
    """
    if len(asked) > MOST:
        raise UserError(f"{len(asked)} queries at once, the limit is {MOST}")
    began = time.monotonic()
    answers = await asyncio.gather(*(_one(service, one, span, limit) for one in asked.values()))
    took = round((time.monotonic() - began) * 1000)
    return {"answers": dict(zip(asked, answers, strict=True)), "took_ms": took}


async def _one(
    service: Service, asked: Asked, span: tuple[str | None, str | None], limit: int | None
) -> dict[str, Any]:
    start, end = (asked.start, asked.end) if asked.start or asked.end else span
    try:
        return await query(service, asked.query, start, end, limit if asked.limit is None else asked.limit)
    except TreeringError as error:
        return {"error": error.as_dict()}
