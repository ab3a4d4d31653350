"""What a post-mortem is made of: an incident's record, gathered by whoever can ask the store."""

from __future__ import annotations

from typing import Any

import msgspec

from treering.model.finding import Finding
from treering.model.incident import Incident


class Noted(msgspec.Struct, frozen=True):
    """What somebody did about the incident: a change of state or owner, a comment, a step of a playbook."""

    number: int
    at_ns: int
    actor: str
    what: str
    before: str
    after: str


class Kept(msgspec.Struct, frozen=True):
    """A frozen evidence record: reference, time, hash."""

    ref: str
    time_ns: int
    sha256: str


class Happened(msgspec.Struct, frozen=True):
    """A line of a log that tells of a change: where it is, when, which service, what."""

    ref: str
    time_ns: int
    service: str
    text: str


class Counted(msgspec.Struct, frozen=True):
    """A query about the impact, and its one row; without a row `note` says why."""

    name: str
    query: str
    row: dict[str, Any] = {}
    note: str = ""


class Series(msgspec.Struct, frozen=True):
    """A chart: title, unit, the query behind it, points of time (ns) and value."""

    title: str
    unit: str
    query: str
    points: tuple[tuple[int, float], ...]


class Told(msgspec.Struct, frozen=True):
    """An alert that was delivered: to which receiver, when, and under which delivery id."""

    receiver: str
    at_ns: int
    delivery: str


class Todo(msgspec.Struct, frozen=True):
    """A step of the playbook: done by whom, or open."""

    playbook: str
    step: str
    state: str
    actor: str = ""
    at_ns: int = 0


class CaseFile(msgspec.Struct, frozen=True):
    """Everything. `stages` names the ids of tactics."""

    incident: Incident
    findings: tuple[Finding, ...]
    noted: tuple[Noted, ...] = ()
    kept: tuple[Kept, ...] = ()
    bundle_sha256: str = ""
    changes: tuple[Happened, ...] = ()
    impact: tuple[Counted, ...] = ()
    charts: tuple[Series, ...] = ()
    told: tuple[Told, ...] = ()
    todo: tuple[Todo, ...] = ()
    stages: dict[str, str] = {}
    made_ns: int = 0
