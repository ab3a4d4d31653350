"""Records of a batch by what they have in common, without a step of Python for each."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.model.rows import Rows

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Names:
    """Texts of several columns, numbered together."""

    def __init__(self, rows: Rows) -> None:
        """Start with none; `texts` are those of all columns that were asked for."""
        self._rows = rows
        self.texts: list[str] = []

    def first(self, *fields: str) -> NDArray[np.int64]:
        """Return for each record the number of the first of `fields` that is not empty, -1 for none."""
        found = np.full(self._rows.count, -1, dtype=np.int64)
        for field in fields:
            if self._rows.has(field) and (found < 0).any():
                codes, texts = self._rows.codes(field)
                numbers = np.append(np.arange(len(texts)) + len(self.texts), -1)
                if "" in texts:
                    numbers[texts.index("")] = -1
                found = np.where(found < 0, numbers[codes], found)
                self.texts += texts
        return found


class Grouped:
    """Groups of equal keys: what is said of them is an array, group by group in the order of their last item."""

    def __init__(self, keys: NDArray[Any]) -> None:
        """Group the places 0, 1, 2 … by `keys`."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(keys) else np.zeros(0, np.int64)
        ends = np.append(starts[1:], len(keys))[: len(starts)]
        self._order, self._starts = order, starts
        self._ranked = np.argsort(order[ends - 1], kind="stable") if len(starts) else starts
        self._lengths = ends - starts

    @cached_property
    def sizes(self) -> Integers:
        """How many items each has."""
        return self._lengths[self._ranked]

    @cached_property
    def firsts(self) -> Integers:
        """The place of the first item of each."""
        firsts: Integers = self._order[self._starts][self._ranked]
        return firsts

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of each."""
        return self._reduced(np.add, values)

    def least(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the least value of each."""
        return self._reduced(np.minimum, values)

    def greatest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the greatest value of each."""
        return self._reduced(np.maximum, values)

    def first_of(self, chosen: NDArray[np.bool_]) -> Integers:
        """Return the place of the first item of each that is chosen, -1 for none."""
        places = np.where(chosen, np.arange(len(chosen)), len(chosen))
        found = self.least(places)
        return np.where(found < len(chosen), found, -1)

    def members(self, number: int) -> Integers:
        """Return the places of one group, ascending."""
        at = self._ranked[number]
        members: Integers = self._order[self._starts[at] : self._starts[at] + self._lengths[at]]
        return members

    def _reduced(self, how: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        if not len(self._starts):
            return values[:0]
        reduced: NDArray[Any] = how.reduceat(values[self._order], self._starts)[self._ranked]
        return reduced


def split(keys: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Return the places of each distinct key, ascending, in the order in which the keys come."""
    if not len(keys):
        return []
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    parts = np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)
    return sorted(parts, key=lambda part: int(part[0]))
