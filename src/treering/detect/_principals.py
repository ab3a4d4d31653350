"""What is known of principals of vector databases, and what they have kept to so far.

A principal that has kept to few addresses, clients, tenants or collections for long enough surprises with another one;
one that uses many surprises with none. What it shows is learnt at once, so each surprise is told once.
"""

from __future__ import annotations

import re

import msgspec

from treering.detect._coverage import Coverage
from treering.detect._tenants import Tenants

HOUR_NS = 3600 * 10**9
_DAY = 24
_KEPT_HOURS = 72
_SUDDEN = 10
_VERSION = re.compile(r"[\d.]+")


class Collection(msgspec.Struct):
    """What is known of one principal's reading of one collection; `hours` counts reads by hour since 1970."""

    first_ns: int
    reads: int = 0
    flagged: bool = False
    recent: list[int] = []
    unusual: bool = False
    hours: dict[int, int] = {}


class Principal(msgspec.Struct):
    """What is known of one principal."""

    named_ns: int
    first_ns: int = 0
    last_ns: int = 0
    accesses: int = 0
    allowed: int = 0
    refused: list[int] = []
    wanted: dict[str, int] = {}
    collections: dict[str, Collection] = {}
    burst_ns: int = 0
    burst_end_ns: int = 0
    granted_ns: int = 0
    granted: dict[str, int] = {}
    awake_ns: int = 0
    unexplained: list[int] = []
    roles: list[str] = []
    groups: list[str] = []
    changes_ns: list[int] = []
    """First and last of the refused changes that belong together."""
    kept_to: dict[str, list[str]] = {}


class State(msgspec.Struct):
    """All that is known."""

    principals: dict[str, Principal] = {}
    traced: dict[str, Principal] = {}
    """Those for whom applications read, as spans tell it."""
    roles: dict[str, tuple[str, ...]] = {}
    first_ns: int = 0
    accesses: int = 0
    audited: bool = False
    """Whether lines of an audit trail have come, beside which others only say more."""
    coverage: Coverage = msgspec.field(default_factory=Coverage)
    tenants: Tenants = msgspec.field(default_factory=Tenants)


def surprises(who: Principal, kind: str, value: str, settled: bool, most: int) -> bool:
    """Whether `who`, whose habits are `settled`, shows a `value` of `kind` beside the few (`most`) it kept to.

    Another version of a client is the same client.
    """
    value = _VERSION.sub("", value) if kind == "client" else value
    held = who.kept_to.setdefault(kind, [])
    if value in held:
        return False
    new = settled and len(held) <= most
    if len(held) <= most:
        held.append(value)
    return new


def is_unusual(state: State, who: Principal, now: int, long_ns: int) -> bool:
    """Whether an access at `now` ends a silence that others of the same history do not have; `long_ns` is one."""
    if who.last_ns:
        return now - who.last_ns > long_ns
    if who.named_ns == now:
        return len(state.principals) > 3 and now - state.first_ns > long_ns
    others = sorted(
        other.first_ns - other.named_ns for other in state.principals.values() if other.first_ns and other is not who
    )
    if len(others) < 3 or state.accesses < 100:
        return False
    usual = others[len(others) // 2]
    return now - who.named_ns > max(10 * 10**9, 10 * usual)


def more_than_ever(known: Collection, at_ns: int, times: float, least: int) -> int:
    """Count a read at `at_ns`; return how many are more than ever, 0 when they are not.

    That are the reads of three hours in a row that are each `times` as many (and `least`) as in any hour before; or of
    this hour, when they are ten times as many as even that. A day before them has to be known.
    """
    hour = at_ns // HOUR_NS
    known.hours[hour] = known.hours.get(hour, 0) + 1
    if len(known.hours) > _KEPT_HOURS:
        del known.hours[min(known.hours)]
    if hour - min(known.hours) < _DAY:
        return 0
    last = [known.hours.get(hour - back, 0) for back in (1, 2, 3)]
    before = [count for at, count in known.hours.items() if at < hour - 3]
    if before and min(last) >= max(least, times * max(before)):
        return sum(last)
    most = max((count for at, count in known.hours.items() if at < hour), default=0)
    return known.hours[hour] if known.hours[hour] >= _SUDDEN * max(least, times * most) else 0
