"""A feature now and before: counts by bin of the last minutes, and of the half hours of the last day."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treering.detect import _statistics as statistics
from treering.detect._history import DAY_SLOTS, SLOT_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Counts = Mapping[str, float]

MINUTE_NS = 60 * 10**9
RECENT = 30
_MOST_BINS = 60
_MOST_UNITS = 1000
_OTHER = "(other)"


class Shift(NamedTuple):
    """How far a feature has moved: population stability index, chance, and the bin that grew most."""

    psi: float
    chance: float
    distance: float
    grown: str
    share: float
    before: float
    calls: int
    reference: int
    minutes: int = 0


class Feature(msgspec.Struct):
    """Counts by minute of what is recent, by half hour of what is the reference.

    One value counts once for a conversation within half an hour: its calls are alike, and tests that take them for
    independent would find a shift in every long talk.
    """

    recent: dict[int, dict[str, int]] = {}
    slots: dict[int, dict[str, int]] = {}
    total: dict[str, int] = {}
    units: dict[str, int] = {}
    oldest: int = 0

    def add(self, minute: int, value: str, unit: str) -> None:
        """Count a value that was seen in the conversation `unit`."""
        key = f"{value}\0{unit}"
        if abs(minute - self.units.get(key, minute - RECENT)) < RECENT:
            return
        self.units[key] = minute
        if len(self.units) > _MOST_UNITS:
            del self.units[next(iter(self.units))]
        counts = self.recent.get(minute)
        if counts is None:
            self.oldest = minute if not self.recent else min(self.oldest, minute)
            counts = self.recent[minute] = {}
        if value not in counts and len(counts) >= _MOST_BINS:
            value = _OTHER
        counts[value] = counts.get(value, 0) + 1

    def age(self, minute: int, *, learn: bool) -> None:
        """Move minutes that are not recent any more at `minute` into the reference, or drop them."""
        if not self.recent or minute - RECENT < self.oldest:
            return
        for old in sorted(held for held in self.recent if held <= minute - RECENT):
            counts = self.recent.pop(old)
            if not learn:
                continue
            slot = self.slots.setdefault(old * MINUTE_NS // SLOT_NS, {})
            for value, count in counts.items():
                name = value if value in slot or len(slot) < _MOST_BINS else _OTHER
                slot[name] = slot.get(name, 0) + count
                self.total[name] = self.total.get(name, 0) + count
        self.oldest = min(self.recent, default=minute)
        self.units = {unit: at for unit, at in self.units.items() if at > minute - RECENT}
        if len(self.slots) > DAY_SLOTS:
            oldest = max(self.slots) - DAY_SLOTS
            self.slots = {slot: counts for slot, counts in self.slots.items() if slot > oldest}
            self.total = _sum(self.slots.values())

    def current(self, minute: int, minutes: int) -> dict[str, int]:
        """Return the counts of the last `minutes` minutes up to `minute`."""
        held = (self.recent.get(at) for at in range(minute - minutes + 1, minute + 1))
        return _sum(counts for counts in held if counts)

    def onset(self, minute: int, minutes: int) -> int:
        """Return the recent minute since which values fit the last `minutes` better than the reference.

        The most likely change point: the log-likelihood ratio summed back from `minute` is greatest there (Page, 1954).
        """
        now, before = self.current(minute, minutes), self.total
        names = len({*now, *before})
        gain = {
            name: math.log((count + 0.5) / (before.get(name, 0) + 0.5))
            for name, count in {**dict.fromkeys(before, 0), **now}.items()
        }
        level = math.log((sum(before.values()) + 0.5 * names) / (sum(now.values()) + 0.5 * names))
        since, best, total = minute, -math.inf, 0.0
        for at in sorted((at for at in self.recent if at <= minute), reverse=True):
            total += sum(count * (gain.get(name, 0.0) + level) for name, count in self.recent[at].items())
            if total >= best:
                since, best = at, total
        return since

    def reference(self) -> dict[str, int]:
        """Return the counts of the last day."""
        return self.total

    def span(self) -> int:
        """Return how many half hours the reference covers."""
        return len(self.slots)


def categorical(now: Counts, before: Counts, least: float) -> Shift:
    """Compare shares of categories: PSI, and how surprising the category is that grew most (binomial test).

    Where no share grew by `least`, nothing is tested and the chance is 1.
    """
    calls, past = sum(now.values()), sum(before.values())
    name, share, usual = "", 0.0, 0.0
    for value, count in now.items():
        before_share = (before.get(value, 0) + 0.5) / (past + 1)
        if count / calls - before_share > share - usual or not name:
            name, share, usual = value, count / calls, before_share
    if share - usual < least:
        return Shift(0.0, 1.0, share - usual, name, share, usual, int(calls), int(past))
    alone = statistics.binomial_tail(int(now[name]), int(calls), usual)
    chance = min(alone, statistics.chi_squared_chance(now, before))
    return Shift(psi(now, before), chance, share - usual, name, share, usual, int(calls), int(past))


def numeric(now: Counts, before: Counts, least: float) -> Shift:
    """Compare distributions over ordered bins: PSI, and the Kolmogorov-Smirnov test.

    Where the distance is less than `least`, nothing is tested and the chance is 1.
    """
    calls, past = sum(now.values()), sum(before.values())
    distance = above = below = 0.0
    grown = ("", -1.0, 0.0, 0.0)
    for name in sorted({*now, *before}, key=_order):
        share, usual = now.get(name, 0) / calls, before.get(name, 0) / past
        above, below = above + share, below + usual
        distance = max(distance, abs(above - below))
        if share - usual > grown[1]:
            grown = (name, share - usual, share, usual)
    if distance < least:
        return Shift(0.0, 1.0, distance, grown[0], grown[2], grown[3], int(calls), int(past))
    chance = statistics.kolmogorov_chance(distance, calls * past / (calls + past))
    return Shift(psi(now, before), chance, distance, grown[0], grown[2], grown[3], int(calls), int(past))


def psi(now: Counts, before: Counts) -> float:
    """Return the population stability index less what chance alone gives with so few values.

    Bins of both are smoothed by half a count; the expected value under no change is about (bins - 1)(1/n + 1/m)
    (Yurdakul and Naranjo, Statistical properties of the population stability index, 2020).
    """
    names = {*now, *before}
    calls, past = sum(now.values()) + 0.5 * len(names), sum(before.values()) + 0.5 * len(names)
    total = 0.0
    for name in names:
        share, usual = (now.get(name, 0) + 0.5) / calls, (before.get(name, 0) + 0.5) / past
        total += (share - usual) * math.log(share / usual)
    return max(0.0, total - (len(names) - 1) * (1 / calls + 1 / past))


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counts in parts:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total


def _order(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return math.inf
