"""What the process knows about alerts: SQLite in the data directory, so that a killed one goes on where it was.

A delivery and the state of its group are written in one transaction: each change is queued exactly once. It leaves the
queue only when its receiver took it, or when it is given up, which stays visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.alert._grouping import Group
from treering.app.statebook import Statebook
from treering.model.delivery import Alert, Delivery

if TYPE_CHECKING:
    from pathlib import Path

NAME = "alerts.sqlite"
KEPT_NS = 7 * 86_400 * 10**9
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY, rule TEXT NOT NULL, seen_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS pending (id TEXT PRIMARY KEY, rule TEXT NOT NULL, since_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
  rule TEXT NOT NULL, finding TEXT NOT NULL, count INTEGER NOT NULL, at_ns INTEGER NOT NULL, PRIMARY KEY (rule, finding)
);
CREATE TABLE IF NOT EXISTS rules (name TEXT PRIMARY KEY, asked_ns INTEGER NOT NULL, error TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (key TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  id TEXT PRIMARY KEY, receiver TEXT NOT NULL, group_key TEXT NOT NULL, number INTEGER NOT NULL,
  created_ns INTEGER NOT NULL, next_ns INTEGER NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state, next_ns);
CREATE TABLE IF NOT EXISTS silences (
  id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL,
  author TEXT NOT NULL, comment TEXT NOT NULL
);
"""


class Held(msgspec.Struct, frozen=True):
    """An alert with its identity (rule and labels), when it was last said, and when it last changed."""

    id: str
    alert: Alert
    seen_ns: int
    changed_ns: int


class Quiet(msgspec.Struct, frozen=True):
    """A silence: its conditions as they are written, from when to when, by whom and why."""

    id: str
    matchers: tuple[str, ...]
    starts_ns: int
    ends_ns: int
    author: str
    comment: str = ""


class Queued(msgspec.Struct, frozen=True):
    """A delivery in the queue: `waiting`, `delivered` or `failed`, and when it is tried next."""

    delivery: Delivery
    state: str
    next_ns: int


class Alertbook(Statebook):
    """Keeps alerts, groups, deliveries and silences. Safe to use from any thread."""

    def __init__(self, directory: Path | None) -> None:
        """Open the book in `directory`; None keeps it in memory."""
        super().__init__(None if directory is None else directory / NAME, _SCHEMA)

    # Alerts

    def put(self, held: Held) -> None:
        """Keep an alert in place of the one with its id."""
        body = msgspec.json.encode(held.alert)
        self._run(
            "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?)",
            held.id,
            held.alert.rule,
            held.seen_ns,
            held.changed_ns,
            body,
        )

    def alerts(self, rule: str | None = None) -> list[Held]:
        """Return the alerts of a rule, or all."""
        where, values = ("WHERE rule = ?", (rule,)) if rule is not None else ("", ())
        query = f"SELECT id, body, seen_ns, changed_ns FROM alerts {where} ORDER BY id"  # noqa: S608  constant
        return [Held(i, msgspec.json.decode(body, type=Alert), *rest) for i, body, *rest in self._all(query, *values)]

    def alert(self, identifier: str) -> Held | None:
        """Return one alert."""
        found = self._all("SELECT id, body, seen_ns, changed_ns FROM alerts WHERE id = ?", identifier)
        return Held(identifier, msgspec.json.decode(found[0][1], type=Alert), *found[0][2:]) if found else None

    def forget(self, identifier: str) -> None:
        """Forget an alert that is over."""
        self._run("DELETE FROM alerts WHERE id = ?", identifier)

    def saw_more(self, rule: str, finding: str, count: int, at_ns: int) -> bool:
        """Note how often a finding was counted and return whether that is more than before."""
        found = self._all("SELECT count FROM seen WHERE rule = ? AND finding = ?", rule, finding)
        self._run("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", rule, finding, min(count, 2**62), at_ns)
        return not found or found[0][0] < count

    def pending(self, rule: str) -> dict[str, int]:
        """Return since when the conditions of a rule hold that have not held long enough."""
        return dict(self._all("SELECT id, since_ns FROM pending WHERE rule = ?", rule))

    def set_pending(self, rule: str, since: dict[str, int]) -> None:
        """Keep what `pending` returns."""
        self._run("DELETE FROM pending WHERE rule = ?", rule)
        for identifier, instant in since.items():
            self._run("INSERT INTO pending VALUES (?, ?, ?)", identifier, rule, instant)

    def asked(self) -> dict[str, tuple[int, str]]:
        """Return when each rule was last asked, by the records' clock, and the error of that time."""
        return {name: (instant, error) for name, instant, error in self._all("SELECT * FROM rules")}

    def set_asked(self, rule: str, at_ns: int, error: str = "") -> None:
        """Note that a rule was asked."""
        self._run("INSERT OR REPLACE INTO rules VALUES (?, ?, ?)", rule, at_ns, error)

    # Groups and deliveries

    def groups(self) -> dict[str, Group]:
        """Return what was sent, by group."""
        return {key: msgspec.json.decode(body, type=Group) for key, body in self._all("SELECT key, body FROM groups")}

    def put_group(self, key: str, group: Group | None) -> None:
        """Keep a group, or forget it."""
        if group is None:
            self._run("DELETE FROM groups WHERE key = ?", key)
        else:
            self._run("INSERT OR REPLACE INTO groups VALUES (?, ?)", key, msgspec.json.encode(group))

    def queue(self, delivery: Delivery, group_key: str) -> None:
        """Put a delivery into the queue, behind those of its group."""
        number = self._all("SELECT COALESCE(MAX(number), 0) + 1 FROM deliveries")[0][0]
        body = msgspec.json.encode(delivery)
        values = (delivery.id, delivery.receiver, group_key, number, delivery.created_ns, delivery.created_ns)
        self._run("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?)", *values, body)

    def due(self, now_ns: int) -> list[Queued]:
        """Return the deliveries to try now: of each group and receiver only the oldest, so that order is kept."""
        oldest = "SELECT MIN(number) FROM deliveries WHERE state = 'waiting' GROUP BY receiver, group_key"
        query = f"SELECT {_QUEUED} FROM deliveries WHERE number IN ({oldest}) AND next_ns <= ? ORDER BY number"  # noqa: S608  constant
        return [_queued(row) for row in self._all(query, now_ns)]

    def tried(self, delivery: Delivery, state: str, next_ns: int) -> None:
        """Note how an attempt went."""
        body = msgspec.json.encode(delivery)
        query = "UPDATE deliveries SET state = ?, next_ns = ?, body = ? WHERE id = ?"
        self._run(query, state, next_ns, body, delivery.id)

    def deliveries(self, state: str | None = None, most: int = 200) -> list[Queued]:
        """Return deliveries, the newest first."""
        where, values = ("WHERE state = ?", (state,)) if state else ("", ())
        query = f"SELECT {_QUEUED} FROM deliveries {where} ORDER BY number DESC LIMIT ?"  # noqa: S608  constant
        return [_queued(row) for row in self._all(query, *values, most)]

    def drop_old(self, before_ns: int) -> None:
        """Forget deliveries that were done with before `before_ns`, and silences that ended before it."""
        self._run("DELETE FROM deliveries WHERE state != 'waiting' AND created_ns < ?", before_ns)
        self._run("DELETE FROM silences WHERE ends_ns < ?", before_ns)
        self._run("DELETE FROM seen WHERE at_ns < ?", before_ns)

    # Silences

    def put_silence(self, quiet: Quiet) -> None:
        """Keep a silence in place of the one with its id."""
        matchers = msgspec.json.encode(quiet.matchers).decode()
        values = (quiet.id, matchers, quiet.starts_ns, quiet.ends_ns, quiet.author, quiet.comment)
        self._run("INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?, ?, ?)", *values)

    def silences(self) -> list[Quiet]:
        """Return the silences, those that end last first."""
        rows = self._all("SELECT * FROM silences ORDER BY ends_ns DESC, id")
        return [Quiet(i, tuple(msgspec.json.decode(matchers)), *rest) for i, matchers, *rest in rows]


_QUEUED = "body, state, next_ns"


def _queued(row: tuple[Any, ...]) -> Queued:
    body, state, next_ns = row
    return Queued(msgspec.json.decode(body, type=Delivery), state, next_ns)
