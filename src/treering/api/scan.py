"""Back-fill through the server that owns the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.api.answers import NotFound
from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.api.service import Service


async def begin(service: Service, since: str) -> dict[str, Any]:
    """Start the detectors over the records of the last `since`, as `30d`, or go on with an interrupted scan."""
    if service.scans is None:
        raise UserError("this server does not scan")
    return await service.call(service.scans.begin, since)


async def progress(service: Service) -> dict[str, Any]:
    """Return how far the scan is. Raises `NotFound` when there was none."""
    found = service.scans.progress() if service.scans is not None else None
    if found is None:
        raise NotFound("no scan has been started", hint="POST /api/scan")
    return found
