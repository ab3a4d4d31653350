"""Columns of text as bytes for NumPy and compiled loops."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import ARROW, Kind

if TYPE_CHECKING:
    from arro3.core import Array


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


def from_arrow(array: Array) -> Texts:
    """Return an Arrow column of texts without copying it; nulls are empty."""
    capsules = array.cast(ARROW[Kind.STRING]).__arrow_c_array__()
    held = _ArrowArray.from_address(_pointer(capsules[1], b"arrow_array"))
    if not held.length:
        return Texts(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    offsets = _view(held.buffers[1], (held.offset + held.length + 1) * 4, capsules).view(np.int32)[held.offset :]
    data = _view(held.buffers[2], int(offsets[-1]), capsules)
    return Texts(data, offsets.astype(np.int64), capsules)


def _view(address: int | None, size: int, owner: object) -> Any:
    if not address or not size:
        return np.zeros(size, dtype=np.uint8)
    block: Any = (ctypes.c_uint8 * size).from_address(address)
    block.owner = owner  # keeps the column alive as long as the view
    return np.frombuffer(block, dtype=np.uint8)


def gathered(data: Any, starts: Any, lengths: Any) -> Any:
    """Return the pieces of `data` that begin at `starts`, one after another."""
    total = int(lengths.sum())
    if not total:
        return np.zeros(0, dtype=np.uint8)
    ends = np.cumsum(lengths)
    places = np.arange(total, dtype=np.int64)
    places += np.repeat(starts - (ends - lengths), lengths)
    return data[places]
