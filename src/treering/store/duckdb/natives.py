"""Registers the query language's native functions with an engine, and the store's own."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec
from duckdb.func import SPECIAL

from treering.model.columns import REST, as_stored
from treering.query.native import all_natives
from treering.store.duckdb.logical import MEMBERS_APART

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the native functions known to `connection` and to all its cursors."""
    for native in all_natives():
        connection.create_function(
            native.name, _strict(native.call), list(native.takes), native.returns, null_handling=SPECIAL
        )
    texts: list[Any] = ["VARCHAR", "VARCHAR"]
    connection.create_function(MEMBERS_APART, _strict(_members_apart), texts, "VARCHAR", null_handling=SPECIAL)


def _members_apart(rest: str, name: str) -> str | None:
    """Return the object called `name` as far as a row's `_rest` holds it, as JSON."""
    found: Any = as_stored({REST: rest})
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return msgspec.json.encode(found).decode() if isinstance(found, dict) else None


def _strict(call: Callable[..., Any]) -> Callable[..., Any]:
    """Null in gives null out. The engine's own handling of nulls forbids null for any other reason."""

    @functools.wraps(call)  # the engine counts the parameters
    def strict(*args: Any) -> Any:
        return None if None in args else call(*args)

    return strict
