"""Unpacked parts of index files that questions ask for again, as many as fit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_MOST_BYTES = 64 << 20


class Unpacked:
    """Keeps the bytes asked for last; every method may be called from any thread."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Keep at most so many bytes."""
        self._most = most_bytes
        self._size = 0
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, unpack: Callable[[], bytes]) -> bytes:
        """Return what is kept under `key`, else what `unpack` gives."""
        with self._lock:
            if (found := self._held.get(key)) is not None:
                self._held.move_to_end(key)
                return found
        found = unpack()
        with self._lock:
            if key not in self._held:
                self._held[key] = found
                self._size += len(found)
            while self._size > self._most and self._held:
                self._size -= len(self._held.popitem(last=False)[1])
        return found
