"""What several detectors work out from one batch, worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.model.rows import Rows

T = TypeVar("T")
_held: WeakKeyDictionary[Rows, dict[Any, Any]] = WeakKeyDictionary()


def derived(rows: Rows, make: Callable[[Rows], T]) -> T:
    """Return `make(rows)`, the same object for every caller with the same batch and function."""
    held = _held.setdefault(rows, {})
    if make not in held:
        held[make] = make(rows)
    return cast("T", held[make])
