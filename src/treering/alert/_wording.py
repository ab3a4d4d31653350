"""The words of a delivery, for notifiers that write to people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.model.delivery import Status
from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.model.delivery import Alert, Delivery

MAX_ALERTS = 50
_LONGEST = 300
# What steers terminals, reorders text, or breaks lines: alerts carry texts of strangers.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def plain(text: str, most: int = _LONGEST) -> str:
    """Return one line of text without control characters, at most `most` characters."""
    clean = " ".join(_CONTROL.sub(" ", text).split())
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def title(delivery: Delivery) -> str:
    """Return what a subject line says: `[firing 2, resolved 1] error rate, service rag`."""
    firing = sum(alert.status is Status.FIRING for alert in delivery.alerts)
    resolved = len(delivery.alerts) - firing
    counts = ", ".join(f"{word} {n}" for word, n in (("firing", firing), ("resolved", resolved)) if n)
    if len(delivery.alerts) == 1:
        return plain(f"[{delivery.alerts[0].status}] {delivery.alerts[0].summary}", 150)
    names = plain(", ".join(delivery.group.values()), 100) or plain(
        ", ".join(sorted({a.rule for a in delivery.alerts}))
    )
    return f"[{counts}] {names}"


def lines(delivery: Delivery, page: str) -> list[str]:
    """Return a few lines for each alert, links to our own page among them, at most 50 alerts."""
    found: list[str] = []
    for alert in delivery.alerts[:MAX_ALERTS]:
        found += [f"{alert.status.value.upper()} {alert.severity.value}: {plain(alert.summary)}", *_details(alert)]
        if url := link(alert, page):
            found.append(f"  {url}")
    if (more := len(delivery.alerts) - MAX_ALERTS) > 0:
        found.append(f"and {more} more")
    return found


def _details(alert: Alert) -> list[str]:
    ended = f", until {format_ns(alert.ends_ns)}" if alert.status is Status.RESOLVED and alert.ends_ns else ""
    labels = ", ".join(f"{plain(name, 60)}={plain(value, 80)}" for name, value in sorted(alert.labels.items()))
    return [f"  rule {plain(alert.rule)}, since {format_ns(alert.starts_ns)}{ended}", f"  {labels}"]


def link(alert: Alert, page: str) -> str:
    """Return the address of our page for an alert; nothing but a path below `page`, whatever the alert says."""
    if not page or not alert.link.startswith("/") or alert.link.startswith("//"):
        return ""
    return page.rstrip("/") + _CONTROL.sub("", alert.link)
