"""Rows whose dialect hides facts in texts and flattened names: each is read by its dialect's module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import Array

from treering.model.columns import REST, Kind
from treering.parse.genai import arrays, errors, langfuse, litellm, openinference, openllmetry
from treering.parse.genai import plan as plans
from treering.parse.genai.facts import Facts
from treering.parse.genai.rows import attribute_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.parse.genai.rows import Rows

Derived = dict[str, dict[int, Any]]
_READERS: dict[str, Callable[[Facts], dict[str, Any]]] = {
    module.NAME: module.derive for module in (langfuse, litellm, openinference, openllmetry)
}
_KINDS = {str: Kind.STRING, int: Kind.LONG, float: Kind.DOUBLE, bool: Kind.BOOLEAN, list: Kind.JSON, dict: Kind.JSON}
_I64 = 2**63


def derived(rows: Rows, dialects: Any) -> Derived:
    """Return values by canonical attribute and row, read from the columns as their sender filled them."""
    found: Derived = {}
    numbers = [number for number, dialect in enumerate(plans.dialects()) if dialect.name in _READERS]
    places = np.flatnonzero(np.isin(dialects, numbers))
    failed = errors.failed(rows)
    wanted = np.union1d(places, failed)
    if not len(wanted):
        return found
    facts = _facts(rows, wanted, places)
    names = [dialect.name for dialect in plans.dialects()]
    for place, number in zip(places.tolist(), dialects[places].tolist(), strict=True):
        _collect(found, place, _READERS[names[number]](facts[place]))
    for place in failed.tolist():
        _collect(found, place, errors.derive(facts[place]))
    return found


def _collect(found: Derived, place: int, attributes: dict[str, Any]) -> None:
    for attribute, value in attributes.items():
        if value is not None:
            found.setdefault(attribute, {})[place] = value


def add(rows: Rows, derived: Derived) -> None:
    """Add derived values to the rows, by kind; those beyond 64 bits are left out."""
    for attribute, held in derived.items():
        by_kind: dict[Kind, dict[int, Any]] = {}
        for place, value in held.items():
            kind = _KINDS.get(type(value))
            if kind is Kind.LONG and not -_I64 <= value < _I64:
                continue
            if kind is not None:
                stored = msgspec.json.encode(value).decode() if kind is Kind.JSON else value
                by_kind.setdefault(kind, {})[place] = stored
        for kind, chosen in by_kind.items():
            places = np.fromiter(chosen, dtype=np.int64, count=len(chosen))
            column = arrays.spread(list(chosen.values()), places, rows.count, arrays.type_of(f"x:{kind.value}"))
            rows.add(attribute, kind, column)


def _facts(rows: Rows, wanted: Any, attributed: Any) -> dict[int, Facts]:
    """Return what there is to know about the rows `wanted`; attributes only of those `attributed`."""
    attributes: dict[int, dict[str, Any]] = {place: {} for place in wanted.tolist()}
    full = np.zeros(rows.count, dtype=bool)
    full[attributed] = True
    for name, column in rows.columns.items():
        attribute = attribute_of(name)
        if attribute is None:
            continue
        places = np.flatnonzero(arrays.present(column) & full)
        if len(places):
            decode = msgspec.json.decode if name[-1] == Kind.JSON else None
            for place, value in zip(places.tolist(), _taken(column, places, rows.count), strict=True):
                attributes[place][attribute] = value if decode is None else decode(value)
    _overflowed(rows, attributes, full)
    events = _column(rows, "events:j", wanted)
    starts = _column(rows, "startTime:t", wanted)
    names = _column(rows, "name:s", wanted)
    messages = _column(rows, "status/message:s", wanted)
    return {
        place: Facts(
            attributes[place],
            msgspec.json.decode(events[place]) if place in events else (),
            starts.get(place),
            names.get(place, ""),
            messages.get(place),
        )
        for place in wanted.tolist()
    }


def _overflowed(rows: Rows, attributes: dict[int, dict[str, Any]], full: Any) -> None:
    """Add the attributes that had no column of their own."""
    if (rest := rows.columns.get(REST)) is None:
        return
    places = np.flatnonzero(arrays.present(rest) & full)
    for place, text in zip(places.tolist(), _taken(rest, places, rows.count), strict=True):
        for pointer, value in msgspec.json.decode(text).items():
            if (attribute := attribute_of(f"{pointer}:s")) is not None:
                attributes[place].setdefault(attribute, value)


def _column(rows: Rows, name: str, wanted: Any) -> dict[int, Any]:
    if (column := rows.columns.get(name)) is None:
        return {}
    if name[-1] == Kind.TIME:
        column = column.cast(arrays.type_of("x:l"))
    held = _taken(column, wanted, rows.count)
    return {place: value for place, value in zip(wanted.tolist(), held, strict=True) if value is not None}


def _taken(column: Any, places: Any, count: int) -> list[Any]:
    if len(places) == count:
        held: list[Any] = column.to_pylist()
        return held
    taken: list[Any] = column.take(Array.from_numpy(places)).to_pylist()
    return taken
