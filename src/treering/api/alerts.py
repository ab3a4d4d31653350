"""Alerts: what fires, rules, receivers, silences, deliveries; and a test of a receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api.answers import NotFound, body, number
from treering.api.incident_routes import actor
from treering.api.instants import instant_ns
from treering.api.rendering import exact
from treering.app.delivering import shown
from treering.core.errors import UserError
from treering.model.times import MAX_NS, format_ns

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.app.alert_settings import Rule
    from treering.app.alertbook import Held, Queued, Quiet
    from treering.app.alerts import AlertDesk
    from treering.model.delivery import Alert, Delivery
    from treering.stage.source import Request

_STATES = ("waiting", "delivered", "failed")
_MOST = 1000


class SilenceBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/alerts/silences`."""

    matchers: list[str]
    until: str = "now+1h"
    comment: str = ""


class TestBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/alerts/test`."""

    receiver: str


async def alerts(service: Service, _request: Request) -> Any:
    """Return what fires and what has just ended, rules with their state, receivers, routes and silences."""

    def read(desk: AlertDesk) -> dict[str, Any]:
        asked = desk.book.asked()
        kinds = {name: str(about.get("kind", "")) for name, about in desk.settings.receivers.items()}
        now = service.clock.now_ns()
        return {
            "alerts": [_held(desk, item, now) for item in desk.book.alerts()],
            "rules": [_rule(rule, *asked.get(rule.name, (0, ""))) for rule in desk.settings.rules],
            "receivers": shown(kinds),
            "routes": [msgspec.to_builtins(route) for route in desk.settings.routes],
            "silences": [_silence(quiet, now) for quiet in desk.alerting.silences()],
            "waiting": len(desk.book.deliveries("waiting", _MOST)),
        }

    return await service.call(read, desk_of(service))


async def deliveries(service: Service, request: Request) -> Any:
    """Return deliveries, the newest first, with their attempts and errors."""
    limit = number(request, "limit", 100, _MOST)
    state = request.query.get("state", "")
    if state and state not in _STATES:
        raise UserError(f"{state[:40]!r} is not a state of a delivery", hint=f"known: {', '.join(_STATES)}")
    found = await service.call(desk_of(service).book.deliveries, state or None, limit)
    return {"deliveries": [_queued(item) for item in found]}


async def silence(service: Service, request: Request) -> Any:
    """Add a silence in the name of who asks."""
    asked = body(request, SilenceBody)
    ends_ns = instant_ns(asked.until, service.clock.now_ns())
    alerting = desk_of(service).alerting
    quiet = await service.call(alerting.silence, asked.matchers, ends_ns, actor(service, request), asked.comment)
    return _silence(quiet, service.clock.now_ns())


async def expire(service: Service, request: Request) -> Any:
    """End a silence now."""
    quiet = await service.call(desk_of(service).alerting.expire, request.params["id"])
    if quiet is None:
        raise NotFound("no such silence", hint="one of the configuration ends in the configuration")
    return _silence(quiet, service.clock.now_ns())


async def test(service: Service, request: Request) -> Any:
    """Send a test alert to one receiver now and say how that went."""
    desk = desk_of(service)
    who = actor(service, request)
    asked = body(request, TestBody)
    delivery = await service.call(lambda: desk.delivering.test(asked.receiver, who))
    return {"id": delivery.id, "delivered": bool(delivery.delivered_ns), "error": delivery.error}


async def theirs(service: Service, request: Request) -> Any:
    """Return the silences that an Alertmanager receiver has."""
    name = request.params["receiver"]

    def read(desk: AlertDesk) -> dict[str, Any]:
        notifier = desk.delivering.receivers.notifiers.get(name)
        if notifier is None:
            raise NotFound(f"no receiver {name[:60]!r}")
        silences = getattr(notifier, "silences", None)
        if silences is None:
            raise UserError(f"the receiver {name[:60]!r} keeps no silences", hint="one of kind alertmanager does")
        return {"silences": silences()}

    return await service.call(read, desk_of(service))


def desk_of(service: Service) -> AlertDesk:
    """Return the desk. Raises `NotFound` where no alerts are kept."""
    if service.alerts is None:
        raise NotFound("no alerts are kept here")
    return service.alerts


def _held(desk: AlertDesk, item: Held, now_ns: int) -> dict[str, Any]:
    from treering.alert._matching import all_hold

    muted = any(all_hold(found, item.alert.labels) for found in desk.alerting.silences_now(now_ns))
    return {"id": item.id, **_alert(item.alert), "silenced": muted, "seen": format_ns(item.seen_ns)}


def _alert(alert: Alert) -> dict[str, Any]:
    facts: dict[str, Any] = exact(alert.facts)
    return {
        "rule": alert.rule,
        "status": alert.status.value,
        "severity": alert.severity.value,
        "summary": alert.summary,
        "starts": format_ns(alert.starts_ns),
        "ends": format_ns(alert.ends_ns) if alert.ends_ns else None,
        "labels": alert.labels,
        "facts": facts,
        "link": alert.link,
        "finding": alert.finding,
        "incident": alert.incident,
    }


def _rule(rule: Rule, asked_ns: int, error: str) -> dict[str, Any]:
    on = "query" if rule.query else "findings" if rule.findings is not None else "incidents"
    asked = format_ns(asked_ns) if asked_ns else None
    return {"name": rule.name, "on": on, "query": rule.query, "severity": rule.severity, "asked": asked, "error": error}


def _silence(quiet: Quiet, now_ns: int) -> dict[str, Any]:
    return {
        "id": quiet.id,
        "matchers": list(quiet.matchers),
        "starts": format_ns(quiet.starts_ns),
        "ends": format_ns(quiet.ends_ns) if quiet.ends_ns < MAX_NS else None,
        "author": quiet.author,
        "comment": quiet.comment,
        "active": quiet.starts_ns <= now_ns < quiet.ends_ns,
    }


def _queued(item: Queued) -> dict[str, Any]:
    delivery: Delivery = item.delivery
    return {
        "id": delivery.id,
        "receiver": delivery.receiver,
        "state": item.state,
        "group": delivery.group,
        "alerts": [_alert(alert) for alert in delivery.alerts],
        "created": format_ns(delivery.created_ns),
        "attempts": delivery.attempts,
        "delivered": format_ns(delivery.delivered_ns) if delivery.delivered_ns else None,
        "next": format_ns(item.next_ns) if item.state == "waiting" else None,
        "error": delivery.error,
    }


OPERATIONS = (
    ("GET", "/api/alerts", alerts),
    ("GET", "/api/alerts/deliveries", deliveries),
    ("POST", "/api/alerts/silences", silence),
    ("POST", "/api/alerts/silences/{id}/expire", expire),
    ("GET", "/api/alerts/receivers/{receiver}/silences", theirs),
    ("POST", "/api/alerts/test", test),
)
ANALYST = frozenset((method, path) for method, path, _ in OPERATIONS if method == "POST")
