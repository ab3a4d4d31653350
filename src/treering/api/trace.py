"""A trace put together: its spans in order of start, and the log records that carry its id."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api.answers import NotFound
from treering.api.levels import lookup
from treering.api.records import fetch, listed
from treering.api.rendering import exact, preview
from treering.api.selection import PLACE, PLACE_COLUMNS, by_time, direct, equals, place
from treering.core.errors import UserError
from treering.model.times import format_ns, rfc3339_ns
from treering.stage.store import Scan, Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.api.service import Service

_ID = re.compile(r"[0-9A-Za-z_.-]{1,128}")
_SPANS, _LOGS = 5000, 1000


async def trace(service: Service, trace_id: str) -> dict[str, Any]:
    """Return spans and logs of a trace (docs/api.md), at most 5000 and 1000. Raises `NotFound`."""
    if not _ID.fullmatch(trace_id):
        raise UserError(f"{trace_id[:60]!r} is not a trace id")
    spans, logs = await asyncio.gather(
        _carrying(service, "spans", trace_id, _SPANS), _carrying(service, "logs", trace_id, _LOGS)
    )
    if not spans and not logs:
        raise NotFound(f"no span or log record has the trace id {trace_id!r}")
    shown = [_span(ref, instant, record) for ref, instant, record in spans]
    shown.sort(key=lambda span: span["start"])
    rows = [listed(ref, instant, record) for ref, instant, record in logs]
    return {"trace_id": trace_id, "spans": shown, "logs": rows}


async def _carrying(
    service: Service, stream: str, trace_id: str, limit: int
) -> list[tuple[tuple[str, int], int, Mapping[str, Any]]]:
    names = [info.name for info in await service.call(service.store.streams, stream)]
    if not names or (await service.call(service.store.schema, names)).get("traceId") is None:
        return []
    scan = Scan(
        (stream,),
        ("traceId", *PLACE),
        tokens=Tokens("token", trace_id.lower(), "traceId") if trace_id.isalnum() else None,
        where=equals("traceId", trace_id),
    )
    select = by_time(exp.select(*place()), newest_first=False).limit(limit)
    result = await service.run(direct(scan, select, PLACE_COLUMNS), limit)
    return await fetch(service, result.rows)


def _span(ref: tuple[str, int], instant: int, record: Mapping[str, Any]) -> dict[str, Any]:
    start = _ns(record.get("startTime"), instant)
    end = _ns(record.get("endTime"), start)
    duration = record.get("durationInNanos")
    status = lookup(record, "status.code")
    return {
        "span_id": record.get("spanId"),
        "parent_span_id": record.get("parentSpanId") or None,
        "name": record.get("name"),
        "kind": record.get("kind"),
        "service": record.get("serviceName"),
        "start": format_ns(start),
        "duration_ns": duration if isinstance(duration, int) else max(0, end - start),
        "status": status,
        "ref": f"{ref[0]}/{ref[1]}",
        "attributes": preview(exact(record.get("attributes") or {})),
        "events": preview(exact(record.get("events") or [])),
    }


def _ns(value: Any, default: int) -> int:
    if isinstance(value, str):
        value = rfc3339_ns(value)
    return value if isinstance(value, int) else default
