"""Where detection stands, in SQLite: position, states and findings on their way, always saved together."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError
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


class Checkpoints:
    """Keeps the last checkpoint of each run by name. Use from one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file (in memory without a path). Raises `UserError`."""
        try:
            self._file = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            # Findings reach the store only after this file says so: it must not forget when the power fails.
            self._file.execute("PRAGMA synchronous = FULL")
            self._file.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UserError(f"cannot use {path}: {error}") from error

    def load(self, name: str) -> Checkpoint | None:
        """Return the last checkpoint of the run `name`, or None."""
        row = self._file.execute("SELECT position, step, about FROM progress WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        states = self._file.execute("SELECT detector, state FROM states WHERE name = ?", (name,)).fetchall()
        kept = self._file.execute("SELECT findings FROM outbox WHERE name = ?", (name,)).fetchone()
        found = msgspec.json.decode(kept[0], type=tuple[Finding, ...]) if kept else ()
        return Checkpoint(row[0], row[1], dict(states), msgspec.json.decode(row[2]), found)

    def save(self, name: str, at: Checkpoint) -> None:
        """Replace the checkpoint of the run `name`."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            progress = (name, at.position, at.step, msgspec.json.encode(at.about))
            self._file.execute("REPLACE INTO progress VALUES (?, ?, ?, ?)", progress)
            self._file.execute("DELETE FROM states WHERE name = ?", (name,))
            self._file.executemany("INSERT INTO states VALUES (?, ?, ?)", _rows(name, at.states))
            self._file.execute("DELETE FROM outbox WHERE name = ?", (name,))
            if at.findings:
                outbox = (name, at.step, msgspec.json.encode(at.findings))
                self._file.execute("INSERT INTO outbox VALUES (?, ?, ?)", outbox)

    def delivered(self, name: str) -> None:
        """Note that the findings of the last checkpoint are in the ledger."""
        self._file.execute("DELETE FROM outbox WHERE name = ?", (name,))

    def forget(self, name: str) -> None:
        """Remove the run `name`."""
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")
            for table in ("progress", "states", "outbox"):
                self._file.execute(f"DELETE FROM {table} WHERE name = ?", (name,))  # noqa: S608  our own names

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _rows(name: str, states: Mapping[str, bytes]) -> Sequence[tuple[str, str, bytes]]:
    return [(name, detector, state) for detector, state in states.items()]
