"""What detectors remember of many names: as much as there is room for, the one that was quiet longest goes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")


def recent(known: dict[K, V], key: K, most: int, make: Callable[P, V], *args: P.args, **named: P.kwargs) -> V:
    """Return what is known of `key`, which is the newest now; `make` gives it for a stranger."""
    held = known.pop(key, None)
    if held is None:
        held = make(*args, **named)
    known[key] = held
    _forget(known, most)
    return held


def remember(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Note a value as the newest."""
    known.pop(key, None)
    known[key] = value
    _forget(known, most)


def _forget(known: dict[K, V], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]
