"""Small WebAssembly programs for the few loops that neither Python nor a library does fast.

Each is a `.c` file beside its `.wasm`, which is what a compiler made of it: the same for every machine, so none is
needed to install or run treering. A program sees nothing but the memory of its own instance.
"""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import wasmtime

if TYPE_CHECKING:
    from pathlib import Path


_GROWTH_BYTES = 32 << 20


class Trap(Exception):  # noqa: N818  it is what WebAssembly calls it
    """The program stopped: it ran out of memory, or was given what it cannot handle."""


@functools.cache
def _compiled(path: Path, *, reserved: bool) -> tuple[wasmtime.Engine, wasmtime.Module]:
    # A handler of signals, the default, finds addresses outside, but is the whole process's.
    config = wasmtime.Config()
    config.signals_based_traps = False
    if not reserved:
        config.memory_reservation = 0
        config.memory_reservation_for_growth = _GROWTH_BYTES
        config.memory_guard_size = 0
    config.memory_may_move = not reserved
    engine = wasmtime.Engine(config)
    return engine, wasmtime.Module.from_file(engine, str(path))


def _instance(path: Path) -> tuple[wasmtime.Store, Any]:
    """Return a new instance and its store.

    Memory that never moves, for which 4 GB of addresses are reserved, makes programs up to a fifth faster and need not
    be copied when it grows; where addresses are limited it is memory that moves.
    """
    for reserved in (True, False):
        engine, module = _compiled(path, reserved=reserved)
        store = wasmtime.Store(engine)
        with suppress(wasmtime.WasmtimeError):
            return store, wasmtime.Instance(store, module, [])
    raise Trap(f"{path.name}: no memory for another instance")


class _Bytes:
    """The memory of an instance, for NumPy."""

    def __init__(self, memory: Any, store: wasmtime.Store) -> None:
        address, size = ctypes.addressof(memory.data_ptr(store).contents), int(memory.data_len(store))
        self.__array_interface__ = {"data": (address, False), "shape": (size,), "typestr": "|u1", "version": 3}
        self._owner = memory, store


class Instance:
    """A program with memory of its own, which grows and goes with the instance; for one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Make an instance of the program in `path`, which is compiled once in a process."""
        self._store, instance = _instance(path)
        exports = instance.exports(self._store)
        self._memory = exports["memory"]
        self._exports = exports

    def call(self, name: str, *arguments: int) -> int:
        """Return what the function `name` returns, as an unsigned number; 0 when it returns nothing. Raises `Trap`."""
        try:
            result = self._exports[name](self._store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise Trap(f"{name}: {error}") from error
        return 0 if result is None else int(result) & 0xFFFFFFFF

    def memory(self, place: int, size: int) -> Any:
        """Return `size` bytes of memory, writable, as a NumPy array that is valid until the next call."""
        return np.asarray(_Bytes(self._memory, self._store))[place : place + size]

    @property
    def size(self) -> int:
        """The bytes of memory that the instance has."""
        return int(self._memory.data_len(self._store))
