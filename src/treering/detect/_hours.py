"""What callers use within an hour, as arrays: one step for all callers of a batch."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

_MOST = 20_000
_SPARE = 2_000
_NONE = -1


class Sum(msgspec.Struct):
    """What one caller used in one period, and how often a limit was passed when it was told last."""

    period: int
    usd: float = 0.0
    tokens: float = 0.0
    told: int = 0


class Hours:
    """The tokens of each caller in its newest hour; the caller that was quiet longest is forgotten first."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._places: dict[str, int] = {}
        self._period = np.zeros(0, dtype=np.int64)
        self._told = np.zeros(0, dtype=np.int64)
        self._touched = np.zeros(0, dtype=np.int64)
        self._tokens = np.zeros(0)
        self._now = 0

    def add(
        self, names: Sequence[str], hours: tuple[Integers, Integers], tokens: NDArray[np.float64], limit: float
    ) -> list[int]:
        """Add the tokens of distinct callers where that is all there is to do; return the numbers of the others.

        `hours` are the first and last hour of each. The others have tokens in more than one hour, in another one than
        before, or come to `limit` by them.
        """
        places = self._found(names)
        period, total = self._period[places], self._tokens[places] + tokens
        plain = (hours[0] == hours[1]) & ((period == hours[0]) | (period == _NONE)) & (total < limit)
        chosen = places[plain]
        self._period[chosen], self._tokens[chosen] = hours[0][plain], total[plain]
        others: list[int] = np.flatnonzero(~plain).tolist()
        return others

    def get(self, name: str) -> Sum | None:
        """Return what a caller used in its newest hour, None for one without any."""
        place = self._places[name]
        if self._period[place] == _NONE:
            return None
        return Sum(int(self._period[place]), 0.0, float(self._tokens[place]), int(self._told[place]))

    def set(self, name: str, held: Sum) -> None:
        """Note what a caller used."""
        place = self._places[name]
        self._period[place], self._tokens[place], self._told[place] = held.period, held.tokens, held.told

    def forget(self) -> None:
        """Forget callers when they have become too many."""
        if len(self._places) <= _MOST + _SPARE:
            return
        kept = np.argsort(self._touched[: len(self._places)])[-_MOST:]
        names = list(self._places)
        self._places = {names[place]: number for number, place in enumerate(kept.tolist())}
        for held in (self._period, self._told, self._touched, self._tokens):
            held[: len(kept)] = held[kept]

    def _found(self, names: Sequence[str]) -> Integers:
        """Return the places of callers, new ones included."""
        places = np.array([*map(self._places.get, names, repeat(_NONE))], dtype=np.int64)
        new: list[int] = np.flatnonzero(places == _NONE).tolist()
        size = len(self._places)
        self._make_room(size + len(new))
        places[new] = range(size, size + len(new))
        self._places.update(zip([names[number] for number in new], range(size, size + len(new)), strict=True))
        self._period[size : size + len(new)] = _NONE
        self._told[size : size + len(new)], self._tokens[size : size + len(new)] = 0, 0.0
        self._touched[places] = np.arange(self._now, self._now + len(places))
        self._now += len(places)
        return places

    def _make_room(self, size: int) -> None:
        if size > len(self._tokens):
            more = size * 2
            self._period, self._told = np.resize(self._period, more), np.resize(self._told, more)
            self._touched, self._tokens = np.resize(self._touched, more), np.resize(self._tokens, more)

    def save(self) -> Iterator[tuple[str, Sum]]:
        """Yield callers and what they used, the one that was quiet longest first."""
        order = np.argsort(self._touched[: len(self._places)])
        names = list(self._places)
        columns = (held[order].tolist() for held in (self._period, self._tokens, self._told))
        for place, period, tokens, told in zip(order.tolist(), *columns, strict=True):
            if period != _NONE:
                yield names[place], Sum(period, 0.0, tokens, told)

    @classmethod
    def restored(cls, held: Iterable[tuple[str, Sum]]) -> Hours:
        """Return what `save` was asked of."""
        made, sums = cls(), dict(held)
        made._found(list(sums))
        for name, one in sums.items():
            made.set(name, one)
        return made
