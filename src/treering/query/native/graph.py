"""Breadth-first search over records that point to each other by value."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from treering.query.native import Native


@dataclass(frozen=True, slots=True)
class Edge:
    """The fields that lead from a record to the next, how far, and how the depth is called in the answer."""

    source: str
    target: str
    most: int = 0
    depth: str = ""
    both: bool = False
    arrays: bool = False


@functools.lru_cache(maxsize=8)
def _records(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)
    return found


def _values(value: Any) -> set[Any]:
    """Return a field's values: the items of a list, none of what cannot be compared."""
    items = value if isinstance(value, list) else [value]
    return {item for item in items if not isinstance(item, list | dict)}


def _starts(value: Any) -> Iterable[Any]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list):
            yield from _starts(item)
        elif item is not None and not isinstance(item, dict):
            yield item


def search(starts: str, records: str, edge: str) -> str:
    """Return the records reached from the values `starts`, nearest first, as a JSON list.

    A record counts when it leads somewhere new, or nowhere. Unless `arrays`, records that lead to values already
    visited are not looked at, which is how `graphLookup` keeps out of cycles.
    """
    way, known = Edge(**json.loads(edge)), _records(records)
    level = set(_starts(json.loads(starts)))
    visited, found, depth = set(level), [], 0
    while level and depth <= way.most:
        following: set[Any] = set()
        for record in [record for record in known if _reached(record, way, level, visited)]:
            ends = _values(record.get(way.source))
            ends |= _values(record.get(way.target)) if way.both else set()
            if new := ends - visited:
                found.append({**record, way.depth: depth} if way.depth else record)
                visited |= new - {None}
                following |= new - {None}
        level, depth = following, depth + 1
    return json.dumps(found, ensure_ascii=False)


def _reached(record: dict[str, Any], way: Edge, level: set[Any], visited: set[Any]) -> bool:
    source, target = _values(record.get(way.source)), _values(record.get(way.target))
    if target & level and (way.arrays or not source & visited):
        return True
    return way.both and bool(source & level) and (way.arrays or not target & visited)


NATIVES = (Native("ppl_graph", search, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR"),)
