"""Drills: announce one, ask how it goes, end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.answers import body
from treering.api.incident_routes import actor
from treering.app.drill.score import Result
from treering.core.errors import UserError
from treering.model.times import format_ns

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


class ResultBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/drills/result`."""

    run: str
    result: Result


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


async def note(service: Service, request: Request) -> dict[str, Any]:
    """Keep how a run went, as who ran it has counted; the page shows it."""
    asked = body(request, ResultBody)
    await service.call(_drills(service).note, asked.run, asked.result, actor(service, request))
    return {"kept": True}


async def results(service: Service, _request: Request) -> dict[str, Any]:
    """Return how the drills went, the newest first; none where no drill can be run."""
    entries = service.drills.results.entries if service.drills is not None else []
    shown = [{**msgspec.to_builtins(entry), "at": format_ns(entry.at_ns)} for entry in entries]
    for entry in shown:
        del entry["at_ns"]
    return {"drills": shown}


def _drills(service: Service) -> Drills:
    if service.drills is None:
        raise UserError("drills need a running server", hint="treering up, or treering drill --simulate")
    return service.drills


OPERATIONS = (
    ("GET", "/api/drills", results),
    ("POST", "/api/drills", begin),
    ("POST", "/api/drills/run", run),
    ("POST", "/api/drills/result", note),
)
# Who announces a drill decides what nobody is alarmed about.
ANALYST = frozenset({("POST", "/api/drills"), ("POST", "/api/drills/run"), ("POST", "/api/drills/result")})
