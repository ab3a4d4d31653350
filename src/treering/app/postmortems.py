"""Gathers what a post-mortem is made of: the incident's book, what changed around it, its impact in numbers, charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering import query
from treering.app import evidence
from treering.app.playbooks import checks_of, values_of
from treering.core.errors import UserError
from treering.correlate import tactics
from treering.respond import parameters
from treering.respond.casefile import CaseFile, Counted, Happened, Kept, Noted, Series, Todo, Told
from treering.stage.store import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.app.alertbook import Alertbook
    from treering.app.casebook import Case
    from treering.app.incidents import Desk
    from treering.app.playbooks import Playbooks
    from treering.core.clock import Clock
    from treering.respond.parameters import Value
    from treering.stage.store import Result, Store

LIMITS = Limits(rows=2000, seconds=20.0, memory_bytes=512 << 20)
_HOUR_NS = 3600 * 10**9
_BUCKETS = 60
_MOST_CHANGES = 60
_WORDS = (
    "rollout %",
    "rollback %",
    "deployed %",
    "% deployed",
    "deployment %",
    "%reloaded%",
    "%index rebuil%",
    "%key rotated%",
    "document indexed %",
    "document removed %",
    "%upgraded to%",
    "%assign%role%",
    "%configuration changed%",
)
_CHANGES = "source=logs | where " + " or ".join(f"like(lower(body), '{word}')" for word in _WORDS)
_CALLS = "source=spans | where serviceName in ({{entity.service}})"
_TRACES = "source=spans | where traceId in ({{incident.traces}})"
_IMPACT = (
    ("Requests in evidence", f"{_TRACES} | stats dc(traceId) as requests"),
    ("Users of those requests", f"{_TRACES} | stats dc(attributes.user.id) as users"),
    ("Tenants of those requests", f"{_TRACES} | stats dc(attributes.tenant.id) as tenants"),
    ("Cost of those requests", f"{_TRACES} | stats sum(attributes.treering.cost.usd) as usd"),
    ("Calls of the services in that time", f"{_CALLS} | stats count() as calls"),
    ("Failed calls of the services in that time", f"{_CALLS} and status.code = 2 | stats count() as failed"),
    ("Users of the services in that time", f"{_CALLS} | stats dc(attributes.user.id) as users"),
    ("Cost of the services in that time", f"{_CALLS} | stats sum(attributes.treering.cost.usd) as usd"),
)
_FOUND = "source=findings | where finding.id in ({{incident.findings}})"
_LOGS = "source=logs | where serviceName in ({{entity.service}})"
# Title, unit, query (its span is put in), by what values are divided.
_CHARTS = (
    ("Calls", "calls", f"{_CALLS} | stats count() as value by span(`@timestamp`, SPAN)", 1.0),
    (
        "Latency, 95th percentile",
        "s",
        f"{_CALLS} | stats percentile(durationInNanos, 95) as value by span(`@timestamp`, SPAN)",
        1e9,
    ),
    (
        "Failed calls",
        "calls",
        f"{_CALLS} and status.code = 2 | stats count() as value by span(`@timestamp`, SPAN)",
        1.0,
    ),
    ("Log records", "records", f"{_LOGS} | stats count() as value by span(`@timestamp`, SPAN)", 1.0),
    (
        "Findings",
        "findings",
        f"{_FOUND} | stats count() as value by span(`@timestamp`, SPAN)",
        1.0,
    ),
)


class Gatherer:
    """Makes case files."""

    def __init__(
        self, store: Store, clock: Clock, desk: Desk, alerts: Alertbook | None, playbooks: Playbooks | None
    ) -> None:
        """Ask `store`; `alerts` and `playbooks` add what they know."""
        self._store = store
        self._clock = clock
        self._desk = desk
        self._alerts = alerts
        self._playbooks = playbooks

    def gather(self, case: Case) -> CaseFile:
        """Return everything about an incident. Queries that cannot be answered say so in the file."""
        incident, book = case.incident, self._desk.book
        held = {clue.fingerprint: clue.finding for clue in book.clues_of(incident.findings)}
        frozen = book.evidence(incident.id)
        changes = enumerate(book.changes(incident.id), 1)
        values = values_of(case)
        return CaseFile(
            incident=incident,
            findings=tuple(held[name] for name in incident.findings if name in held),
            noted=tuple(Noted(n, c.at_ns, c.actor, c.what, c.before, c.after) for n, c in changes),
            kept=tuple(Kept(item.ref, item.time_ns, item.sha256) for item in frozen),
            bundle_sha256=evidence.digest(frozen),
            changes=tuple(self._changes(incident.start_ns - _HOUR_NS, incident.end_ns + _HOUR_NS // 4)),
            impact=tuple(found for name, text in _IMPACT if (found := self._counted(name, text, values, case))),
            charts=tuple(self._charts(values, case)),
            told=tuple(self._told(case)),
            todo=tuple(self._todo(case)),
            stages={tactic.id: tactic.name for tactic in tactics.tactics()},
            made_ns=self._clock.now_ns(),
        )

    def _run(self, text: str, start_ns: int, end_ns: int) -> Result:
        compiled = query.compile(
            text,
            schema=self._store.schema,
            now_ns=self._clock.now_ns(),
            time_range=(start_ns, end_ns),
            rows=LIMITS.rows,
        )
        return self._store.run(compiled, LIMITS)

    def _counted(self, name: str, text: str, values: Mapping[str, Value], case: Case) -> Counted | None:
        try:
            bound = parameters.bound(text, values)
        except parameters.Absent:
            return None
        try:
            result = self._run(bound, case.incident.start_ns, case.incident.end_ns + 1)
        except UserError as error:
            return Counted(name, bound, note=error.message)
        row = result.rows[0] if result.rows else ()
        return Counted(name, bound, {c.name: v for c, v in zip(result.columns, row, strict=False)})

    def _charts(self, values: Mapping[str, Value], case: Case) -> list[Series]:
        incident = case.incident
        margin = max(_HOUR_NS // 2, (incident.end_ns - incident.start_ns) // 2)
        start, end = incident.start_ns - margin, incident.end_ns + margin
        seconds = max(1, (end - start) // 10**9 // _BUCKETS // 10 * 10)
        found = []
        for title, unit, text, divisor in _CHARTS:
            try:
                bound = parameters.bound(text.replace("SPAN", f"{seconds}s"), values)
                rows = self._run(bound, start, end).rows
            except (UserError, parameters.Absent):
                continue  # a stream or field that is not there has no chart
            points = sorted(
                (int(at), float(value) / divisor) for value, at in rows if at is not None and value is not None
            )
            if points:
                found.append(Series(title, unit, bound, tuple(points)))
        return found

    def _changes(self, start_ns: int, end_ns: int) -> list[Happened]:
        try:
            compiled = query.compile_records(
                _CHANGES,
                schema=self._store.schema,
                now_ns=self._clock.now_ns(),
                time_range=(start_ns, end_ns),
                rows=_MOST_CHANGES,
                ascending=True,
            )
            places = self._store.run(compiled, LIMITS).rows
        except UserError:
            return []
        records = self._store.records("logs", [seq for _, seq, _ in places])
        return [_happened(f"{stream}/{seq}", at, records[seq]) for stream, seq, at in places if seq in records]

    def _told(self, case: Case) -> list[Told]:
        if self._alerts is None:
            return []
        mine = {case.incident.id, *case.incident.findings}
        return [
            Told(item.delivery.receiver, item.delivery.delivered_ns, item.delivery.id)
            for item in reversed(self._alerts.deliveries("delivered", 1000))
            if any(alert.incident in mine or alert.finding in mine for alert in item.delivery.alerts)
        ]

    def _todo(self, case: Case) -> list[Todo]:
        chosen = None if self._playbooks is None else self._playbooks.fitting(case)
        if chosen is None:
            return []
        noted = {s.step: s for s in self._desk.book.steps(case.incident.id) if s.playbook == chosen.name}
        states = checks_of(self._desk, case, chosen)
        found = []
        for step in chosen.steps:
            by = noted.get(step.id)
            todo = Todo(chosen.name, step.title, states[step.id], by.actor if by else "", by.at_ns if by else 0)
            found.append(todo)
        return found


def _happened(ref: str, at_ns: int, record: Mapping[str, Any]) -> Happened:
    body, service = record.get("body"), record.get("serviceName")
    return Happened(
        ref, at_ns, service if isinstance(service, str) else "", body if isinstance(body, str) else str(body)
    )
