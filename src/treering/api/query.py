"""Any PPL query, as a table; and what an editor asks while one is typed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from treering.api import language, plan
from treering.api.instants import span_ns
from treering.api.rendering import exact

if TYPE_CHECKING:
    from treering.api.service import Service


async def query(
    service: Service, text: str, start: str | None = None, end: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return the answer of `text`: schema, rows, and what it cost (docs/api.md). Raises `UserError` with a position."""
    began = time.monotonic()
    range_ns = span_ns(start, end, service.clock.now_ns())
    rows = service.limits.rows if limit is None else max(0, min(limit, service.limits.rows))
    if (explained := await plan.table(service, text, range_ns)) is not None:
        return {**explained, "took_ms": round((time.monotonic() - began) * 1000), "rows_scanned": 0, "bytes_scanned": 0}
    compiled = await language.compiled(service, text, range_ns, rows)
    result = await service.run(compiled, rows)
    shown = language.rendered(result)
    return {
        **shown,
        "datarows": exact(shown["datarows"]),
        "took_ms": round((time.monotonic() - began) * 1000),
        "rows_scanned": result.rows_scanned,
        "bytes_scanned": result.bytes_scanned,
    }
