"""What is remembered of many names, as the rows of one array: one step for all names of a batch."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

_NONE = -1


class Saved(msgspec.Struct):
    """Names, the one that was quiet longest first, and their rows one after another."""

    names: list[str] = []
    rows: bytes = b""


class Kept:
    """A row for each name; the name that was quiet longest is forgotten first."""

    def __init__(self, new: Any) -> None:
        """Start without names; `new` is the row (one record of a structured array) of a name that is met."""
        self._new = new
        self._places: dict[str, int] = {}
        self._rows = np.zeros(0, dtype=new.dtype)
        self._touched = np.zeros(0, dtype=np.int64)
        self._now = 0

    @property
    def rows(self) -> Any:
        """The rows, which may be changed in place, until names are added or forgotten."""
        return self._rows[: len(self._places)]

    def __getitem__(self, name: str) -> Any:
        """Return the row of a name that is known, to be changed in place."""
        return self._rows[self._places[name]]

    def places(self, names: Sequence[str]) -> Integers:
        """Return which rows are those of distinct names, new ones included; they are the newest now, in this order."""
        places = np.array([*map(self._places.get, names, repeat(_NONE))], dtype=np.int64)
        new: list[int] = np.flatnonzero(places == _NONE).tolist()
        size = len(self._places)
        if size + len(new) > len(self._rows):
            self._rows = np.resize(self._rows, 2 * (size + len(new)))
            self._touched = np.resize(self._touched, len(self._rows))
        places[new] = range(size, size + len(new))
        self._places.update(zip([names[number] for number in new], range(size, size + len(new)), strict=True))
        self._rows[size : size + len(new)] = self._new
        self._touched[places] = np.arange(self._now, self._now + len(places))
        self._now += len(places)
        return places

    def forget(self, most: int, spare: int) -> None:
        """Forget all but the `most` newest names when there are `spare` more."""
        if len(self._places) <= most + spare:
            return
        kept = np.argsort(self._touched[: len(self._places)])[-most:]
        names = list(self._places)
        self._places = {names[place]: number for number, place in enumerate(kept.tolist())}
        self._rows[: len(kept)], self._touched[: len(kept)] = self._rows[kept], self._touched[kept]

    def save(self) -> Saved:
        """Return names and rows."""
        order = np.argsort(self._touched[: len(self._places)])
        names = list(self._places)
        return Saved([names[place] for place in order.tolist()], self._rows[order].tobytes())

    @classmethod
    def restored(cls, new: Any, held: Saved) -> Kept:
        """Return what `save` was asked of; `new` as it was. Raises `ValueError`."""
        made, rows = cls(new), np.frombuffer(held.rows, dtype=new.dtype)
        if not len(set(held.names)) == len(held.names) == len(rows):
            raise ValueError(f"{len(held.names)} names of {len(rows)} rows")
        made.places(held.names)
        made.rows[:] = rows
        return made
