"""What callers cost in their present hour and day, as arrays: one step for all callers of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from treering.detect._kept import Kept, Saved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

Period: TypeAlias = Literal["hour", "day"]
PERIODS: tuple[Period, ...] = ("hour", "day")
_MOST, _SPARE = 8_000, 1_000
_NONE = -1
_COST = np.dtype([("period", "<i8"), ("usd", "<f8"), ("calls", "<i8"), ("first_ns", "<i8"), ("told", "<f8")])
_NOTHING = (_NONE, 0.0, 0, 0, 0.0)
_NEW = np.array((_NOTHING, _NOTHING), dtype=[(period, _COST) for period in PERIODS])


class Cost(msgspec.Struct):
    """What a caller cost in its present period, since when, and what was told of it."""

    period: int
    usd: float = 0.0
    calls: int = 0
    first_ns: int = 0
    told: float = 0.0


class Spent(NamedTuple):
    """What distinct callers (rows at `places`) cost in a batch in the period `number`: sum, calls, the first one."""

    places: Integers
    number: int
    usd: NDArray[np.float64]
    calls: Integers
    first_ns: Integers

    def of(self, at: int) -> Spent:
        """Return what one of the callers cost."""
        return Spent(self.places[at], self.number, self.usd[at], self.calls[at], self.first_ns[at])


class Costs:
    """The costs of callers of one kind; the caller that was quiet longest is forgotten first."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._kept = Kept(_NEW)

    def places(self, names: Sequence[str]) -> Integers:
        """Return which rows are those of distinct callers, new ones included; some others may be forgotten for them."""
        self._kept.forget(_MOST, _SPARE)
        return self._kept.places(names)

    def add(self, period: Period, spent: Spent, least_usd: float) -> list[int]:
        """Add what callers cost where that is all there is to do; return the numbers of the others.

        The others had costs in an earlier period, or come to `least_usd` and to twice of what was told by these, or
        were told of in their hour. Costs in a period that is over are left out.
        """
        rows = self._kept.rows[period]
        held = rows[spent.places]
        usd = held["usd"] + spent.usd
        open_ = (held["period"] == spent.number) | (held["period"] == _NONE)
        plain = open_ & (usd < np.maximum(least_usd, 2 * held["told"]))
        if period == "day":
            plain &= self._kept.rows["hour"]["told"][spent.places] == 0
        chosen = spent.places[plain]
        since = held["first_ns"][plain]
        rows["period"][chosen], rows["usd"][chosen] = spent.number, usd[plain]
        rows["calls"][chosen] += spent.calls[plain]
        rows["first_ns"][chosen] = np.where(since == 0, spent.first_ns[plain], since)
        others: list[int] = np.flatnonzero(~plain & (held["period"] <= spent.number)).tolist()
        return others

    def get(self, period: Period, place: int) -> Cost:
        """Return what a caller cost in its newest period; -1 is that of one without any."""
        return Cost(*self._kept.rows[period][place].item())

    def set(self, period: Period, place: int, held: Cost) -> None:
        """Note what a caller cost."""
        self._kept.rows[period][place] = msgspec.structs.astuple(held)

    def save(self) -> Saved:
        """Return callers and what they cost."""
        return self._kept.save()

    @classmethod
    def restored(cls, held: Saved) -> Costs:
        """Return what `save` was asked of. Raises `ValueError`."""
        made = cls()
        made._kept = Kept.restored(_NEW, held)
        return made
