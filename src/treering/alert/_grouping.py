"""When a group of alerts is sent: Alertmanager's rules as a pure function.

A new group waits `wait_s` for others to join; what changes afterwards is sent `interval_s` after the last time; what
merely goes on is sent again after `repeat_s`. Each change is sent once, whatever was killed in between, because the
delivery and what was sent are kept in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.model.delivery import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.model.delivery import Alert


class Pace(msgspec.Struct, frozen=True):
    """The waiting times of a route, in seconds; without `resolved` nobody is told that it is over."""

    wait_s: float = 30.0
    interval_s: float = 300.0
    repeat_s: float = 14_400.0
    resolved: bool = True


class Group(msgspec.Struct, frozen=True):
    """What was sent of a group: when first seen, when last sent, and the alerts that receivers think are firing."""

    first_ns: int
    last_ns: int = 0
    firing: dict[str, int] = {}


class Flush(msgspec.Struct, frozen=True):
    """What to send now, by alert, and the group as it stands afterwards."""

    alerts: dict[str, Alert]
    group: Group


def flush(group: Group, alerts: Mapping[str, Alert], pace: Pace, now_ns: int) -> Flush | None:
    """Return what to send at `now_ns`, or None while there is nothing.

    `alerts` are those of the group that are not silenced, by an identity that lasts. One that was sent and is resolved
    now is over; one that fires anew (another start) is a change.
    """
    firing = {name: alert for name, alert in alerts.items() if alert.status is Status.FIRING}
    fresh = {name for name, alert in firing.items() if group.firing.get(name) != alert.starts_ns}
    over = {name: alert for name, alert in alerts.items() if name in group.firing and name not in firing}
    told = over if pace.resolved else {}
    if not _is_time(group, bool(fresh or told), bool(firing), pace, now_ns):
        return None
    after = {name: alert.starts_ns for name, alert in firing.items()}
    # What is silenced or gone without a word is no longer known to fire; it is news if it comes back.
    return Flush({**firing, **told}, Group(group.first_ns, now_ns, after))


def _is_time(group: Group, changed: bool, goes_on: bool, pace: Pace, now_ns: int) -> bool:
    if changed:
        first = group.last_ns == 0
        since, wait = (group.first_ns, pace.wait_s) if first else (group.last_ns, pace.interval_s)
        return now_ns - since >= wait * 1e9
    return goes_on and now_ns - group.last_ns >= pace.repeat_s * 1e9
