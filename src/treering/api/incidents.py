"""Incidents: the list, one with everything about it, changes by people, and the frozen evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from treering.api.answers import NotFound
from treering.api.rendering import exact
from treering.app import evidence
from treering.core.errors import UserError
from treering.correlate import tactics
from treering.correlate.family import FAMILIES
from treering.correlate.graph import graph
from treering.correlate.risk import by_entity
from treering.model.finding import to_record
from treering.model.incident import State
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.api.service import Service
    from treering.app.casebook import Case, Change, Frozen
    from treering.app.incidents import Desk
    from treering.correlate.links import Link
    from treering.model.finding import Finding
    from treering.model.incident import Moment

T = TypeVar("T")
MAX_LIST = 1000
_RISKY = 20
_RELATED = 10
_RELATED_SCORE = 0.25


async def listed(service: Service, state: str = "", kind: str = "", limit: int = 200) -> dict[str, Any]:
    """Return incidents, those that ended last first, and the riskiest entities of now (docs/api.md)."""
    wanted = [_state(name) for name in state.split(",") if name]
    kinds = [_kind(name) for name in kind.split(",") if name]

    def read(desk: Desk) -> dict[str, Any]:
        cases = [
            case
            for case in desk.book.cases()
            if (not wanted or case.incident.state in wanted) and (not kinds or case.incident.kind in kinds)
        ]
        return {
            "incidents": [summary(case) for case in cases[: min(limit, MAX_LIST)]],
            "total": len(cases),
            "risk": _risky(desk),
        }

    return await _with_desk(service, read)


def summary(case: Case) -> dict[str, Any]:
    """Return one line of the list."""
    incident = case.incident
    return {
        "id": incident.id,
        "title": incident.title,
        "kind": incident.kind,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "owner": incident.owner,
        "start": format_ns(incident.start_ns),
        "end": format_ns(incident.end_ns),
        "noticed": format_ns(incident.noticed_ns),
        "updated": format_ns(case.updated_ns),
        "risk": incident.risk,
        "findings": len(incident.findings),
        "entities": [{"kind": entity.kind, "value": entity.value} for entity in incident.entities[:8]],
        "techniques": list(incident.techniques),
    }


async def shown(service: Service, identifier: str) -> dict[str, Any]:
    """Return everything about one incident (docs/api.md). Raises `NotFound`."""

    def read(desk: Desk) -> dict[str, Any]:
        case = desk.book.case(identifier)
        if case is None:
            raise missing(identifier)
        return whole(service, desk, case)

    return await _with_desk(service, read)


def whole(service: Service, desk: Desk, case: Case) -> dict[str, Any]:
    """Return an incident with findings, timeline, graph, evidence, history, comments and related incidents."""
    incident = case.incident
    findings = findings_of(desk, case)
    changes = desk.book.changes(incident.id)
    frozen = desk.book.evidence(incident.id)
    return {
        **summary(case),
        "created": format_ns(case.created_ns),
        "merged": desk.book.absorbed(incident.id),
        "entities": [{"kind": entity.kind, "value": entity.value} for entity in incident.entities],
        "findings": [_finding(finding) for finding in findings],
        "timeline": [_moment(moment) for moment in incident.timeline],
        "tactics": _stages(incident.timeline),
        "graph": graph(findings, incident.end_ns),
        "evidence": {"sha256": evidence.digest(frozen), "records": [_reference(item) for item in frozen]},
        "comments": [_comment(change) for change in changes if change.what == "comment"],
        "history": [_change(change) for change in changes],
        "related": _related(desk, case),
        "playbook": _playbook(service, case),
        "steps": [
            {"playbook": s.playbook, "step": s.step, "state": s.state, "by": s.actor, "at": format_ns(s.at_ns)}
            for s in desk.book.steps(incident.id)
        ],
    }


def findings_of(desk: Desk, case: Case) -> list[Finding]:
    """Return the findings of an incident in order of time."""
    held = {clue.fingerprint: clue.finding for clue in desk.book.clues_of(case.incident.findings)}
    return [held[name] for name in case.incident.findings if name in held]


async def changed(
    service: Service, identifier: str, actor: str, state: str | None, owner: str | None, comment: str
) -> dict[str, Any]:
    """Change state or owner, or add a comment, and return the incident. Raises `NotFound`, `UserError`."""
    if state is None and owner is None and not comment:
        raise UserError("nothing to change", hint="give state, owner or comment")
    wanted = None if state is None else _state(state)

    def write(desk: Desk) -> dict[str, Any]:
        case = desk.change(identifier, actor, state=wanted, owner=owner, comment=comment)
        if case is None:
            raise missing(identifier)
        return whole(service, desk, case)

    return await _with_desk(service, write)


async def frozen(service: Service, identifier: str) -> tuple[str, list[Frozen]]:
    """Return the incident's lasting id and its frozen evidence. Raises `NotFound`."""

    def read(desk: Desk) -> tuple[str, list[Frozen]]:
        case = desk.book.case(identifier)
        if case is None:
            raise missing(identifier)
        return case.incident.id, desk.book.evidence(case.incident.id)

    return await _with_desk(service, read)


async def _with_desk(service: Service, work: Callable[[Desk], T]) -> T:
    return await service.call(work, desk_of(service))


def desk_of(service: Service) -> Desk:
    """Return the desk. Raises `NotFound` where no incidents are kept."""
    if service.incidents is None:
        raise NotFound("no incidents are kept here")
    return service.incidents


def _playbook(service: Service, case: Case) -> str:
    found = None if service.playbooks is None else service.playbooks.fitting(case)
    return "" if found is None else found.name


def missing(identifier: str) -> NotFound:
    """Return the error that there is no such incident."""
    hint = "`treering incident list` and GET /api/incidents name those there are"
    return NotFound(f"no incident {identifier[:60]!r}", hint=hint)


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        raise UserError(f"{name[:40]!r} is not a state of an incident", hint=f"known: {', '.join(State)}") from None


def _kind(name: str) -> str:
    if name not in FAMILIES:
        raise UserError(f"{name[:40]!r} is not a kind of incident", hint=f"known: {', '.join(FAMILIES)}")
    return name


def _risky(desk: Desk) -> list[dict[str, Any]]:
    end = desk.book.newest_end_ns()
    clues = desk.book.clues(end - 86_400 * 10**9, 5000)
    found = by_entity([clue.finding for clue in clues], end)
    return [
        {"kind": entity.kind, "value": entity.value, "risk": value} for entity, value in list(found.items())[:_RISKY]
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    record = to_record(finding)
    del record["finding"]
    shown: dict[str, Any] = exact(record)
    return {
        "id": finding.fingerprint,
        "detector": finding.detector,
        "rule": finding.rule,
        **shown,
        "@timestamp": format_ns(finding.noticed_ns),
        "startTime": format_ns(finding.start_ns),
        "endTime": format_ns(finding.end_ns),
        "evidence": [
            {
                "ref": evidence.reference(item),
                "time": format_ns(item.time_ns),
                "field": item.field,
                "excerpt": item.excerpt,
                "spans": item.spans,
                "trace_id": item.trace_id,
                "span_id": item.span_id,
            }
            for item in finding.evidence
        ],
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "time": format_ns(moment.time_ns),
        "text": moment.text,
        "tactic": _tactic(moment.tactic),
        "finding": moment.finding,
    }


def _stages(timeline: Sequence[Moment]) -> list[dict[str, Any]]:
    """Return the tactics that occur, in the order of the matrix, each with its first moment and how many there are."""
    found: dict[str, list[int]] = {}
    for moment in timeline:
        if moment.tactic:
            found.setdefault(moment.tactic, []).append(moment.time_ns)
    order = [tactic.id for tactic in tactics.tactics()]
    known = sorted(found, key=lambda name: order.index(name) if name in order else len(order))
    return [
        {"id": name, "name": tactics.name(name), "first": format_ns(min(found[name])), "moments": len(found[name])}
        for name in known
    ]


def _tactic(identifier: str) -> dict[str, str] | None:
    return {"id": identifier, "name": tactics.name(identifier)} if identifier else None


def _reference(item: Frozen) -> dict[str, Any]:
    return {"ref": item.ref, "finding": item.finding, "time": format_ns(item.time_ns), "sha256": item.sha256}


def _comment(change: Change) -> dict[str, Any]:
    return {"at": format_ns(change.at_ns), "by": change.actor, "text": change.after}


def _change(change: Change) -> dict[str, Any]:
    return {
        "at": format_ns(change.at_ns),
        "by": change.actor,
        "what": change.what,
        "before": change.before,
        "after": change.after,
    }


def _related(desk: Desk, case: Case) -> list[dict[str, Any]]:
    """Return other incidents that weak links lead to: what they share did not suffice to join them."""
    owners = {name: other for other in desk.book.cases() for name in other.incident.findings}
    best: dict[str, tuple[Link, Case]] = {}
    for link in desk.folded.weak:
        if link.score >= _RELATED_SCORE:
            for mine, theirs in ((link.one, link.other), (link.other, link.one)):
                other = owners.get(theirs)
                if mine not in owners or owners[mine].incident.id != case.incident.id or other is None:
                    continue
                name = other.incident.id
                if name != case.incident.id and (name not in best or best[name][0].score < link.score):
                    best[name] = (link, other)
    found = sorted(best.values(), key=lambda item: -item[0].score)[:_RELATED]
    return [_related_line(link, other) for link, other in found]


def _related_line(link: Link, other: Case) -> dict[str, Any]:
    through: list[Mapping[str, str]] = [{"kind": entity.kind, "value": entity.value} for entity in link.through]
    return {"id": other.incident.id, "title": other.incident.title, "score": link.score, "through": through}
