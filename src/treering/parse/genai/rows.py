"""A batch while its columns are normalised: values that move to other names, and values of ours beside them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import Array, Field, RecordBatch, Schema

from treering.model.columns import ORIGIN, OWN, REST, SYSTEM, Kind, logical, split
from treering.parse.genai import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_CODE = 2**60
_PREFIX = "attributes/"
# Where values of the sender's go that are none: a framework as provider, a model called "unknown".
_ASIDE = f"{OWN}sent/"


@lru_cache(8192)
def physical(attribute: str, kind: Kind) -> str:
    """Return the column of a canonical attribute, or of another field after a slash, as a sender fills it."""
    return f"{attribute[1:]}:{kind.value}" if attribute[0] == "/" else f"{_PREFIX}{attribute}:{kind.value}"


class Rows:
    """The columns of a batch. What moved is remembered for each row, so that the sender's record can be rebuilt."""

    def __init__(self, data: RecordBatch) -> None:
        """Begin with the columns as their sender filled them."""
        self.columns: dict[str, Array] = dict(zip(data.schema.names, data.columns, strict=True))
        self.count = data.num_rows
        self._moves: list[tuple[Any, str, str]] = []
        self._rest: Any = None
        self._distinct: dict[str, tuple[Array, tuple[Any, list[Any]]]] = {}

    def get(self, attribute: str, kind: Kind = Kind.STRING) -> Array | None:
        """Return the values of a canonical attribute: ours, where we have none the sender's."""
        name = physical(attribute, kind)
        own, sent = self.columns.get(OWN + name), self.columns.get(name)
        if own is None or sent is None:
            return sent if own is None else own
        return arrays.first_of(own, sent)

    def has(self, attribute: str) -> Any:
        """Return which rows have a value under a canonical attribute, of whatever kind."""
        found = np.zeros(self.count, dtype=bool)
        for name in _places(attribute):
            if (column := self.columns.get(name)) is not None:
                found |= arrays.present(column)
        return found

    def distinct(self, attribute: str) -> tuple[Any, list[Any]]:
        """Return the place of each row's text (-1: none) in the list of distinct ones under a canonical attribute."""
        column = self.get(attribute)
        if column is None:
            return np.full(self.count, -1), []
        held = self._distinct.get(attribute)
        if held is None or held[0] is not column:
            held = self._distinct[attribute] = (column, arrays.distinct(column))
        return held[1]

    def move(self, source: str, target: str) -> None:
        """Put the values of one column under another name, in all rows that have nothing there yet."""
        column = self.columns[source]
        mask = arrays.present(column)
        pointer, _ = split(target)
        taken = self.has(pointer.removeprefix(_PREFIX)) | self._in_rest(pointer)
        if bool((mask & taken).any()):
            self.columns[source] = arrays.without(column, mask & ~taken)
            mask = mask & ~taken
            column = arrays.without(column, ~mask)
        else:
            del self.columns[source]
        self._moved(mask, column, source, target)

    def _in_rest(self, pointer: str) -> Any:
        """Return which rows have something at a pointer that has no column, if only an explicit null."""
        rest = self.columns.get(REST)
        if rest is None:
            return np.zeros(self.count, dtype=bool)
        if self._rest is None:
            self._rest = rest.to_pylist()
        name = f'"{pointer}"'
        return np.array([text is not None and name in text for text in self._rest])

    def _moved(self, mask: Any, column: Array, source: str, target: str) -> None:
        if bool(mask.any()):
            held = self.columns.get(target)
            self.columns[target] = column if held is None else arrays.first_of(held, column)
            self._moves.append((mask, split(target)[0], split(source)[0]))

    def add(self, attribute: str, kind: Kind, column: Array, *, instead: bool = False) -> None:
        """Add values of ours where nothing is under that name (the others are dropped), or instead of a sender's."""
        mask = arrays.present(column)
        free = mask if instead else mask & ~self.has(attribute)
        if not bool(free.any()):
            return
        name = OWN + physical(attribute, kind)
        column = column if bool((free == mask).all()) else arrays.without(column, ~free)
        held = self.columns.get(name)
        self.columns[name] = column if held is None else arrays.first_of(held, column)

    def replace(self, attribute: str, kind: Kind, values: Sequence[Any], codes: Any, sent: Sequence[Any],
                into: Kind | None = None) -> None:  # fmt: skip
        """Let `values` (None: there is none) stand for those `sent`; `codes` says which each row has (-1: none).

        A value that is sent is kept beside ours; with `into` ours are of another kind.
        """
        name = physical(attribute, kind)
        gone = np.array([*(value is None for value in values), False])[codes]
        if bool(gone.any()):
            column = self.columns[name]
            self.columns[name] = arrays.without(column, gone)
            self._moved(gone, arrays.without(column, ~gone), name, _ASIDE + name)
        other = [None if value is None or value == old else value for value, old in zip(values, sent, strict=True)]
        if any(value is not None for value in other):
            target = OWN + physical(attribute, into or kind)
            self.columns[target] = arrays.chosen(other, codes, arrays.type_of(target))

    def batch(self) -> RecordBatch:
        """Return the columns as a batch, with `_origin` if anything moved."""
        if self._moves:
            places, examples = _patterns([(mask, 2) for mask, *_ in self._moves], self.count)
            texts = [self._origin(int(row)) for row in examples]
            self.columns[ORIGIN] = arrays.chosen(texts, places, SYSTEM[ORIGIN])
        schema = Schema([Field(name, arrays.type_of(name)) for name in self.columns])
        return RecordBatch.from_arrays(list(self.columns.values()), schema=schema)

    def _origin(self, row: int) -> str | None:
        """Return what moved in a row: from the pointer as stored to the pointer as sent."""
        moved: dict[str, str] = {}
        for mask, target, source in self._moves:
            if mask[row]:
                moved[target] = moved.pop(source, source)
        return msgspec.json.encode(moved).decode() if moved else None


@lru_cache(4096)
def _places(attribute: str) -> tuple[str, ...]:
    return tuple(prefix + physical(attribute, kind) for kind in Kind for prefix in ("", OWN))


def _patterns(marks: Sequence[tuple[Any, int]], count: int) -> tuple[Any, Any]:
    """Return for each row which pattern of marks it has, and for each pattern a row that has it."""
    code = np.zeros(count, dtype=np.int64)
    if all(bool(values.all()) for values, _ in marks):
        return code, [0]
    size = 1
    for values, radix in marks:
        if size * radix >= _MOST_CODE:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
            size = int(code.max(initial=0)) + 1
        code = code * radix + values
        size *= radix
    _, examples, places = np.unique(code, return_index=True, return_inverse=True)
    return places.reshape(-1), examples


@lru_cache(1024)
def attribute_of(name: str) -> str | None:
    """Return the attribute that a physical column holds, whatever the nesting; None for other columns."""
    if name in SYSTEM or not name.startswith(_PREFIX):
        return None
    return logical(split(name)[0])[len(_PREFIX) :]
