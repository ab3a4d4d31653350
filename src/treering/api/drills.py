"""Drills: announce one, ask how it goes, end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.answers import body
from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.app.drill.drills import Drills
    from treering.stage.source import Request


class BeginBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/drills`."""

    label: str = ""
    minutes: float = 15.0


class AskBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/drills/run`."""

    run: str
    end: bool = False


async def begin(service: Service, request: Request) -> dict[str, Any]:
    """Announce a run. Raises `UserError` when nothing is watched here."""
    asked = body(request, BeginBody)
    drills = _drills(service)
    if service.detection() is None:
        raise UserError("detection is turned off on this server", hint="[detect] enabled = true")
    return await service.call(drills.begin, asked.label, asked.minutes)


async def run(service: Service, request: Request) -> dict[str, Any]:
    """Return what has been noticed of a run; with `end` it takes no more records and is settled soon."""
    asked = body(request, AskBody)
    drills = _drills(service)
    if asked.end:
        await service.call(drills.end, asked.run)
    status = service.detection() or {}
    return {**await service.call(drills.report, asked.run), "lag_records": status.get("lag_records", 0)}


def _drills(service: Service) -> Drills:
    if service.drills is None:
        raise UserError("drills need a running server", hint="treering up, or treering drill --simulate")
    return service.drills


OPERATIONS = (("POST", "/api/drills", begin), ("POST", "/api/drills/run", run))
# Who announces a drill decides what nobody is alarmed about.
ANALYST = frozenset({("POST", "/api/drills"), ("POST", "/api/drills/run")})
