"""Rows whose dialect hides facts in texts and flattened names: each is read by its dialect's module."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import Array

from treering.model.columns import REST, Kind
from treering.parse.genai import (
    adk,
    arrays,
    azure,
    bedrock,
    documents,
    errors,
    events,
    langfuse,
    langsmith,
    litellm,
    logfire,
    mcp,
    mlflow,
    official,
    openai,
    openinference,
    openlit,
    openllmetry,
    values,
    vercel,
    vllm,
)  # fmt: skip
from treering.parse.genai import plan as plans
from treering.parse.genai.facts import INSTEAD, Facts
from treering.parse.genai.rows import attribute_of, physical

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from treering.parse.genai.rows import Rows

Derived = dict[str, dict[int, Any]]
_READERS: dict[str, ModuleType] = {
    module.NAME: module for module in (adk, langfuse, langsmith, litellm, logfire, mcp, mlflow, official, openinference,
                                       openlit, openllmetry, vercel, vllm)
}  # fmt: skip
_READERS |= {"gen_ai/1.36": official, "treering": official}
_DOCUMENTS = {module.KIND.name: module.KIND for module in (azure, bedrock, langsmith, litellm, openai)}
_KINDS = {str: Kind.STRING, int: Kind.LONG, float: Kind.DOUBLE, bool: Kind.BOOLEAN, list: Kind.JSON, dict: Kind.JSON}
_START = "/startTime"
_I64 = 2**63


@lru_cache(1024)
def kindred(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return which kinds of documents may be in a batch with these columns, and the prefix of their fields."""
    found = ((name, documents.base(names, kind)) for name, kind in _DOCUMENTS.items())
    return tuple((name, prefix) for name, prefix in found if prefix is not None)


def derived(rows: Rows, dialects: Any, kinds: Sequence[tuple[str, str]]) -> Derived:
    """Return values by canonical attribute and row, read from the columns as their sender filled them.

    Rows that are documents get their dialect's number in `dialects`.
    """
    found: Derived = {}
    numbers = {dialect.name: number for number, dialect in enumerate(plans.dialects())}
    for place, said in events.read(rows).items():
        _collect(found, place, said)
    for name, prefix in kinds:
        for place, said in documents.read(rows, prefix, _DOCUMENTS[name]).items():
            dialects[place] = numbers[name]
            _collect(found, place, said)
    places = np.setdiff1d(_hiding(rows, dialects), np.array(sorted(_held(found)), dtype=np.int64))
    failed = errors.failed(rows)
    wanted = np.union1d(places, failed).astype(np.int64)
    if not len(wanted):
        return found
    facts = _facts(rows, wanted, places)
    names = [dialect.name for dialect in plans.dialects()]
    for place in places.tolist():
        _collect(found, place, _READERS[names[dialects[place]]].derive(facts[place]))
    for place in failed.tolist():
        _collect(found, place, errors.derive(facts[place]))
    return found


def _held(found: Derived) -> set[int]:
    return {place for values in found.values() for place in values}


def _hiding(rows: Rows, dialects: Any) -> Any:
    """Return the rows in which facts hide: all of some dialects, those with events or old attributes of others."""
    present = set(np.unique(dialects).tolist()) - {-1}
    mask = np.zeros(rows.count, dtype=bool)
    for number in present:
        reader = _READERS.get(plans.dialects()[number].name)
        if reader is None:
            continue
        ours = dialects == number
        if reader is official:
            ours &= _shown(rows)
        mask |= ours
    return np.flatnonzero(mask)


def _shown(rows: Rows) -> Any:
    """Return the rows that have something for `official` to read."""
    found = np.zeros(rows.count, dtype=bool)
    for name in (*official.COLUMNS, *(physical(attribute, Kind.STRING) for attribute in official.ATTRIBUTES)):
        if (column := rows.columns.get(name)) is not None:
            found |= arrays.present(column)
    return found


def _collect(found: Derived, place: int, attributes: dict[str, Any]) -> None:
    for attribute, value in attributes.items():
        if value is not None and (held := values.derived(attribute, value)) is not None:
            found.setdefault(attribute, {})[place] = held


def add(rows: Rows, derived: Derived) -> None:
    """Add derived values to the rows, by kind; those beyond 64 bits are left out."""
    for name, held in derived.items():
        attribute = name.removeprefix(INSTEAD)
        by_kind: dict[Kind, dict[int, Any]] = {}
        for place, value in held.items():
            kind = Kind.TIME if attribute == _START else _KINDS.get(type(value))
            if type(value) is int and not -_I64 <= value < _I64:
                continue
            if kind is not None:
                stored = msgspec.json.encode(value).decode() if kind is Kind.JSON else value
                by_kind.setdefault(kind, {})[place] = stored
        for kind, chosen in by_kind.items():
            places = np.fromiter(chosen, dtype=np.int64, count=len(chosen))
            column = arrays.spread(list(chosen.values()), places, rows.count, arrays.type_of(f"x:{kind.value}"))
            rows.add(attribute, kind, column, instead=name != attribute)


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
