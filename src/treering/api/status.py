"""How the running server is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import treering

if TYPE_CHECKING:
    from treering.api.service import Service


async def status(service: Service) -> dict[str, Any]:
    """Return version, uptime, size, listeners, the conservation law of every receiver, the store's health
    and how detection is doing (null where records are not watched)."""
    streams = await service.call(service.store.streams)
    health = await service.call(service.store.health)
    return {
        "version": treering.__version__,
        "uptime_s": round(service.clock.monotonic() - service.started, 3),
        "streams": len(streams),
        "rows": sum(info.rows for info in streams),
        "bytes": sum(info.bytes for info in streams),
        "listeners": [dataclasses.asdict(listener) for listener in service.listeners()],
        "conservation": [
            {**dataclasses.asdict(balance), "holds": balance.holds} for balance in service.telemetry.conservation()
        ],
        "store": dict(health),
        "detection": service.detection(),
    }
