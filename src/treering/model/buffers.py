"""Columns of text as bytes for NumPy and compiled loops."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.compute import dictionary_encode
from arro3.core import Array

from treering.model.columns import ARROW, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence


class _ArrowArray(ctypes.Structure):
    """`struct ArrowArray` of the Arrow C data interface."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


class _Block:
    """Bytes at an address, for NumPy; keeps their owner alive as long as there is a view."""

    __slots__ = ("__array_interface__", "_owner")

    def __init__(self, address: int, size: int, owner: object) -> None:
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3}
        self._owner = owner


class Texts:
    """The values of a text column: their bytes one after another, and where each begins."""

    __slots__ = ("_owner", "data", "offsets")

    def __init__(self, data: Any, offsets: Any, owner: object = None) -> None:
        """Keep `data` (uint8) and `offsets` (one more than there are values)."""
        self.data = data
        self.offsets = offsets
        self._owner = owner

    def take(self, places: Any) -> Texts:
        """Return the values at `places`, in that order."""
        starts, lengths = self.offsets[places], self.offsets[places + 1] - self.offsets[places]
        return Texts(gathered(self.data, starts, lengths), np.concatenate(([0], np.cumsum(lengths))))

    def value(self, place: int) -> str:
        """Return one value."""
        return bytes(self.data[self.offsets[place] : self.offsets[place + 1]]).decode("utf-8", "replace")


def joined(columns: Sequence[Texts]) -> Texts:
    """Return the values of several columns, one column after the other."""
    if len(columns) == 1:
        return columns[0]
    parts, offsets, at = [], [np.zeros(1, dtype=np.int64)], 0
    for column in columns:
        parts.append(column.data[column.offsets[0] : column.offsets[-1]])
        offsets.append(column.offsets[1:] - column.offsets[0] + at)
        at += len(parts[-1])
    return Texts(np.concatenate(parts), np.concatenate(offsets))


def floats_from_arrow(array: Array) -> Any:
    """Return an Arrow column of numbers as floats, NaN where it is null."""
    if not array.null_count:
        return np.asarray(array.to_numpy(), dtype=np.float64)
    wide = array.cast(ARROW[Kind.DOUBLE])
    held, capsules = _held(wide)
    values = _view(held.buffers[1], (held.offset + held.length) * 8, capsules).view(np.float64)[held.offset :].copy()
    values[~_present(held, capsules)] = np.nan
    return values


def codes_from_arrow(array: Array) -> tuple[Any, list[str]]:
    """Return for each value of an Arrow column of texts the number of its text, -1 for null, and the texts."""
    encoded = dictionary_encode(array)
    held, capsules = _held(encoded)
    codes = _view(held.buffers[1], (held.offset + held.length) * 4, capsules).view(np.int32)[held.offset :].copy()
    if encoded.null_count:
        codes[~_present(held, capsules)] = -1
    first = np.full(int(codes.max(initial=-1)) + 2, -1, dtype=np.int64)  # the last one is for null
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    used = np.flatnonzero(first[:-1] >= 0)
    texts = array.take(Array.from_numpy(first[used])).to_pylist()
    if len(used) == len(first) - 1:
        return codes, list(texts)
    dense = np.full(len(first), -1, dtype=np.int32)
    dense[used] = np.arange(len(used))
    return dense[codes], list(texts)


def present_from_arrow(array: Array) -> Any:
    """Return which values of an Arrow column are not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=bool)
    held, capsules = _held(array)
    return _present(held, capsules)


def _held(array: Array) -> tuple[_ArrowArray, object]:
    capsules = array.__arrow_c_array__()
    return _ArrowArray.from_address(_pointer(capsules[1], b"arrow_array")), capsules


def _present(held: _ArrowArray, capsules: object) -> Any:
    end = held.offset + held.length
    bits = np.unpackbits(_view(held.buffers[0], -(-end // 8), capsules), bitorder="little")
    return bits[held.offset : end].astype(bool)


def from_arrow(array: Array) -> Texts:
    """Return an Arrow column of texts without copying it; nulls are empty."""
    held, capsules = _held(array.cast(ARROW[Kind.STRING]))
    if not held.length:
        return Texts(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    offsets = _view(held.buffers[1], (held.offset + held.length + 1) * 4, capsules).view(np.int32)[held.offset :]
    data = _view(held.buffers[2], int(offsets[-1]), capsules)
    return Texts(data, offsets.astype(np.int64), capsules)


def _view(address: int | None, size: int, owner: object) -> Any:
    if not address or not size:
        return np.zeros(size, dtype=np.uint8)
    return np.asarray(_Block(address, size, owner))


def gathered(data: Any, starts: Any, lengths: Any) -> Any:
    """Return the pieces of `data` that begin at `starts`, one after another."""
    total = int(lengths.sum())
    if not total:
        return np.zeros(0, dtype=np.uint8)
    ends = np.cumsum(lengths)
    places = np.arange(total, dtype=np.int64)
    places += np.repeat(starts - (ends - lengths), lengths)
    return data[places]
