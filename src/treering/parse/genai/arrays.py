"""Whole columns changed at once: which rows have a value, distinct values, rows of one column put into another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from arro3 import compute
from arro3.core import Array, ChunkedArray, DataType, dictionary_dictionary, dictionary_indices

from treering.model.columns import ARROW, SYSTEM, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

# Its stubs lack some of its functions.
_compute: Any = compute
_INT64, _INT32 = DataType.int64(), DataType.int32()
_NO_PLACE = Array([-1], _INT32)


def type_of(name: str) -> DataType:
    """Return the Arrow type of a physical column."""
    return SYSTEM.get(name) or ARROW[Kind(name[-1])]


def present(column: Array) -> Any:
    """Return which rows have a value, as a NumPy array of bool."""
    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    return compute.is_not_null(column).to_numpy()


def distinct(column: Array) -> tuple[Any, list[Any]]:
    """Return the place of each row's value (-1: none) in the list of distinct values."""
    encoded = compute.dictionary_encode(column)
    values: Any = dictionary_dictionary(encoded).to_pylist()
    return filled(dictionary_indices(encoded), _NO_PLACE), values


def filled(column: Array, default: Array) -> Any:
    """Return a column as NumPy with `default` (an array of one) where it has no value."""
    if not column.null_count:
        return column.to_numpy()
    joined = joined_arrays([column, default])
    places = np.where(present(column), np.arange(len(column)), len(column))
    return joined.take(Array.from_numpy(places)).to_numpy()


def joined_arrays(arrays: Sequence[Array]) -> Array:
    """Return the rows of arrays of one type, one after another."""
    joined: Array = _compute.concat(ChunkedArray(list(arrays), arrays[0].type))
    return joined


def chosen(values: Sequence[Any], places: Any, kind: DataType) -> Array:
    """Return a column whose rows are those of `values` at `places`; -1 is no value."""
    return Array([*values, None], kind).take(Array.from_numpy(np.where(places < 0, len(values), places)))


def spread(values: Sequence[Any], rows: Any, count: int, kind: DataType) -> Array:
    """Return a column of `count` rows with `values` at `rows` and nothing elsewhere."""
    places = np.full(count, len(values), dtype=np.int64)
    places[rows] = np.arange(len(values))
    made = Array(list(values), _INT64).cast(kind) if kind == ARROW[Kind.TIME] else Array(list(values), kind)
    return joined_arrays([made, Array([None], _INT64).cast(kind)]).take(Array.from_numpy(places))


def numbers(values: Any, mask: Any, kind: DataType) -> Array:
    """Return NumPy `values` as a column that has a value only where `mask` says so."""
    made = Array.from_numpy(values)
    if bool(mask.all()):
        return made
    places = np.where(mask, np.arange(len(values)), len(values))
    return joined_arrays([made, Array([None], kind)]).take(Array.from_numpy(places))


def first_of(first: Array, second: Array) -> Array:
    """Return `first` where it has a value, else `second`."""
    count = len(first)
    places = np.where(present(first), np.arange(count), np.arange(count, 2 * count))
    return joined_arrays([first, second]).take(Array.from_numpy(places))


def without(column: Array, mask: Any) -> Array:
    """Return `column` with no value where `mask` says so."""
    places = np.where(mask, len(column), np.arange(len(column)))
    nothing = Array([None], _INT64).cast(column.type)
    return joined_arrays([column, nothing]).take(Array.from_numpy(places))
