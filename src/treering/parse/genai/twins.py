"""Calls told of twice by layers of one program that do not know each other: neither span is the other's parent.

Anthropic's client traces itself, and Traceloop's instrumentation around it makes no span current: the same answer, with
the same id, comes in two spans under different names, one's time within the other's, and only one has the messages:
the other repeats it. Whole instrumentations side by side each have their calls. Looked for within a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array

from treering.model.columns import Kind
from treering.parse.genai import arrays

if TYPE_CHECKING:
    from treering.parse.genai.rows import Rows

_ID = "gen_ai.response.id"
_INPUT = "gen_ai.input.messages"
_SLACK_NS = 1_000_000


def repeated(rows: Rows, chosen: Any) -> list[int]:
    """Return which rows of those `chosen` only repeat another of them that has the messages."""
    codes, ids = rows.distinct(_ID)
    held = codes[chosen]
    counts = np.bincount(held[held >= 0], minlength=len(ids))
    if not len(counts) or counts.max() < 2:
        return []
    places = chosen[(held >= 0) & (counts[held] > 1)]
    names = _taken(rows, "name:s", places)
    services = _taken(rows, "serviceName:s", places)
    starts, ends = _taken(rows, "startTime:t", places), _taken(rows, "endTime:t", places)
    told = rows.has(_INPUT)[places].tolist()
    groups: dict[tuple[int, Any], list[int]] = {}
    for at, code in enumerate(codes[places].tolist()):
        groups.setdefault((code, services[at]), []).append(at)
    gone = [
        bare
        for group in groups.values()
        for bare in group
        if not told[bare]
        and any(
            told[full]
            and names[bare] != names[full]
            and (_within(starts, ends, bare, full) or _within(starts, ends, full, bare))
            for full in group
        )
    ]
    return [int(places[at]) for at in gone]


def _within(starts: list[Any], ends: list[Any], inner: int, outer: int) -> bool:
    times = starts[inner], ends[inner], starts[outer], ends[outer]
    if inner == outer or any(type(one) is not int for one in times):
        return False
    return bool(starts[inner] >= starts[outer] - _SLACK_NS and ends[inner] <= ends[outer] + _SLACK_NS)


def _taken(rows: Rows, name: str, places: Any) -> list[Any]:
    if (column := rows.columns.get(name)) is None:
        return [None] * len(places)
    if name[-1] == Kind.TIME:
        column = column.cast(arrays.type_of("x:l"))
    taken: Any = column.take(Array.from_numpy(places))
    found: list[Any] = taken.to_pylist()
    return found
