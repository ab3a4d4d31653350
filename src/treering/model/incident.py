"""`Incident`: findings that belong together, and what people did about them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from treering.model.finding import Entity, Severity

INCIDENTS = "incidents"


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Moment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an incident's timeline: when, in which stage of an attack or failure, what, by which finding."""

    time_ns: int
    text: str
    tactic: str = ""
    finding: str = ""
    actor: str = ""


class Incident(msgspec.Struct, frozen=True, omit_defaults=True):
    """Findings folded into one story.

    `id` is stable: derived from the fingerprint of the first finding. `findings` are fingerprints in order of time;
    `kind` is the family the incident belongs to (performance, cost, security, quality, drift, training, availability).
    """

    id: str
    title: str
    kind: str
    severity: Severity
    start_ns: int
    end_ns: int
    noticed_ns: int
    findings: tuple[str, ...]
    entities: tuple[Entity, ...]
    timeline: tuple[Moment, ...] = ()
    techniques: tuple[str, ...] = ()
    risk: float = 0.0
    state: State = State.OPEN
    owner: str = ""
