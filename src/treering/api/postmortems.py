"""`GET /api/incidents/{id}/postmortem`: a cited draft, as Markdown or as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.api.incidents import desk_of, missing
from treering.app.postmortems import Gatherer
from treering.core.errors import UserError
from treering.respond import html, markdown, postmortem
from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.stage.source import Request

_KINDS = {"md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}


async def draft(service: Service, request: Request) -> Any:
    """Return the post-mortem of an incident, made anew from its record."""
    form = request.query.get("format", "md")
    if form not in _KINDS:
        raise UserError(f"format={form[:20]!r} is not one of md, html")
    desk, identifier = desk_of(service), request.params["id"]

    def work() -> tuple[str, str]:
        case = desk.book.case(identifier)
        if case is None:
            raise missing(identifier)
        alerts = None if service.alerts is None else service.alerts.book
        found = Gatherer(service.store, service.clock, desk, alerts, service.playbooks).gather(case)
        document = postmortem.build(found)
        return case.incident.id, markdown.render(document) if form == "md" else html.render(document)

    name, text = await service.call(work)
    headers = {
        "content-type": _KINDS[form],
        "content-security-policy": f"{html.POLICY}; sandbox",
        "content-disposition": f'inline; filename="{name}-postmortem.{form}"',
        "cache-control": "no-store",
    }
    return Response(200, text.encode(), headers)


OPERATIONS = (("GET", "/api/incidents/{id}/postmortem", draft),)
