"""What there is to ask about: streams and their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.api.answers import NotFound
from treering.model.times import format_ns
from treering.query import naming

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
    """Return the fields of the streams that `source` (names or patterns, comma between) means. Raises `NotFound`.

    Calls have all canonical fields, also those that no record has yet.
    """
    asked = tuple(part.strip() for part in source.split(",") if part.strip())
    patterns = naming.streams(asked)
    known = await service.call(service.store.streams)
    more = naming.declared(asked)
    if not any([await service.call(service.store.streams, pattern) for pattern in patterns]):
        if not more and (known or patterns != ("logs",)):
            raise NotFound(f"no stream named {source[:80]!r}", hint=f"known: {', '.join(info.name for info in known)}")
        return {"fields": [{"name": name, "type": kind} for name, kind in more.items()]}
    schema = await service.call(service.store.schema, patterns)
    held = {field.name: field.type for field in schema}
    return {"fields": [{"name": name, "type": kind} for name, kind in {**held, **more, **held}.items()]}
