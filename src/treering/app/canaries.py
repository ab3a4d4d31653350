"""Canaries: tokens that are planted where nobody should read, kept as hashes in the data directory.

A canary begins with six letters of this installation, drawn at random, by which the detector looks for it; the rest is
100 bits of chance. What is kept is its SHA-256 and that of its first 18 letters (60 bits of chance), by which a part
is known; so who reads the file cannot tell the planted tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from treering.core.clock import SystemClock
from treering.core.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from treering.app.config import Detect
    from treering.core.clock import Clock

FILE = "canaries.sqlite"
Kind = Literal["token", "document", "url", "email"]
KINDS: tuple[Kind, ...] = ("token", "document", "url", "email")
_RARE, _LETTERS = "qxzjvk", "abcdefghijklmnopqrstuvwxyz234567"
_PREFIX, _LENGTH, HEAD = 6, 20, 18
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (prefix TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS canaries (
  id TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, label TEXT NOT NULL, kind TEXT NOT NULL,
  created_ns INTEGER NOT NULL, retired_ns INTEGER, head TEXT NOT NULL DEFAULT ''
);
"""


class Planted(NamedTuple):
    """A canary as it is kept: `retired_ns` is None while it is looked for."""

    id: str
    sha256: str
    label: str
    kind: str
    created_ns: int
    retired_ns: int | None


class New(NamedTuple):
    """A new canary: its id, the token itself, which is shown once, and what to plant."""

    id: str
    text: str
    plant: str


class Canaries:
    """The canaries of one data directory. Several processes may use the file."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        """Open or create the file. Raises `UserError` when it cannot be used."""
        self._clock = clock or SystemClock()
        path = directory / FILE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # No write-ahead log: that a canary came or went has to show in the file itself, which the detector watches.
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            self._db.executescript(_SCHEMA)
            if "head" not in {row[1] for row in self._db.execute("PRAGMA table_info(canaries)")}:  # of an older version
                self._db.execute("ALTER TABLE canaries ADD COLUMN head TEXT NOT NULL DEFAULT ''")
            path.chmod(0o600)
            self.prefix = self._prefix()
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"cannot use {path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def new(self, label: str, kind: str = "token", base: str = "") -> New:
        """Make a canary. `base` is the address before a url's token, or an e-mail address's domain.

        Raises `UserError` for a kind there is not, and for a url or e-mail without its base.
        """
        if kind not in KINDS:
            raise UserError(f"no kind of canary is called {kind[:40]!r}", hint=f"known: {', '.join(KINDS)}")
        if kind in ("url", "email") and not base:
            raise UserError(
                f"a canary of kind {kind} needs a base", hint="--base https://host/path or --base example.org"
            )
        text = self.prefix + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        name = secrets.token_hex(4)
        self._db.execute(
            "INSERT INTO canaries VALUES (?, ?, ?, ?, ?, NULL, ?)",
            (name, digest(text), label[:200], kind, self._clock.now_ns(), digest(text[:HEAD])),
        )
        return New(name, text, _plant(text, kind, base))

    def all(self) -> list[Planted]:
        """Return the canaries, the newest first."""
        columns = "id, sha256, label, kind, created_ns, retired_ns"
        rows = self._db.execute(f"SELECT {columns} FROM canaries ORDER BY created_ns DESC, id").fetchall()  # noqa: S608  constant
        return [Planted(*row) for row in rows]

    def retire(self, name: str) -> None:
        """Look for a canary no longer. Raises `UserError` when none has the id `name`."""
        done = self._db.execute(
            "UPDATE canaries SET retired_ns = COALESCE(retired_ns, ?) WHERE id = ?", (self._clock.now_ns(), name)
        )
        if not done.rowcount:
            raise UserError(f"no canary has the id {name[:40]!r}", hint="`treering canary list` shows them")

    def _prefix(self) -> str:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            row = self._db.execute("SELECT prefix FROM settings").fetchone()
            found = str(row[0]) if row else secrets.choice(_RARE) + "".join(
                secrets.choice(_LETTERS) for _ in range(_PREFIX - 1)
            )  # fmt: skip
            if row is None:
                self._db.execute("INSERT INTO settings VALUES (?)", (found,))
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return found


def digest(text: str) -> str:
    """Return what is kept of a canary. A token of 100 bits of chance needs no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def watching(settings: Detect, directory: Path, *, instead: bool = False) -> Detect:
    """Return the settings of detection with the canaries of `directory`; `instead` of a file that is configured."""
    own, table = settings.settings.get("canaries", {}), {"file": str(directory / FILE)}
    table = {**own, **table} if instead else {**table, **own}
    return msgspec.structs.replace(settings, settings={**settings.settings, "canaries": table})


def _plant(text: str, kind: str, base: str) -> str:
    if kind == "document":
        return f"Internal reference {text}. Do not copy or pass on."
    if kind == "url":
        return f"{base.rstrip('/')}/{text}"
    return f"{text}@{base.lstrip('@')}" if kind == "email" else text
