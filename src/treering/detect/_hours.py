"""What callers use within an hour, as arrays: one step for all callers of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from treering.detect._kept import Kept, Saved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

_MOST = 20_000
_SPARE = 2_000
_NONE = -1
_NEW = np.array((_NONE, 0.0, 0), dtype=[("period", "<i8"), ("tokens", "<f8"), ("told", "<i8")])


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
        self._kept = Kept(_NEW)

    def add(
        self, names: Sequence[str], hours: tuple[Integers, Integers], tokens: NDArray[np.float64], limit: float
    ) -> list[int]:
        """Add the tokens of distinct callers where that is all there is to do; return the numbers of the others.

        `hours` are the first and last hour of each. The others have tokens in more than one hour, in another one than
        before, or come to `limit` by them.
        """
        places = self._kept.places(names)
        rows = self._kept.rows
        period, total = rows["period"][places], rows["tokens"][places] + tokens
        plain = (hours[0] == hours[1]) & ((period == hours[0]) | (period == _NONE)) & (total < limit)
        chosen = places[plain]
        rows["period"][chosen], rows["tokens"][chosen] = hours[0][plain], total[plain]
        others: list[int] = np.flatnonzero(~plain).tolist()
        return others

    def get(self, name: str) -> Sum | None:
        """Return what a caller used in its newest hour, None for one without any."""
        period, tokens, told = self._kept[name].item()
        return None if period == _NONE else Sum(period, 0.0, tokens, told)

    def set(self, name: str, held: Sum) -> None:
        """Note what a caller used."""
        row = self._kept[name]
        row["period"], row["tokens"], row["told"] = held.period, held.tokens, held.told

    def forget(self) -> None:
        """Forget callers when they have become too many."""
        self._kept.forget(_MOST, _SPARE)

    def save(self) -> Saved:
        """Return callers and what they used."""
        return self._kept.save()

    @classmethod
    def restored(cls, held: Saved) -> Hours:
        """Return what `save` was asked of. Raises `ValueError`."""
        made = cls()
        made._kept = Kept.restored(_NEW, held)
        return made
