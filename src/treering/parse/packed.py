"""Records in MessagePack to columns, by a small WebAssembly program (`wasm/columns.c`).

The columns are those that `treering.model.batch` makes of the same records, at a third of the cost: no value becomes an
object but those of fields that have lists, nulls or several kinds of values.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET

from treering.core.wasm import Instance, Trap
from treering.model.batch import Batch
from treering.model.columns import MAX_COLUMNS, NANOSECOND, Kind, Spreader, escape
from treering.model.ipc import Laid, arrays
from treering.model.schema import is_time_field
from treering.model.shapes import spread_anything

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent / "wasm" / "columns.wasm"
_KINDS = {1: Kind.STRING, 2: Kind.LONG, 4: Kind.DOUBLE, 8: Kind.BOOLEAN}  # as columns.c has them
_MOST_KEPT = 64 << 20
_held = threading.local()


class _Field(NamedTuple):
    """What columns.c says of a field."""

    key: int
    length: int
    parent: int
    kinds: int
    filled: int
    valid: int
    values: int
    values_size: int
    texts: int
    texts_size: int
    next: int
    child: int
    bytes: int
    at: int


_FIELD = np.dtype([(name, "<u4") for name in _Field._fields])


def batch(stream: str, data: memoryview, *, received_ns: int) -> Batch | None:
    """Return the records in an array of MessagePack as a batch of `stream`; None when they are refused, or none."""
    program = _program()
    try:
        place = program.call("room", len(data))
        program.memory(place, len(data))[:] = np.frombuffer(data, dtype=np.uint8)
        made = program.call("lay_out", place, len(data))
    except Trap:
        _held.program = None
        return None
    if not made:
        return None
    laid = _Laid(program.memory(0, program.size), made)
    spreader = Spreader(laid.rows, lambda name: is_time_field(stream, name), NANOSECOND, MAX_COLUMNS)
    try:
        laid.spread(spreader)
    except Exception:  # noqa: BLE001  for texts that are not UTF-8 Arrow's reader has no error of its own
        return None
    return Batch(stream, spreader.finish(received_ns))


def _program() -> Any:
    held = getattr(_held, "program", None)
    if held is None or held.size > _MOST_KEPT:
        held = _held.program = Instance(PROGRAM)
    return held


class _Laid:
    """The fields of records that were laid out."""

    def __init__(self, memory: Any, made: int) -> None:
        count, self.rows, table, self._start, self._stop = memory[made : made + 20].view("<u4").tolist()
        self._memory = memory
        self._fields = [
            _Field._make(one) for one in memory[table : table + count * _FIELD.itemsize].view(_FIELD).tolist()
        ]

    def spread(self, spreader: Spreader) -> None:
        """Put them into columns. Raises an error for texts that are not UTF-8."""
        alike = [field for field in self._fields[1:] if field.kinds in _KINDS]
        kinds, body = "".join(_KINDS[field.kinds] for field in alike), self._memory[self._start : self._stop]
        made = iter(arrays(kinds, self.rows, [self._laid(field) for field in alike], body))
        for pointer, field in zip(self._pointers(), self._fields[1:], strict=True):
            if field.kinds in _KINDS:
                spreader.place_array(pointer, next(made), _KINDS[field.kinds])
            elif field.filled:
                spread_anything(pointer, self._anything(field), spreader)

    def _pointers(self) -> Iterator[str]:
        """Yield the pointers of the fields. Raises `ValueError` for a name that no column can have."""
        known = [""]
        for field in self._fields[1:]:
            key = escape(self._bytes(field.key, field.key + field.length).decode())
            if "\0" in key:
                raise ValueError("a name with a NUL")
            known.append(f"{known[field.parent]}/{key}" if field.parent else key)
            yield known[-1]

    def _laid(self, field: _Field) -> Laid:
        """Return where the column of a field is in the body."""
        places = [(field.valid, -(-self.rows // 8)), (field.values, field.values_size)]
        if field.texts:
            places.append((field.texts, field.texts_size))
        return Laid(self.rows - field.filled, [(at - self._start, size) if at else (0, 0) for at, size in places])

    def _anything(self, field: _Field) -> list[Any]:
        """Return the values of a field of several kinds, UNSET where it has none."""
        bits = self._memory[field.valid : field.valid + -(-self.rows // 8)]
        found: list[Any] = [UNSET] * self.rows
        values = msgspec.msgpack.decode(self._bytes(field.texts, field.texts + field.texts_size))
        for row, value in zip(np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist(), values, strict=True):
            found[row] = value
        return found

    def _bytes(self, start: int, stop: int) -> bytes:
        held: bytes = self._memory[start:stop].tobytes()
        return held
