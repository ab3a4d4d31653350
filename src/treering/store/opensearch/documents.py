"""Batches as OpenSearch documents: the record under its own names, and what only treering needs under `treering`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import DataType

from treering.model.columns import ID, ORIGIN, OWN, REST, SYSTEM, TIME, Kind, logical, of_sender, split, unescape
from treering.store.opensearch.columns import LONGEST_TEXT, ROOT, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from arro3.core import RecordBatch

    from treering.store.opensearch.columns import Columns

_SCALARS = {bool: Kind.BOOLEAN, int: Kind.LONG, float: Kind.DOUBLE, str: Kind.STRING}
_NAMES_OF_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_I64 = 2**63


def documents(data: RecordBatch, first: int, columns: Columns | None) -> list[dict[str, Any]]:
    """Return one document a row, numbered from `first`; without `columns` nothing is under its own name.

    `data` has a `_rest` of leaves (`treering.store.duckdb.arrow.flattened`). Documents are for msgspec to encode.
    """
    stamps = data.column(TIME).cast(DataType.int64()).to_pylist()
    made: list[dict[str, Any]] = [{ROOT: {"seq": first + row, "ns": ns}} for row, ns in enumerate(stamps)]
    for name in data.schema.names:
        if name not in SYSTEM:
            pointer, kind = split(name)
            column = data.column(name)
            if column.null_count < len(column):
                _Column(pointer, kind, columns, made).fill(_values(column, kind))
    for name, key in ((ID, "id"), (ORIGIN, "origin")):
        for document, value in _filled(data, name, made):
            document[ROOT][key] = value
    for document, text in _filled(data, REST, made):
        for pointer, raw in msgspec.json.decode(text, type=dict[str, msgspec.Raw]).items():
            _leave(document, pointer, msgspec.Raw(bytes(raw)), msgspec.json.decode(raw))
    return made


def _filled(data: RecordBatch, name: str, made: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the documents whose rows have something in a column, with it."""
    if name in data.schema.names:
        found = data.column(name).to_pylist()
        yield from ((document, value) for document, value in zip(made, found, strict=True) if value is not None)


def _values(column: Any, kind: Kind) -> list[Any]:
    held: list[Any] = (column.cast(DataType.int64()) if kind is Kind.TIME else column).to_pylist()
    return held


class _Column:
    """Puts the values of one column where they go in each document."""

    def __init__(self, pointer: str, kind: Kind, columns: Columns | None, made: Sequence[dict[str, Any]]) -> None:
        own = pointer.startswith(OWN)
        *self.above, self.last = [unescape(token) for token in pointer.removeprefix(OWN).split("/")]
        if own:
            self.above = [ROOT, "own", *self.above]
        self.pointer, self.kind, self.made = pointer, kind, made
        self.place = columns.place(pointer, kind) if columns is not None else Place.REST
        self.columns = columns

    def fill(self, values: list[Any]) -> None:
        if self.kind is Kind.JSON:
            return self._fill_lists(values)
        if self.place is Place.REST:
            for document, value in zip(self.made, values, strict=True):
                if value is not None:
                    self._leave(document, value)
            return None
        shown = _stamps(values) if self.kind is Kind.TIME else values
        for document, value, text in zip(self.made, values, shown, strict=True):
            if value is None:
                continue
            if not self._fits(value):
                self._leave(document, value)
                continue
            self._put(document, text)
            if self.place is Place.PLAIN or (self.kind is Kind.STRING and len(value) > LONGEST_TEXT):
                _note(document, self.pointer, value if self.place is Place.PLAIN else None)
        return None

    def _fits(self, value: Any) -> bool:
        if self.kind is Kind.DOUBLE:
            return math.isfinite(value)
        return self.kind is not Kind.TIME or value >= 0

    def _fill_lists(self, values: list[Any]) -> None:
        """Lists whose items are what the path holds are indexed as such; the others are kept."""
        for document, text in zip(self.made, values, strict=True):
            if text is None:
                continue
            value, raw = msgspec.json.decode(text), msgspec.Raw(text.encode())
            kind = _kind_of_items(value)
            if (
                kind is not None
                and self.columns is not None
                and self.columns.place(self.pointer, kind) is Place.INDEXED
            ):
                self._put(document, raw)
            elif self.place is Place.REST:
                _leave(document, self.pointer, raw, value)
            else:
                self._put(document, raw)
                _note(document, self.pointer, value)

    def _put(self, document: dict[str, Any], value: Any) -> None:
        level = document
        for step in self.above:
            level = level.setdefault(step, {})
        level[self.last] = value

    def _leave(self, document: dict[str, Any], value: Any) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            document[ROOT].setdefault("floats", {})[self.pointer] = str(value)
            _note(document, self.pointer, None)
        elif self.kind is Kind.TIME:
            _leave(document, self.pointer, value, None)
        else:
            _leave(document, self.pointer, value, value)


def _leave(document: dict[str, Any], pointer: str, stored: Any, value: Any) -> None:
    document[ROOT].setdefault("rest", {})[pointer] = stored
    _note(document, pointer, value)


def _note(document: dict[str, Any], pointer: str, value: Any) -> None:
    """Say that a field is not in the index under its name, and put its texts among the words all the same."""
    own: dict[str, Any] = document[ROOT]
    own.setdefault("left", []).append(logical(pointer))
    if found := list(_texts(value)):
        own.setdefault("words", []).extend(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _kind_of_items(value: Any) -> Kind | None:
    """Return the kind that all items of a list have, or None."""
    if not isinstance(value, list) or not value:
        return None
    kinds = set(map(type, value))
    kind = _SCALARS.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is Kind.LONG and not all(-_I64 <= item < _I64 for item in value):
        return None
    if kind is Kind.STRING and any(len(item) > LONGEST_TEXT for item in value):
        return None
    return kind


def _stamps(values: Sequence[int | None]) -> list[str]:
    """Return instants as ISO 8601 in UTC to the nanosecond."""
    held = np.array([0 if value is None else value for value in values], dtype="datetime64[ns]")
    return [f"{text}Z" for text in np.datetime_as_string(held, unit="ns")]


def physical(data: RecordBatch, rest: Sequence[str]) -> list[str]:
    """Return the field columns of a batch, those in its `_rest` included."""
    return [*(name for name in data.schema.names if name not in SYSTEM), *rest]


def lists_first(data: RecordBatch) -> dict[str, Kind]:
    """Return, for columns of lists, the kind of the items of the first one: as what the path would be indexed."""
    found: dict[str, Kind] = {}
    for name in data.schema.names:
        if of_sender(name) and name.endswith(":j"):
            text = next((text for text in data.column(name).to_pylist() if text is not None), None)
            if text is not None and (kind := _kind_of_items(msgspec.json.decode(text))) is not None:
                found[name] = kind
    return found


def float_named(name: str) -> float:
    """Return a number that JSON lacks."""
    return _NAMES_OF_FLOATS[name]


def moved(rest: Mapping[str, Any]) -> Iterator[tuple[bool, list[str], Any]]:
    """Yield what `treering.rest` holds: whether it is our own, the steps to it, the value."""
    for pointer, value in rest.items():
        yield pointer.startswith(OWN), [unescape(token) for token in pointer.removeprefix(OWN).split("/")], value
