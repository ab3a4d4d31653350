"""Walks through a graph of records: `graphlookup` (manual: cmd/graphlookup, breadth first)."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from treering.query.native import Native

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]


@functools.lru_cache(maxsize=4)
def _records(text: str, source: str, target: str) -> tuple[list[Record], dict[Any, list[int]], dict[Any, list[int]]]:
    """Return the records without their nulls, and the places of those with each value at both ends of an edge."""
    records = [{name: value for name, value in record.items() if value is not None} for record in json.loads(text)]
    ends: tuple[dict[Any, list[int]], dict[Any, list[int]]] = ({}, {})
    for place, record in enumerate(records):
        for end, name in zip(ends, (source, target), strict=True):
            for value in _values(record.get(name)):
                end.setdefault(value, []).append(place)
    return records, *ends


def _values(value: Any) -> Iterable[Any]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if each is not None and not isinstance(each, dict | list)]


def walked(starts: str, records: str, options: str) -> str:
    """Return the records reached from the start values as a JSON list, each once, nearest first.

    `starts` and `records` are JSON; `options` has `source` and `target` (the ends of an edge), `both` (edges go both
    ways), `depth` (how many steps after the first) and `shown` (the field for a record's depth, or "").
    """
    given = json.loads(options)
    known, by_source, by_target = _records(records, given["source"], given["target"])
    wanted, seen = list(dict.fromkeys(_values(json.loads(starts)))), set[Any]()
    reached: dict[int, int] = {}
    for depth in range(given["depth"] + 1):
        seen.update(wanted)
        places = {place for value in wanted for place in by_target.get(value, ())}
        if given["both"]:
            places.update(place for value in wanted for place in by_source.get(value, ()))
        new = sorted(places - reached.keys())
        reached.update(dict.fromkeys(new, depth))
        names = [given["source"], *([given["target"]] if given["both"] else [])]
        following = [value for place in new for name in names for value in _values(known[place].get(name))]
        wanted = [value for value in dict.fromkeys(following) if value not in seen]
        if not wanted:
            break
    shown = given["shown"]
    found = [known[place] | ({shown: depth} if shown else {}) for place, depth in reached.items()]
    return json.dumps(found, ensure_ascii=False)


NATIVES = (Native("ppl_walked", walked, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR"),)
