"""Playbooks over the incidents of a data directory: the steps' queries with the incident's values, run read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering import query
from treering.core.errors import UserError
from treering.respond import parameters, playbook
from treering.respond.parameters import Instant
from treering.stage.store import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from treering.app.casebook import Case
    from treering.app.incidents import Desk
    from treering.core.clock import Clock
    from treering.respond.parameters import Value
    from treering.respond.playbook import Playbook, Step
    from treering.stage.store import Store

LIMITS = Limits(rows=200, seconds=20.0, memory_bytes=512 << 20)
KINDS = (
    "user session trace run document key agent tool model service endpoint host tenant collection address template"
).split()
STATES = ("done", "skipped", "open")


class Answered(msgspec.Struct, frozen=True):
    """One query of a step as it was run: its text and rows, or why there are none."""

    query: str
    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    note: str = ""


class Playbooks:
    """The shipped playbooks and those of a directory."""

    def __init__(self, store: Store, clock: Clock, directory: Path | None = None) -> None:
        """Read them. Raises `UserError` for one that cannot be read."""
        self._store = store
        self._clock = clock
        self.all = playbook.library(directory)

    def get(self, name: str) -> Playbook:
        """Return one by name. Raises `UserError`."""
        if (found := self.all.get(name)) is None:
            raise UserError(f"no playbook {name[:60]!r}", hint=f"known: {', '.join(self.all)}")
        return found

    def fitting(self, case: Case) -> Playbook | None:
        """Return the playbook that fits an incident."""
        return playbook.choose(self.all.values(), case.incident)

    def run(self, step: Step, case: Case, margin_s: int) -> list[Answered]:
        """Return the answers of a step's queries around the time of the incident; nothing is changed by them."""
        values = values_of(case)
        return [self._answer(text, values, case, margin_s) for text in step.queries]

    def _answer(self, text: str, values: dict[str, Value], case: Case, margin_s: int) -> Answered:
        margin = margin_s * 10**9
        span = (case.incident.start_ns - margin, case.incident.end_ns + margin)
        try:
            bound = parameters.bound(text, values)
        except parameters.Absent as absent:
            return Answered(text, note=f"this incident has no {absent.name}")
        try:
            compiled = query.compile(
                bound, schema=self._store.schema, now_ns=self._clock.now_ns(), time_range=span, rows=LIMITS.rows
            )
            result = self._store.run(compiled, LIMITS)
        except UserError as error:
            return Answered(bound, note=error.message)
        shown = query.render(result)
        columns = tuple((column["name"], column["type"]) for column in shown["schema"])
        return Answered(bound, columns, tuple(tuple(row) for row in shown["datarows"]))


def values_of(case: Case) -> dict[str, Value]:
    """Return what a playbook can name: `incident.*`, and `entity.KIND` as the list of names of that kind."""
    incident = case.incident
    values: dict[str, Value] = {
        "incident.id": incident.id,
        "incident.kind": incident.kind,
        "incident.start": Instant(incident.start_ns),
        "incident.end": Instant(incident.end_ns),
        "incident.noticed": Instant(incident.noticed_ns),
        "incident.findings": incident.findings,
        "incident.traces": tuple(e.value for e in incident.entities if e.kind == "trace"),
    }
    for kind in dict.fromkeys([*KINDS, *(entity.kind for entity in incident.entities)]):
        values[f"entity.{kind}"] = tuple(e.value for e in incident.entities if e.kind == kind)
    return values


def checks_of(desk: Desk, case: Case, found: Playbook) -> dict[str, str]:
    """Return how the steps of a playbook stand for an incident: `done`, `skipped` or `open`."""
    noted = {step.step: step.state for step in desk.book.steps(case.incident.id) if step.playbook == found.name}
    return {step.id: noted.get(step.id, "open") for step in found.steps}
