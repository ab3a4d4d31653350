"""Calling a function with Python values through the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from treering.core import registry
from treering.query import coerce
from treering.query.function import Context, Function, Lambda, Typed
from treering.query.types import Type
from treering.store.duckdb.natives import register

PACKAGE = "treering.query.functions"
NOW_NS = 1_767_323_045_123_456_789  # 2026-01-02 03:04:05.123456789


def functions() -> dict[str, Function]:
    """Return every scalar function by name."""
    return {
        name: function
        for module in registry.names(PACKAGE)
        for name, function in registry.load(PACKAGE, module).FUNCTIONS.items()
    }


def _column(kind: Type, value: Any) -> Typed:
    if value is None:
        return Typed(coerce.sql_cast(exp.Null(), kind), kind)
    text = json.dumps(value) if kind in coerce.DOCUMENTS else str(value)
    return Typed(coerce.sql_cast(exp.Literal.string(text), kind), kind)


def typed(value: Any) -> Any:
    """Return a Python value as a literal; a pair `("bigint", 5)` as a column of that type, times written as text."""
    if isinstance(value, Typed | Lambda):
        return value
    if isinstance(value, tuple):
        return _column(Type(value[0]), value[1])
    literals: dict[type, Any] = {
        type(None): lambda _: coerce.null(),
        bool: lambda flag: Typed(exp.Boolean(this=flag), Type.BOOLEAN, flag),
        str: coerce.string,
        int: lambda number: coerce.number(str(number), "integer"),
        float: lambda number: coerce.number(str(number), "decimal"),
    }
    return literals[type(value)](value)


@pytest.fixture(scope="session")
def engine() -> duckdb.DuckDBPyConnection:
    """Return an engine with the native functions."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    register(connection)
    return connection


@pytest.fixture
def lower() -> Callable[..., Typed]:
    """Return a function that lowers `name(*values)`; a nested call is written `lower("upper", ...)`."""
    known = functions()

    def run(name: str, *values: Any) -> Typed:
        found = known[name]
        assert len(values) >= found.least
        assert found.most is None or len(values) <= found.most
        return found.lower([typed(value) for value in values], Context(NOW_NS))

    return run


@pytest.fixture
def answer(engine: duckdb.DuckDBPyConnection, lower: Callable[..., Typed]) -> Callable[..., tuple[Any, str]]:
    """Return a function that gives the value and the PPL type of `name(*values)`; instants come as text."""

    def run(name: str, *values: Any) -> tuple[Any, str]:
        found = lower(name, *values)
        sql = found.sql
        if found.type in coerce.INSTANTS:
            sql = coerce.sql_cast(sql, "VARCHAR")
        rows = engine.cursor().execute(exp.select(sql).sql(dialect="duckdb")).fetchall()
        value = rows[0][0]
        if found.type in coerce.DOCUMENTS and value is not None:
            value = json.loads(value)
        return float(value) if isinstance(value, Decimal) else value, str(found.type)

    return run
