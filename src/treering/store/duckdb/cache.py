"""What questions ask for again, as much of it as fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Cache:
    """Keeps the values asked for last; every method may be called from any thread."""

    def __init__(self, most_bytes: int) -> None:
        """Keep at most so many bytes."""
        self._most = most_bytes
        self._size = 0
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """Return what is kept under `key`, else what `make` gives, whose bytes `size` tells."""
        with self._lock:
            if (held := self._held.get(key)) is not None:
                self._held.move_to_end(key)
                known: T = held[0]
                return known
        found = make()
        weight = size(found)
        with self._lock:
            if key not in self._held:
                self._held[key] = found, weight
                self._size += weight
            while self._size > self._most and self._held:
                self._size -= self._held.popitem(last=False)[1][1]
        return found
