"""What people and the process know about incidents: SQLite in the data directory, so retention cannot touch it.

WAL mode with `synchronous=FULL`: a change that returned survives a power cut. One connection behind a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.app.statebook import Statebook
from treering.correlate.clue import Clue
from treering.model.incident import Incident, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "incidents.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS clues (fingerprint TEXT PRIMARY KEY, end_ns INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS clues_end ON clues (end_ns);
CREATE TABLE IF NOT EXISTS cases (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, kind TEXT NOT NULL, end_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL,
  updated_ns INTEGER NOT NULL, merged_into TEXT NOT NULL, published INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS changes (
  number INTEGER PRIMARY KEY, incident TEXT NOT NULL, at_ns INTEGER NOT NULL, actor TEXT NOT NULL, what TEXT NOT NULL,
  before TEXT NOT NULL, after TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_incident ON changes (incident);
CREATE TABLE IF NOT EXISTS evidence (
  incident TEXT NOT NULL, ref TEXT NOT NULL, finding TEXT NOT NULL, time_ns INTEGER NOT NULL,
  frozen_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (incident, ref)
);
CREATE TABLE IF NOT EXISTS steps (
  incident TEXT NOT NULL, playbook TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, actor TEXT NOT NULL,
  at_ns INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (incident, playbook, step)
);
"""


class Case(msgspec.Struct, frozen=True):
    """An incident with what the desk knows about it; `merged_into` is the id of the one that absorbed it."""

    incident: Incident
    created_ns: int
    updated_ns: int
    merged_into: str = ""


class Change(msgspec.Struct, frozen=True):
    """One line of an incident's history: who changed what when. A comment is `what="comment"` with its text `after`."""

    at_ns: int
    actor: str
    what: str
    before: str
    after: str


class Frozen(msgspec.Struct, frozen=True):
    """A copy of one evidence record: its reference, the finding it shows, its JSON text and that text's SHA-256."""

    ref: str
    finding: str
    time_ns: int
    frozen_ns: int
    sha256: str
    body: bytes


class Step(msgspec.Struct, frozen=True):
    """How one step of a playbook stands for an incident: `done`, `skipped` or `open`."""

    playbook: str
    step: str
    state: str
    actor: str
    at_ns: int
    note: str = ""


class Casebook(Statebook):
    """Keeps cases, their findings, changes and evidence. Safe to use from any thread."""

    def __init__(self, directory: Path | None) -> None:
        """Open the book in `directory`; None keeps it in memory."""
        super().__init__(None if directory is None else directory / NAME, _SCHEMA)

    # Findings

    def put_clues(self, clues: Iterable[Clue]) -> None:
        """Keep findings; one with a known fingerprint replaces the old."""
        rows = [(clue.fingerprint, _bounded(clue.finding.end_ns), msgspec.json.encode(clue)) for clue in clues]
        with self.writing():
            self._many("INSERT OR REPLACE INTO clues VALUES (?, ?, ?)", rows)

    def clues(self, since_ns: int, most: int) -> list[Clue]:
        """Return the findings that end at `since_ns` or later, at most the newest `most`."""
        rows = self._all("SELECT body FROM clues WHERE end_ns >= ? ORDER BY end_ns DESC LIMIT ?", since_ns, most)
        return [msgspec.json.decode(body, type=Clue) for (body,) in rows]

    def clues_of(self, fingerprints: Iterable[str]) -> list[Clue]:
        """Return the findings with these fingerprints, those that are kept."""
        wanted = msgspec.json.encode(list(fingerprints)).decode()
        rows = self._all("SELECT body FROM clues WHERE fingerprint IN (SELECT value FROM json_each(?))", wanted)
        return [msgspec.json.decode(body, type=Clue) for (body,) in rows]

    def newest_end_ns(self) -> int:
        """Return the end of the finding that ends last, 0 when there is none."""
        return int(self._all("SELECT COALESCE(MAX(end_ns), 0) FROM clues")[0][0])

    def drop_clues(self, before_ns: int) -> None:
        """Forget findings that ended before `before_ns` and belong to no incident."""
        kept = "SELECT f.value FROM cases, json_each(json_extract(CAST(cases.body AS TEXT), '$.findings')) AS f"
        self._run(f"DELETE FROM clues WHERE end_ns < ? AND fingerprint NOT IN ({kept})", before_ns)  # noqa: S608  constant

    # Cases

    def put_case(self, case: Case) -> None:
        """Keep a case, in place of the one with its id; it is not in its stream before `published`."""
        incident = case.incident
        self._run(
            "INSERT OR REPLACE INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            incident.id,
            incident.state.value,
            incident.kind,
            _bounded(incident.end_ns),
            case.created_ns,
            case.updated_ns,
            case.merged_into,
            bool(case.merged_into),
            msgspec.json.encode(incident),
        )

    def published(self, identifier: str) -> None:
        """Note that the case is in its stream as it is here."""
        self._run("UPDATE cases SET published = 1 WHERE id = ?", identifier)

    def unpublished(self) -> list[Case]:
        """Return the cases that a killed process could not write to their stream any more."""
        return [_case(row) for row in self._all(f"{_SELECT} WHERE published = 0 ORDER BY id")]

    def case(self, identifier: str) -> Case | None:
        """Return the case, or the one that absorbed it; None when there is none."""
        for _ in range(100):  # a chain of mergers cannot be longer than there were incidents
            rows = self._all(f"{_SELECT} WHERE id = ?", identifier)
            if not rows:
                return None
            case = _case(rows[0])
            if not case.merged_into:
                return case
            identifier = case.merged_into
        return None

    def cases(self, state: State | None = None, kind: str | None = None, most: int = 10_000) -> list[Case]:
        """Return cases that were not absorbed, those that ended last first."""
        where, values = "merged_into = ''", []
        if state is not None:
            where, values = where + " AND state = ?", [state.value]
        if kind is not None:
            where, values = where + " AND kind = ?", [*values, kind]
        return [
            _case(row) for row in self._all(f"{_SELECT} WHERE {where} ORDER BY end_ns DESC, id LIMIT ?", *values, most)
        ]

    def case_of(self, fingerprint: str) -> Case | None:
        """Return the case that a finding belongs to, the newest if there are several."""
        held = "EXISTS (SELECT 1 FROM json_each(json_extract(CAST(body AS TEXT), '$.findings')) AS f WHERE f.value = ?)"
        rows = self._all(f"{_SELECT} WHERE merged_into = '' AND {held} ORDER BY end_ns DESC, id LIMIT 1", fingerprint)
        return _case(rows[0]) if rows else None

    def absorbed(self, identifier: str) -> list[str]:
        """Return the ids that a case has absorbed."""
        return [row[0] for row in self._all("SELECT id FROM cases WHERE merged_into = ? ORDER BY id", identifier)]

    # What happened to them

    def note(self, identifier: str, change: Change) -> None:
        """Add a line to an incident's history."""
        self._run(
            "INSERT INTO changes (incident, at_ns, actor, what, before, after) VALUES (?, ?, ?, ?, ?, ?)",
            identifier,
            change.at_ns,
            change.actor,
            change.what,
            change.before,
            change.after,
        )

    def changes(self, identifier: str) -> list[Change]:
        """Return the history of an incident and of those it absorbed, oldest first."""
        ids = msgspec.json.encode([identifier, *self.absorbed(identifier)]).decode()
        columns = "at_ns, actor, what, before, after"
        query = (
            f"SELECT {columns} FROM changes WHERE incident IN (SELECT value FROM json_each(?)) ORDER BY at_ns, number"  # noqa: S608  constant
        )
        return [Change(*row) for row in self._all(query, ids)]

    def freeze(self, identifier: str, found: Iterable[Frozen]) -> None:
        """Keep copies of evidence; a reference that is kept already stays as it is."""
        rows = [(identifier, f.ref, f.finding, f.time_ns, f.frozen_ns, f.sha256, f.body) for f in found]
        self._many("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def adopt(self, identifier: str, absorbed: str) -> None:
        """Copy evidence and playbook steps of an absorbed incident to the one that absorbed it."""
        columns = "ref, finding, time_ns, frozen_ns, sha256, body"
        self._run(
            f"INSERT OR IGNORE INTO evidence SELECT ?, {columns} FROM evidence WHERE incident = ?",  # noqa: S608  constant
            identifier,
            absorbed,
        )
        self._run(
            "INSERT OR IGNORE INTO steps SELECT ?, playbook, step, state, actor, at_ns, note "
            "FROM steps WHERE incident = ?",
            identifier,
            absorbed,
        )

    def evidence(self, identifier: str) -> list[Frozen]:
        """Return the frozen evidence of an incident in order of time."""
        columns = "ref, finding, time_ns, frozen_ns, sha256, body"
        query = f"SELECT {columns} FROM evidence WHERE incident = ? ORDER BY time_ns, ref"  # noqa: S608  constant
        return [Frozen(*row) for row in self._all(query, identifier)]

    def frozen_refs(self, identifier: str) -> set[str]:
        """Return the references that are frozen."""
        return {row[0] for row in self._all("SELECT ref FROM evidence WHERE incident = ?", identifier)}

    def put_step(self, identifier: str, step: Step) -> None:
        """Note how a playbook step stands."""
        values = (identifier, step.playbook, step.step, step.state, step.actor, step.at_ns, step.note)
        self._run("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def steps(self, identifier: str) -> list[Step]:
        """Return the playbook steps that were noted."""
        query = "SELECT playbook, step, state, actor, at_ns, note FROM steps WHERE incident = ? ORDER BY at_ns, step"
        return [Step(*row) for row in self._all(query, identifier)]


_SELECT = "SELECT body, created_ns, updated_ns, merged_into FROM cases"


def _case(row: tuple[Any, ...]) -> Case:
    body, created, updated, merged = row
    return Case(msgspec.json.decode(body, type=Incident), created, updated, merged)


def _bounded(value: int) -> int:
    return max(-(2**63), min(2**63 - 1, value))
