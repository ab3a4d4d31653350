"""What there is to ask about: streams and their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.api.answers import NotFound
from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.api.service import Service


async def streams(service: Service) -> dict[str, Any]:
    """Return every stream with its rows, bytes on disk, and first and last instant."""
    found = await service.call(service.store.streams)
    return {
        "streams": [
            {
                "name": info.name,
                "rows": info.rows,
                "bytes": info.bytes,
                "first": None if info.first_ns is None else format_ns(info.first_ns),
                "last": None if info.last_ns is None else format_ns(info.last_ns),
            }
            for info in found
        ]
    }


async def fields(service: Service, source: str) -> dict[str, Any]:
    """Return the fields of the streams that `source` (names or patterns, comma between) means. Raises `NotFound`."""
    patterns = tuple(part.strip() for part in source.split(",") if part.strip())
    known = await service.call(service.store.streams)
    if not known and patterns == ("logs",):
        return {"fields": []}
    if not any([await service.call(service.store.streams, pattern) for pattern in patterns]):
        raise NotFound(f"no stream named {source[:80]!r}", hint=f"known: {', '.join(info.name for info in known)}")
    schema = await service.call(service.store.schema, patterns)
    return {"fields": [{"name": field.name, "type": field.type} for field in schema]}
