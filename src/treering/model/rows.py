"""`Rows`: the records of one batch as detectors read them, one column at a time, each decoded at most once."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import Array, DataType

from treering.model.batch import Batch
from treering.model.buffers import codes_from_arrow, floats_from_arrow, present_from_arrow
from treering.model.columns import SEQUENCE, SYSTEM, TIME, Kind, logical, split, to_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


@lru_cache(65_536)
def _field(physical: str) -> str:
    """Return the field that a column holds; batches have the same few columns again and again."""
    return logical(split(physical)[0])


@lru_cache(1024)
def _fields(names: tuple[str, ...]) -> Mapping[str, list[str]]:
    """Return the columns in which each field is."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name not in SYSTEM:
            found.setdefault(_field(name), []).append(name)
    return found


_OF_TEXTS = frozenset({Kind.STRING, Kind.JSON})
_MANY = 256
"""Records from which it pays to encode a column by compiled code."""


_SINGLE_COSTS = 64
"""How many values of a column are decoded in the time that it takes to get at a single one."""


class Rows:
    """A view of `batch`, which must carry its `_seq` column or start at `first_seq`.

    `derived` is what readers worked out from it, by whatever they like. It may refer to these rows, so whoever made
    them empties it at the end: else a batch stays in memory until the garbage collector comes.
    """

    def __init__(self, batch: Batch, first_seq: int = -1) -> None:
        """Look at `batch`; nothing is decoded yet."""
        self.batch = batch
        self.stream = batch.stream
        self.count = batch.rows
        self.derived: dict[Any, Any] = {}
        self._first_seq = first_seq
        self._held: dict[str, Sequence[Any]] = {}
        self._texts: dict[str, Sequence[str | None]] = {}
        self._singles: dict[str, int] = {}
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._codes: dict[str, tuple[NDArray[np.int32], list[str]]] = {}

    @cached_property
    def _physical(self) -> Mapping[str, list[str]]:
        return _fields(tuple(self.batch.data.schema.names))

    @cached_property
    def times(self) -> NDArray[np.int64]:
        """The instant of each record, nanoseconds since the epoch."""
        times: NDArray[np.int64] = self.batch.data.column(TIME).cast(DataType.int64()).to_numpy()
        return times

    @cached_property
    def seqs(self) -> NDArray[np.int64]:
        """The `_seq` of each record; -1 throughout for records that are not in the store."""
        if SEQUENCE in self.batch.data.schema.names:
            seqs: NDArray[np.int64] = self.batch.data.column(SEQUENCE).to_numpy()
            return seqs
        if self._first_seq < 0:
            return np.full(self.count, -1, dtype=np.int64)
        return np.arange(self._first_seq, self._first_seq + self.count, dtype=np.int64)

    def has(self, name: str) -> bool:
        """Whether any record of the batch may have the field `name` (logical, as queries spell it)."""
        return name in self._physical

    @property
    def names(self) -> list[str]:
        """The fields (logical names) of the batch."""
        return list(self._physical)

    def columns(self, name: str) -> Iterator[tuple[Kind, Any]]:
        """Yield the Arrow columns in which the field is stored, with their kinds."""
        for physical in self._physical.get(name, ()):
            yield Kind(physical[-1]), self.batch.data.column(physical)

    def at(self, name: str, places: Sequence[int] | NDArray[np.int64]) -> Sequence[Any]:
        """Return the field's value of the records at `places`, without decoding those of all others."""
        if name in self._held or len(places) * 4 > self.count:
            held = self.values(name)
            return [held[place] for place in places]
        chosen, stored = Array.from_numpy(np.array(places, dtype=np.int64)), self._physical.get(name)
        if not stored or not len(places):
            return [None] * len(places)
        return Rows(Batch(self.stream, self.batch.data.select(stored).take(chosen))).values(name)

    def picked(self, places: NDArray[np.int64], *names: str) -> Rows:
        """Return the records at `places`, in that order, as a batch of their own: to read several columns of a few.

        With `names` it holds only these fields.
        """
        data = self.batch.data
        if names:
            data = data.select([TIME, *(stored for name in names for stored in self._physical.get(name, ()))])
        rows = Rows(Batch(self.stream, data.take(Array.from_numpy(places))))
        rows.seqs = self.seqs[places]
        return rows

    def values(self, name: str) -> Sequence[Any]:
        """Return the field's value of each record, None where a record lacks it; lists and objects are decoded."""
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = self._read(name)
        return held

    def texts(self, name: str) -> Sequence[str | None]:
        """Return the field's value of each record where it is a text, else None."""
        held = self._texts.get(name)
        if held is None:
            physical = self._physical.get(name, ())
            held = self.values(name)
            if len(physical) != 1 or not physical[0].endswith(":s"):
                held = [value if isinstance(value, str) else None for value in held]
            self._texts[name] = held
        return held

    def value(self, name: str, index: int) -> Any:
        """Return one record's value of the field, None where it lacks it; for few records of a batch."""
        if name not in self._held:
            self._singles[name] = self._singles.get(name, 0) + 1
            if self._singles[name] * _SINGLE_COSTS <= self.count:
                return self.at(name, (index,))[0]
        return self.values(name)[index]

    def text(self, name: str, index: int) -> str | None:
        """Return one record's value of the field where it is a text, else None; for few records of a batch."""
        value = self.value(name, index)
        return value if isinstance(value, str) else None

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return the field's value of each record as a float, NaN where it is no number."""
        held = self._numbers.get(name)
        if held is None:
            held = self._numbers[name] = self._floats(name)
        return held

    def _floats(self, name: str) -> NDArray[np.float64]:
        stored = list(self.columns(name))
        if not stored:
            return np.full(self.count, np.nan)
        if len(stored) == 1 and stored[0][0] in (Kind.LONG, Kind.DOUBLE):
            whole: NDArray[np.float64] = floats_from_arrow(stored[0][1])
            return whole
        values = self.values(name)
        numbers = (float(v) if isinstance(v, int | float) and not isinstance(v, bool) else np.nan for v in values)
        return np.fromiter(numbers, dtype=np.float64, count=self.count)

    def codes(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        """Return for each record the number of the field's text, -1 where it is none, and the distinct texts."""
        held = self._codes.get(name)
        if held is None:
            held = self._codes[name] = self._encoded(name)
        return held

    def _encoded(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        stored = list(self.columns(name))
        if not any(kind in _OF_TEXTS for kind, _ in stored):
            return np.full(self.count, -1, dtype=np.int32), []
        if len(stored) == 1 and stored[0][0] is Kind.STRING and self.count >= _MANY:
            return codes_from_arrow(stored[0][1])
        known: dict[str, int] = {}
        found = (-1 if text is None else known.setdefault(text, len(known)) for text in self.texts(name))
        return np.fromiter(found, dtype=np.int32, count=self.count), list(known)

    def present(self, name: str) -> NDArray[np.bool_]:
        """Return which records have the field."""
        found = np.zeros(self.count, dtype=bool)
        for _, column in self.columns(name):
            found |= present_from_arrow(column)
        return found

    def record(self, index: int) -> Mapping[str, Any]:
        """Return one whole record with its sender's nesting; for evidence and rare paths, it is slow."""
        row = self.batch.data.slice(index, 1)
        return to_record({name: row.column(name).to_pylist()[0] for name in row.schema.names if name != SEQUENCE})

    def _read(self, name: str) -> Sequence[Any]:
        merged: list[Any] | None = None
        for physical in self._physical.get(name, ()):
            column = self._decoded(physical)
            if merged is None:
                merged = column
            else:
                merged = [new if old is None else old for old, new in zip(merged, column, strict=True)]
        return [None] * self.count if merged is None else merged

    def _decoded(self, physical: str) -> list[Any]:
        column = self.batch.data.column(physical)
        kind = Kind(physical[-1])
        if kind is Kind.TIME:
            column = column.cast(DataType.int64())
        values = list(column.to_pylist())
        if kind is Kind.JSON:
            return [None if value is None else msgspec.json.decode(value) for value in values]
        return values
