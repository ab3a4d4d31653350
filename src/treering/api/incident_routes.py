"""The routes of incidents: what docs/api.md lists under them, and who may call which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api import incidents
from treering.api.answers import body, number
from treering.app import evidence
from treering.core.errors import UserError
from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.stage.source import Request


class ChangeBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/incidents/{id}`."""

    state: str | None = None
    owner: str | None = None
    comment: str = ""


def actor(service: Service, request: Request) -> str:
    """Return the name of who sends the request."""
    return service.caller(request.headers.get("authorization", ""))


async def _list(service: Service, request: Request) -> Any:
    limit = number(request, "limit", 200, incidents.MAX_LIST)
    return await incidents.listed(service, request.query.get("state", ""), request.query.get("kind", ""), limit)


async def _show(service: Service, request: Request) -> Any:
    return await incidents.shown(service, request.params["id"])


async def _change(service: Service, request: Request) -> Any:
    asked = body(request, ChangeBody)
    who = actor(service, request)
    return await incidents.changed(service, request.params["id"], who, asked.state, asked.owner, asked.comment)


async def _evidence(service: Service, request: Request) -> Any:
    identifier, found = await incidents.frozen(service, request.params["id"])
    form = request.query.get("format", "json")
    if form == "json":
        return await service.call(evidence.bundle, identifier, found)
    if form != "zip":
        raise UserError(f"format={form[:20]!r} is not one of json, zip")
    content = await service.call(evidence.archive, identifier, found)
    disposition = f'attachment; filename="{identifier}-evidence.zip"'
    return Response(200, content, {"content-type": "application/zip", "content-disposition": disposition})


OPERATIONS = (
    ("GET", "/api/incidents", _list),
    ("GET", "/api/incidents/{id}", _show),
    ("POST", "/api/incidents/{id}", _change),
    ("GET", "/api/incidents/{id}/evidence", _evidence),
)
ANALYST = frozenset({("POST", "/api/incidents/{id}")})
