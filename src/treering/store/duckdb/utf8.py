"""The bytes of Arrow text columns as NumPy arrays without a copy (Arrow C data interface)."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.core.errors import Bug

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _ArrowArray(ctypes.Structure):
    # https://arrow.apache.org/docs/format/CDataInterface.html, struct ArrowArray: the leading members suffice.
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    )


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


class Utf8Column:
    """Offsets (`rows + 1`) and bytes of one array of 32-bit-offset text; null rows are empty."""

    def __init__(self, array: Any) -> None:
        """Borrow the buffers of `array`, which is kept alive."""
        _, self._capsule = array.__arrow_c_array__()
        address = _pointer(self._capsule, b"arrow_array")
        if address is None:
            raise Bug("an Arrow array without an address")
        view = _ArrowArray.from_address(address)
        offsets_at, data_at = view.buffers[1], view.buffers[2]
        self.offsets: NDArray[np.int32] = np.zeros(view.length + 1, np.int32)
        if offsets_at and view.length:
            count = view.offset + view.length + 1
            held = (ctypes.c_int32 * count).from_address(offsets_at)
            self.offsets = np.ctypeslib.as_array(held)[view.offset :]
        size = int(self.offsets[-1])
        self.data: NDArray[np.uint8] = np.zeros(0, np.uint8)
        if data_at and size:
            self.data = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(data_at))

    def rows(self, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the bytes of rows `first` to `last` (excluded) and where each value starts in them."""
        offsets = self.offsets[first : last + 1].astype(np.int64)
        return self.data[offsets[0] : offsets[-1]], offsets[:-1] - offsets[0]
