"""`Delivery`: one message of an alert to one receiver, and how far it got."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from treering.model.finding import Severity


class Status(StrEnum):
    """Whether what an alert is about goes on."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition that holds or has ceased to hold.

    Alerts with equal `labels` are the same alert (as in Prometheus). `rule` names what raised it, `link` is a path of
    our own page that shows the records behind it, never an address that a log gave.
    """

    rule: str
    status: Status
    severity: Severity
    summary: str
    starts_ns: int
    ends_ns: int = 0
    labels: dict[str, str] = {}
    facts: dict[str, Any] = {}
    link: str = ""
    finding: str = ""
    incident: str = ""


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """A group of alerts on its way to one receiver; `id` stays the same over all attempts, so a receiver can tell."""

    id: str
    receiver: str
    group: dict[str, str]
    alerts: tuple[Alert, ...]
    created_ns: int
    attempts: int = 0
    delivered_ns: int = 0
    error: str = ""
