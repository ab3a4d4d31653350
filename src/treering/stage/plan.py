"""What a store would do to answer a query, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import threading

    from treering.stage.store import Limits, Query


@dataclass(frozen=True, slots=True)
class Reading:
    """What one scan reads of what its streams have: files, rows in them at most, and bytes of the columns needed.

    `rows` counts `unflushed` ones, which are in memory and have no bytes. Of `counted_files` the index knows by itself
    that `counted_rows` of their rows are in the answer. Of `decided` conditions it knows which rows satisfy them, so
    that texts are read for `doubtful` rows at most.
    """

    files: int
    all_files: int
    rows: int
    all_rows: int
    unflushed: int
    bytes: int
    counted_files: int = 0
    counted_rows: int = 0
    decided: int = 0
    doubtful: int = 0


@dataclass(frozen=True, slots=True)
class Operator:
    """A step of the engine: its name, what it works on, rows as estimated and as measured, seconds it took."""

    name: str
    about: str
    estimated_rows: int | None = None
    rows: int | None = None
    seconds: float | None = None
    children: tuple[Operator, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What an answer took: rows in it, rows the scans looked at, bytes read from files, seconds by clock and of CPU."""

    rows: int
    scanned_rows: int
    read_bytes: int
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes to another engine for a scan, in that engine's language, to the places `to`.

    `form` is "documents", "first documents" or "groups"; `matching` documents are asked for, of which `fetched` come
    here at most.
    """

    scan: str
    to: str
    form: str
    body: str
    matching: int
    fetched: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Readings by the name of their scan, the engine's steps, with a measurement what came of it, and what is sent."""

    engine: str
    readings: dict[str, Reading]
    operators: tuple[Operator, ...]
    measured: Measured | None = None
    sent: tuple[Sent, ...] = ()


@runtime_checkable
class Planner(Protocol):
    """A store that can tell how it would answer."""

    def plan(
        self, query: Query, limits: Limits, *, measure: bool = False, cancel: threading.Event | None = None
    ) -> Plan:
        """Return the plan of `query`; with `measure` answer it and say what that took. Raises as `Store.run` does."""
        ...
