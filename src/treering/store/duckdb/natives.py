"""Registers the query language's native functions with an engine."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from duckdb.func import SPECIAL

from treering.query.native import all_natives

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the native functions known to `connection` and to all its cursors."""
    for native in all_natives():
        connection.create_function(
            native.name, _strict(native.call), list(native.takes), native.returns, null_handling=SPECIAL
        )


def _strict(call: Callable[..., Any]) -> Callable[..., Any]:
    """Null in gives null out. The engine's own handling of nulls forbids null for any other reason."""

    @functools.wraps(call)  # the engine counts the parameters
    def strict(*args: Any) -> Any:
        return None if None in args else call(*args)

    return strict
