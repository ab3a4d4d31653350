"""Playbooks: the list, one, one run for an incident, and how its steps stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.answers import NotFound, body
from treering.api.incident_routes import actor
from treering.api.incidents import desk_of, missing
from treering.api.rendering import exact
from treering.app.casebook import Step as Noted
from treering.app.playbooks import STATES, Playbooks, checks_of
from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.app.casebook import Case
    from treering.respond.playbook import Playbook
    from treering.stage.source import Request

MAX_NOTE = 2000


class RunBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/incidents/{id}/playbook`."""

    playbook: str = ""
    step: str = ""


class StepBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/incidents/{id}/steps`."""

    playbook: str
    step: str
    state: str
    note: str = ""


async def playbooks(service: Service, _request: Request) -> Any:
    """Return all playbooks without their steps."""
    return {"playbooks": [_summary(found) for found in playbooks_of(service).all.values()]}


async def one(service: Service, request: Request) -> Any:
    """Return one playbook with its steps as they are written."""
    name = request.params["name"]
    if name not in playbooks_of(service).all:
        raise NotFound(f"no playbook {name[:60]!r}")
    found = playbooks_of(service).all[name]
    return {**_summary(found), "steps": [msgspec.to_builtins(step) for step in found.steps]}


async def run(service: Service, request: Request) -> Any:
    """Run the queries of a playbook (the fitting one unless named), or of one step, for an incident: read-only."""
    asked = body(request, RunBody)
    found = playbooks_of(service)

    def work() -> dict[str, Any]:
        case = _case(service, request.params["id"])
        chosen = found.get(asked.playbook) if asked.playbook else found.fitting(case)
        if chosen is None:
            raise NotFound(f"no playbook is for incidents of kind {case.incident.kind}")
        states = checks_of(desk_of(service), case, chosen)
        steps = [step for step in chosen.steps if asked.step in ("", step.id)]
        if not steps:
            raise UserError(f"playbook {chosen.name} has no step {asked.step[:60]!r}")
        shown = [
            {
                "id": step.id,
                "title": step.title,
                "text": step.text,
                "checks": list(step.checks),
                "state": states[step.id],
                "answers": [_answer(item) for item in found.run(step, case, chosen.margin_s)],
            }
            for step in steps
        ]
        return {"incident": case.incident.id, **_summary(chosen), "steps": shown}

    return await service.call(work)


async def note(service: Service, request: Request) -> Any:
    """Note how a step stands: `done`, `skipped` or `open`."""
    asked = body(request, StepBody)
    if asked.state not in STATES:
        raise UserError(f"{asked.state[:40]!r} is not a state of a step", hint=f"known: {', '.join(STATES)}")
    if len(asked.note) > MAX_NOTE:
        raise UserError(f"a note has at most {MAX_NOTE} characters")
    chosen = playbooks_of(service).get(asked.playbook)
    if asked.step not in {step.id for step in chosen.steps}:
        raise UserError(f"playbook {chosen.name} has no step {asked.step[:60]!r}")
    who, now = actor(service, request), service.clock.now_ns()

    def work() -> dict[str, Any]:
        case = _case(service, request.params["id"])
        desk = desk_of(service)
        desk.note_step(case.incident.id, Noted(chosen.name, asked.step, asked.state, who, now, asked.note))
        return {"incident": case.incident.id, "playbook": chosen.name, "steps": checks_of(desk, case, chosen)}

    return await service.call(work)


def playbooks_of(service: Service) -> Playbooks:
    """Return the playbooks, the shipped ones where nothing else is configured."""
    if service.playbooks is None:
        service.playbooks = Playbooks(service.store, service.clock)
    return service.playbooks


def _case(service: Service, identifier: str) -> Case:
    case = desk_of(service).book.case(identifier)
    if case is None:
        raise missing(identifier)
    return case


def _summary(found: Playbook) -> dict[str, Any]:
    return {
        "playbook": found.name,
        "title": found.title,
        "about": found.about,
        "kinds": list(found.kinds),
        "techniques": list(found.techniques),
    }


def _answer(item: Any) -> dict[str, Any]:
    return {
        "query": item.query,
        "schema": [{"name": name, "type": kind} for name, kind in item.columns],
        "datarows": exact([list(row) for row in item.rows]),
        "note": item.note,
    }


OPERATIONS = (
    ("GET", "/api/playbooks", playbooks),
    ("GET", "/api/playbooks/{name}", one),
    ("POST", "/api/incidents/{id}/playbook", run),
    ("POST", "/api/incidents/{id}/steps", note),
)
# Running a playbook only reads.
ANALYST = frozenset({("POST", "/api/incidents/{id}/steps")})
