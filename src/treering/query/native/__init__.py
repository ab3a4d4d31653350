"""Scalar functions that the engine's SQL does not have, written in Python and registered when a connection opens.

They are used only where no expression of built-in functions does the same; each is total over its arguments or raises
`ValueError` with a message for the user. Null in gives null out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Native:
    """A function by its SQL name, with the SQL types it takes and returns."""

    name: str
    call: Callable[..., Any]
    takes: tuple[str, ...]
    returns: str


def all_natives() -> tuple[Native, ...]:
    """Return every native function of PPL."""
    from treering.query.native import (
        baselines,
        brain,
        converts,
        differences,
        drifting,
        flattening,
        graph,
        hashes,
        json,
        labels,
        learned,
        places,
        seeded,
        spantree,
        text,
        times,
    )

    parts = (
        text,
        json,
        times,
        converts,
        flattening,
        labels,
        graph,
        differences,
        baselines,
        spantree,
        brain,
        learned,
        drifting,
        hashes,
        places,
        seeded,
    )
    return tuple(native for part in parts for native in part.NATIVES)
