"""What was noticed: findings by time, detector, state and entity; and what people made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api.answers import NotFound
from treering.api.instants import span_ns
from treering.api.selection import PLACE, PLACE_COLUMNS, both, by_time, column, direct, place
from treering.app.ledger import STATES, Ledger
from treering.core.errors import UserError
from treering.model.columns import SEQUENCE
from treering.model.finding import FINDINGS, Severity
from treering.model.times import format_ns
from treering.stage.store import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.api.service import Service
    from treering.app.ledger import Entry

_NAMED = {"detector": "finding.detector", "rule": "finding.rule", "state": "finding.state"}
_MOST = 100_000
_OTHERS = frozenset({"from", "to", "limit", "severity", "entity"})


async def findings(service: Service, asked: Mapping[str, str], limit: int) -> dict[str, Any]:
    """Return up to `limit` findings, the newest first, and how many there are.

    `asked` may hold `from`, `to`, `detector`, `rule`, `state`, `severity` (this and worse) and `entity` (`kind:name`).
    Raises `UserError` for another name and for values that cannot be.
    """
    if unknown := sorted(set(asked) - set(_NAMED) - _OTHERS):
        known = ", ".join(sorted({*_NAMED, *_OTHERS}))
        raise UserError(f"unknown parameter {unknown[0][:40]!r}", hint=f"known: {known}")
    conditions = _conditions(asked)
    if not await service.call(service.store.streams, FINDINGS):
        return {"findings": [], "total": 0}
    schema = await service.call(service.store.schema, (FINDINGS,))
    if any(schema.get(name) is None for name, _ in conditions):
        return {"findings": [], "total": 0}
    start_ns, end_ns = span_ns(asked.get("from"), asked.get("to"), service.clock.now_ns())
    where: exp.Expression | None = None
    for _, condition in conditions:
        where = condition if where is None else both(where, condition)
    fields = (*dict.fromkeys(name for name, _ in conditions), *PLACE)
    scan = Scan((FINDINGS,), fields, start_ns=start_ns, end_ns=end_ns, where=where)
    rows = (
        await service.run(direct(scan, by_time(exp.select(*place()), newest_first=True), PLACE_COLUMNS), 10_000)
    ).rows
    seqs = [row[1] for row in rows[:limit]]
    records = await service.call(service.store.records, FINDINGS, seqs)
    shown = [_shown(records[seq], seq) for seq in seqs if seq in records]
    return {"findings": shown, "total": len(rows)}


async def finding(service: Service, name: str) -> dict[str, Any]:
    """Return the finding with the fingerprint `name`, and the incident it belongs to. Raises `NotFound`."""
    found = await service.call(_ledger(service).entry, name)
    case = await service.call(service.incidents.book.case_of, name) if service.incidents is not None else None
    known = case.incident if case is not None else None
    incident = {"id": known.id, "title": known.title, "state": known.state.value} if known is not None else None
    return {**_entry(found, name), "incident": incident}


async def triage(service: Service, name: str, state: str, comment: str, by: str) -> dict[str, Any]:
    """Set the state of a finding and return it. Raises `NotFound`, and `UserError` for a state there is not."""
    found = await service.call(_ledger(service).triage, name, state, comment, by)
    if service.incidents is not None:
        await service.call(service.incidents.triaged, name, state)
    return _entry(found, name)


def _ledger(service: Service) -> Ledger:
    if service.ledger is None:
        service.ledger = Ledger(service.store, service.clock)
    return service.ledger


def _conditions(asked: Mapping[str, str]) -> list[tuple[str, exp.Expression]]:
    found: list[tuple[str, exp.Expression]] = []
    for name, field in _NAMED.items():
        if wanted := asked.get(name):
            if name == "state" and wanted not in STATES:
                raise UserError(f"{wanted[:40]!r} is not a state of a finding", hint=f"known: {', '.join(STATES)}")
            found.append((field, _equals(field, wanted)))
    if wanted := asked.get("severity"):
        if wanted not in list(Severity):
            raise UserError(f"{wanted[:40]!r} is not a severity", hint=f"known: {', '.join(Severity)}")
        least = exp.Literal.number(Severity(wanted).number)
        found.append(("severityNumber", exp.GTE(this=column("severityNumber"), expression=least)))
    if wanted := asked.get("entity"):
        kind, _, value = wanted.partition(":")
        if not kind or not value:
            raise UserError(f"entity={wanted[:60]!r} is not an entity", hint="write kind:name, as user:u-17")
        field = f"entities.{kind}"
        found.append((field, _equals(field, value)))
    return found


def _equals(field: str, value: str) -> exp.Expression:
    return exp.EQ(this=column(field), expression=exp.Literal.string(value))


def _entry(found: Entry | None, name: str) -> dict[str, Any]:
    if found is None:
        raise NotFound(f"no finding {name[:60]!r}")
    return _shown(found.record(), found.seq)


def _shown(record: Mapping[str, Any], seq: int) -> dict[str, Any]:
    """Return a finding as the API gives it: its record, instants as texts, where it is."""
    named = ("@timestamp", "startTime", "endTime")
    times = {name: format_ns(record[name]) for name in named if isinstance(record.get(name), int)}
    return {**record, **times, "ref": f"{FINDINGS}/{seq}", SEQUENCE: seq}
