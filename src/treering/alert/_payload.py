"""The JSON that Alertmanager sends to webhooks, version 4 (prometheus.io, Alerting, configuration, webhook_config)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from treering.alert._wording import link
from treering.model.delivery import Status
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.model.delivery import Alert, Delivery

_NEVER = "0001-01-01T00:00:00Z"
_BAD = re.compile(r"[^a-zA-Z0-9_]")
_MOST = 2000


def payload(delivery: Delivery, page: str) -> dict[str, Any]:
    """Return what a webhook of Alertmanager would be sent, with the delivery's id as `treering.delivery`."""
    alerts = [alert(item, page) for item in delivery.alerts]
    firing = any(item.status is Status.FIRING for item in delivery.alerts)
    return {
        "version": "4",
        "groupKey": group_key(delivery.group),
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": delivery.receiver,
        "groupLabels": labels(delivery.group),
        "commonLabels": _common([item["labels"] for item in alerts]),
        "commonAnnotations": _common([item["annotations"] for item in alerts]),
        "externalURL": page,
        "alerts": alerts,
        "treering": {"delivery": delivery.id, "attempt": delivery.attempts + 1},
    }


def alert(item: Alert, page: str) -> dict[str, Any]:
    """Return one alert; its fingerprint is that of its labels."""
    ended = item.status is Status.RESOLVED and item.ends_ns
    return {
        "status": item.status.value,
        "labels": labels(item.labels),
        "annotations": texts(item),
        "startsAt": format_ns(item.starts_ns),
        "endsAt": format_ns(item.ends_ns) if ended else _NEVER,
        "generatorURL": link(item, page),
        "fingerprint": fingerprint(item.labels),
    }


def texts(item: Alert) -> dict[str, str]:
    """Return the texts of an alert: summary, facts, ids of finding and incident."""
    found = {"summary": item.summary[:_MOST]}
    found |= {_name(name): str(value)[:_MOST] for name, value in item.facts.items()}
    if item.finding:
        found["finding"] = item.finding
    if item.incident:
        found["incident"] = item.incident
    return found


def labels(found: Mapping[str, str]) -> dict[str, str]:
    """Return labels with names as Prometheus allows them (`[a-zA-Z_][a-zA-Z0-9_]*`)."""
    return {_name(name): value[:_MOST] for name, value in sorted(found.items())}


def fingerprint(found: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits that stand for a set of labels."""
    text = "\0".join(f"{name}\0{value}" for name, value in sorted(found.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def group_key(group: Mapping[str, str]) -> str:
    """Return a text that stands for a group: `{}:{service="rag"}`."""
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels(group).items()))
    return f"{{}}:{{{inner}}}"


def _name(name: str) -> str:
    clean = _BAD.sub("_", name) or "_"
    return f"_{clean}" if clean[0].isdigit() else clean


def _common(found: list[dict[str, str]]) -> dict[str, str]:
    first, *others = found or [{}]
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
