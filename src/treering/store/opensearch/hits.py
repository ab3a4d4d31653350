"""Documents that OpenSearch answered with, as the columns that a store hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arro3.core import Array, DataType, Field, RecordBatch

from treering.model.columns import MAX_COLUMNS, NANOSECOND, ORIGIN, OWN, SEQUENCE, SYSTEM, TIME, Spreader
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.documents import float_named, moved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NOTHING: Mapping[str, Any] = {}


def batch(sources: Sequence[dict[str, Any]], is_time: Callable[[str], bool]) -> RecordBatch:
    """Return documents of ours as rows with `_time`, `_seq` and, where they have them, `_id` and `_origin`.

    The documents are taken apart. `is_time` tells which logical names hold instants.
    """
    about = [source.pop(ROOT, _NOTHING) for source in sources]
    owns = [_complete(source, own) for source, own in zip(sources, about, strict=True)]
    spreader = Spreader(len(sources), is_time, NANOSECOND, MAX_COLUMNS)
    spreader.spread("", sources)
    if any(owns):
        spreader.spread(OWN, owns)
    ids = [own.get("id") for own in about]
    data = spreader.finish(0, ids)
    stamps = Array([own["ns"] for own in about], DataType.int64()).cast(SYSTEM[TIME])
    data = data.set_column(data.schema.names.index(TIME), Field(TIME, SYSTEM[TIME]), stamps)
    origins = [own.get("origin") for own in about]
    if any(origins):
        data = data.append_column(Field(ORIGIN, SYSTEM[ORIGIN]), Array(origins, SYSTEM[ORIGIN]))
    numbers = Array([own["seq"] for own in about], SYSTEM[SEQUENCE])
    return data.append_column(Field(SEQUENCE, SYSTEM[SEQUENCE]), numbers)


def _complete(source: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any] | None:
    """Put back what had no place under its own name; returns what we found out ourselves."""
    ours: dict[str, Any] = own.get("own") or {}
    for is_own, steps, value in moved(own.get("rest", _NOTHING)):
        _insert(ours if is_own else source, steps, value)
    for is_own, steps, name in moved(own.get("floats", _NOTHING)):
        _insert(ours if is_own else source, steps, float_named(name))
    return ours or None


def _insert(record: dict[str, Any], steps: Sequence[str], value: Any) -> None:
    *above, last = steps
    for step in above:
        below = record.setdefault(step, {})
        if not isinstance(below, dict):  # what the path holds in this record was left out of it, not this
            below = record[step] = {}
        record = below
    record[last] = value
