"""Model calls that come as JSON documents rather than spans: which rows they are, and what there is to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import ORIGIN, Kind, logical, split, to_record
from treering.model.times import parse_texts
from treering.parse.genai import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.parse.genai.rows import Rows


@dataclass(slots=True)
class Found:
    """What a document says: canonical attributes, and the fields (by pointer) that a span would have."""

    attributes: dict[str, Any]
    started: Any = None
    ended: Any = None
    seconds: float | None = None
    failed: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    def all(self) -> dict[str, Any]:
        """Return attributes by name and fields by pointer after a slash, None where nothing is said."""
        started, ended = instant(self.started), instant(self.ended)
        seconds = self.seconds
        if seconds is None and started is not None and ended is not None and ended >= started:
            seconds = (ended - started) / 1e9
        found = {**self.attributes, **{f"/{name}": value for name, value in self.fields.items()}}
        found |= {"/startTime": started, "/durationInNanos": None if seconds is None else round(seconds * 1e9)}
        found["/status/code"] = 2 if self.failed else None
        return found


@dataclass(frozen=True, slots=True)
class Kindred:
    """A kind of document: the fields that all of them have, what reads them, and sets of which they have one."""

    name: str
    required: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Found | None]
    either: tuple[tuple[str, ...], ...] = ((),)

    def sets(self) -> tuple[tuple[str, ...], ...]:
        """Return the sets of fields of which a document has at least one whole."""
        return tuple((*self.required, *names) for names in self.either)


def instant(value: Any) -> int | None:
    """Return the nanoseconds of a text of RFC 3339 or of a number of seconds or milliseconds since the epoch."""
    if isinstance(value, str):
        return parse_texts([value], 1)[0]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 4e12:
        return int(value * 1e9) if value < 1e11 else int(value * 1e6)
    return None


def base(names: Sequence[str], kindred: Kindred) -> str | None:
    """Return the prefix under which a kind's fields are ("" or "attributes."), None when they are not there."""
    fields = {logical(split(name)[0]) for name in names if ":" in name}

    def there(name: str) -> bool:
        return name in fields or any(one.startswith(f"{name}.") for one in fields)

    for prefix in ("", "attributes."):
        if any(all(there(prefix + name) for name in required) for required in kindred.sets()):
            return prefix
    return None


def read(rows: Rows, prefix: str, kindred: Kindred) -> dict[int, dict[str, Any]]:
    """Return, by row, what documents of a kind say; rows that are none are left out."""
    mask = np.zeros(rows.count, dtype=bool)
    for required in kindred.sets():
        mask |= np.logical_and.reduce([_present(rows, prefix + name) for name in required])
    found: dict[int, dict[str, Any]] = {}
    for place in np.flatnonzero(mask).tolist():
        values = {name: _value(name, column, place) for name, column in rows.columns.items() if name != ORIGIN}
        record = to_record(values)
        document = record.get("attributes") if prefix else record
        if isinstance(document, dict) and (said := kindred.read(document)) is not None:
            found[place] = said.all()
    return found


def _present(rows: Rows, field_name: str) -> Any:
    found = np.zeros(rows.count, dtype=bool)
    for name, column in rows.columns.items():
        if ":" in name and ((held := logical(split(name)[0])) == field_name or held.startswith(f"{field_name}.")):
            found |= arrays.present(column)
    return found


def _value(name: str, column: Any, place: int) -> Any:
    one = column.slice(place, 1)
    return (one.cast(arrays.type_of("x:l")) if name[-1] == Kind.TIME else one).to_pylist()[0]
