"""Values that senders spell in many ways, made one: providers, operations, finish reasons, models that are unknown."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import Array

from treering.model import semconv
from treering.model.columns import Kind
from treering.parse.genai import arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.parse.genai.rows import Rows


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = semconv.table("values")
    return {**table, "unknown": frozenset(table["unknown"])}


def calls() -> frozenset[str]:
    """Return the operations in which a model is called."""
    return frozenset(_table()["calls"])


@lru_cache(1024)
def provider(name: str) -> str | None:
    """Return a provider by the conventions' names; frameworks are no providers."""
    lower = name.strip().lower()
    if lower in _table()["unknown"]:
        return None
    known: dict[str, str | None] = _table()["provider"]
    return known.get(lower, lower)


@lru_cache(1024)
def operation(name: str) -> str | None:
    """Return an operation by the conventions' names; those not known stay as they are."""
    lower = name.strip().lower()
    found: str | None = None if lower in _table()["unknown"] else _table()["operation"].get(lower, lower)
    return found


@lru_cache(4096)
def model(name: str) -> str | None:
    """Return a model's name, None for a word that says there is none."""
    return None if name.strip().lower() in _table()["unknown"] else name


@lru_cache(1024)
def finish(name: str) -> str | None:
    """Return why a model stopped by the conventions' words."""
    lower = name.strip().lower().removeprefix("finishreason.")  # the text of a Python enumeration
    found: str | None = _table()["finish"].get(lower, lower)
    return found or None


@lru_cache(1024)
def database(name: str) -> str | None:
    """Return a vector database's `db.system.name`; other systems stay as they are."""
    lower = name.strip().lower()
    found: str = _table()["vector databases"].get(lower, name)
    return found


def _finish_texts(text: str) -> str | None:
    """Return a list of finish reasons (as JSON) in the conventions' words."""
    try:
        held = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        held = text
    reasons = held if isinstance(held, list) else [held]
    made = [word for reason in reasons if isinstance(reason, str) and (word := finish(reason))]
    return msgspec.json.encode(made).decode() if made else None


_VALUES: dict[str, Callable[[str], str | None]] = {
    "gen_ai.provider.name": provider,
    "gen_ai.operation.name": operation,
    "gen_ai.request.model": model,
    "gen_ai.response.model": model,
    "db.system.name": database,
}


def derived(attribute: str, value: Any) -> Any:
    """Return a value that a dialect's module found, in its canonical spelling."""
    change = _VALUES.get(attribute)
    return change(value) if change is not None and isinstance(value, str) else value


_FINISH = "gen_ai.response.finish_reasons"


def normalise(rows: Rows) -> None:
    """Replace values that have another canonical spelling."""
    for attribute, change in _VALUES.items():
        places, held = rows.distinct(attribute)
        made = [change(value) for value in held]
        if made != held:
            rows.replace(attribute, Kind.STRING, made, places, held)
    for kind in (Kind.STRING, Kind.JSON):
        if (column := rows.get(_FINISH, kind)) is not None:
            _reasons(rows, column, kind)


_FIRST, _LASTED = "gen_ai.response.time_to_first_chunk", "durationInNanos:l"


def first_chunk(rows: Rows) -> None:
    """Make a time to the first chunk seconds where it can only be milliseconds: longer than its whole span."""
    lasted = rows.columns.get(_LASTED)
    for kind in (Kind.LONG, Kind.DOUBLE):
        column = rows.get(_FIRST, kind)
        if column is None or lasted is None:
            continue
        seconds = arrays.filled(column.cast(arrays.type_of("x:d")), Array([0.0], arrays.type_of("x:d")))
        whole = arrays.filled(lasted, Array([0], arrays.type_of("x:l"))) / 1e9
        millis = (seconds > whole) & (seconds <= whole * 1000)
        if bool(millis.any()):
            rows.add(_FIRST, Kind.DOUBLE, arrays.numbers(seconds / 1000, millis, arrays.type_of("x:d")), instead=True)


def _reasons(rows: Rows, column: Any, kind: Kind) -> None:
    places, held = arrays.distinct(column)
    made = [_finish_texts(text) for text in held]
    if kind is Kind.STRING:
        rows.replace(_FINISH, kind, made, places, [None] * len(held), Kind.JSON)
    else:
        same = [new is not None and _read(new) == _read(old) for new, old in zip(made, held, strict=True)]
        sent = [new if equal else old for new, old, equal in zip(made, held, same, strict=True)]
        rows.replace(_FINISH, kind, made, places, sent)


def _read(text: str) -> Any:
    return msgspec.json.decode(text)
