"""Where detection stands, in SQLite: position, states and findings on their way, always saved together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.app.statebook import Statebook
from treering.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = "detection.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS progress (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, step INTEGER NOT NULL, about BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS states (
    name TEXT NOT NULL, detector TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (name, detector)
) STRICT;
CREATE TABLE IF NOT EXISTS outbox (name TEXT PRIMARY KEY, step INTEGER NOT NULL, findings BLOB NOT NULL) STRICT;
"""


class Checkpoint(msgspec.Struct, frozen=True):
    """One moment of a run: everything up to the record numbered `position` has been watched.

    `findings` belong to `step`; until `Checkpoints.delivered` they may or may not be in the ledger. `about` is what
    the run itself wants to remember (its watermark).
    """

    position: int
    step: int
    states: dict[str, bytes] = {}
    about: dict[str, Any] = {}
    findings: tuple[Finding, ...] = ()


class Checkpoints(Statebook):
    """Keeps the last checkpoint of each run by name. Findings reach the store only after this file says so."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file (in memory without a path). Raises `UserError`."""
        super().__init__(path, _SCHEMA)

    def load(self, name: str) -> Checkpoint | None:
        """Return the last checkpoint of the run `name`, or None."""
        rows = self._all("SELECT position, step, about FROM progress WHERE name = ?", name)
        if not rows:
            return None
        states = dict(self._all("SELECT detector, state FROM states WHERE name = ?", name))
        kept = self._all("SELECT findings FROM outbox WHERE name = ?", name)
        found = msgspec.json.decode(kept[0][0], type=tuple[Finding, ...]) if kept else ()
        position, step, about = rows[0]
        return Checkpoint(position, step, states, msgspec.json.decode(about), found)

    def save(self, name: str, at: Checkpoint) -> None:
        """Replace the checkpoint of the run `name`."""
        with self.writing():
            about = msgspec.json.encode(at.about)
            self._run("REPLACE INTO progress VALUES (?, ?, ?, ?)", name, at.position, at.step, about)
            self._run("DELETE FROM states WHERE name = ?", name)
            self._many("INSERT INTO states VALUES (?, ?, ?)", _rows(name, at.states))
            self._run("DELETE FROM outbox WHERE name = ?", name)
            if at.findings:
                self._run("INSERT INTO outbox VALUES (?, ?, ?)", name, at.step, msgspec.json.encode(at.findings))

    def delivered(self, name: str) -> None:
        """Note that the findings of the last checkpoint are in the ledger."""
        self._run("DELETE FROM outbox WHERE name = ?", name)

    def forget(self, name: str) -> None:
        """Remove the run `name`."""
        with self.writing():
            for table in ("progress", "states", "outbox"):
                self._run(f"DELETE FROM {table} WHERE name = ?", name)  # noqa: S608  our own names


def _rows(name: str, states: Mapping[str, bytes]) -> Sequence[tuple[str, str, bytes]]:
    return [(name, detector, state) for detector, state in states.items()]
