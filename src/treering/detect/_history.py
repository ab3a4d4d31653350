"""What was usual: a week of half hours of one series, and the distribution of its values."""

from __future__ import annotations

import math

import msgspec

SLOT_NS = 1800 * 10**9
DAY_SLOTS = 48
WEEK_SLOTS = 7 * DAY_SLOTS
_NEAR = 1
_LEAST_DAYS = 3
_BINS_A_LOG = 20.0
_HALF_LIFE_NS = 12 * 3600 * 10**9
_MOST_BINS = 400


class Slot(msgspec.Struct, array_like=True):
    """Half an hour: calls, calls that count (failed, slow), sum of the windows' levels weighted by calls, windows."""

    calls: float = 0.0
    hits: float = 0.0
    level: float = 0.0
    windows: int = 0


class History(msgspec.Struct):
    """The slots of the last week by number, oldest first where they came in order."""

    slots: dict[int, Slot] = {}

    def add(self, at_ns: int, calls: float, hits: float, level: float) -> None:
        """Add a window that was nothing special."""
        number = at_ns // SLOT_NS
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Slot()
            newest = max(self.slots)
            if len(self.slots) > WEEK_SLOTS:
                self.slots = {held: kept for held, kept in self.slots.items() if held > newest - WEEK_SLOTS}
                if number not in self.slots:
                    return
        slot.calls += calls
        slot.hits += hits
        slot.level += level * calls
        slot.windows += 1

    def usual(self, at_ns: int, trailing: int = DAY_SLOTS) -> list[Slot]:
        """Return what to compare `at_ns` with: the same time of earlier days where three know it, else lately.

        Lately are the `trailing` slots before; the half hour of `at_ns` itself is never among them.
        """
        now = at_ns // SLOT_NS
        season = [
            [slot for near in range(-_NEAR, _NEAR + 1) if (slot := self.slots.get(now - day * DAY_SLOTS + near))]
            for day in range(1, 7)
        ]
        days = [slots for slots in season if slots]
        if len(days) >= _LEAST_DAYS:
            return [slot for slots in days for slot in slots]
        return [slot for back in range(1, trailing + 1) if (slot := self.slots.get(now - back))]

    def span_ns(self, at_ns: int) -> int:
        """Return for how long before `at_ns` there is history."""
        return at_ns - min(self.slots) * SLOT_NS if self.slots else 0


class Distribution(msgspec.Struct):
    """The distribution of positive values in bins of 5 %, where old values weigh less (half after 12 hours)."""

    bins: dict[int, float] = {}
    total: float = 0.0
    weight: float = 1.0
    from_ns: int = 0

    def add(self, values: list[float], at_ns: int) -> None:
        """Add values of the window at `at_ns`."""
        if not self.from_ns:
            self.from_ns = at_ns
        # New values weigh more instead of old ones less; now and then everything is scaled back.
        self.weight = 2.0 ** min(500.0, max(0.0, (at_ns - self.from_ns) / _HALF_LIFE_NS))
        for value in values:
            place = math.floor(math.log(max(value, 1e-9)) * _BINS_A_LOG)
            self.bins[place] = self.bins.get(place, 0.0) + self.weight
            self.total += self.weight
        if self.weight > 1e6 or len(self.bins) > _MOST_BINS:
            self._scale(at_ns)

    def _scale(self, at_ns: int) -> None:
        kept = sorted(self.bins.items(), key=lambda item: -item[1])[: _MOST_BINS // 2]
        self.bins = {place: held / self.weight for place, held in kept if held / self.weight > 1e-3}
        self.total = sum(self.bins.values())
        self.weight, self.from_ns = 1.0, at_ns

    @property
    def size(self) -> float:
        """How many values there are, old ones counted less."""
        return self.total / self.weight

    def share_from(self, value: float) -> float:
        """Return which share of the values is at least `value`, this one counted: above 0, a conformal p-value."""
        place = math.floor(math.log(max(value, 1e-9)) * _BINS_A_LOG)
        above = sum(held for at, held in self.bins.items() if at >= place)
        return min(1.0, (above + self.weight) / (self.total + self.weight))

    def quantile(self, share: float) -> float:
        """Return the upper bound of the bin in which the quantile lies; 0 when there are no values."""
        left = share * self.total
        for place in sorted(self.bins):
            left -= self.bins[place]
            if left <= 1e-9:
                return math.exp((place + 1) / _BINS_A_LOG)
        return 0.0
