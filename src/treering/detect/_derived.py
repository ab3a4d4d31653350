"""What several detectors work out from one batch, worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.model.rows import Rows

T = TypeVar("T")


def derived(rows: Rows, make: Callable[[Rows], T]) -> T:
    """Return `make(rows)`, the same object for every caller with the same batch and function."""
    if make not in rows.derived:
        rows.derived[make] = make(rows)
    return cast("T", rows.derived[make])
