"""The last step of a query: which columns are shown, in which SQL form, and the answer in OpenSearch's shape."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.model.times import format_ns
from treering.query import coerce, members
from treering.query.template import sql
from treering.query.types import SQL, Type
from treering.stage.store import ResultColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.relation import Column, Relation
    from treering.stage.store import Result


def visible(relation: Relation) -> Mapping[str, Column]:
    """Return the columns that are shown: members of a shown object are left out."""
    columns = relation.columns or relation.metadata
    if not relation.implicit:
        return columns
    return {name: column for name, column in columns.items() if name.rpartition(".")[0] not in columns}


def expression(column: Column) -> exp.Expression:
    """Return the SQL that carries a column's values out of the engine."""
    raw = column.raw
    if column.many:
        return coerce.sql_cast(raw, "VARCHAR")
    match column.type:
        case Type.DATE:
            # The year before 1 is 0, as java.time has it.
            return sql(r"regexp_replace(CAST(:x AS VARCHAR), '^0001(.*) \(BC\)$', '0000\1')", x=raw)
        case Type.TIME:
            return coerce.sql_cast(raw, "VARCHAR")
        case Type.DOUBLE | Type.FLOAT:
            return coerce.sql_cast(raw, Type.DOUBLE)
        case _:
            return coerce.sql_cast(raw, "VARCHAR") if SQL[column.type] == "JSON" else raw


def result_column(name: str, column: Column) -> ResultColumn:
    """Return how the answer names and types a column."""
    nested = column.item_of or (column.field if column.field is not None and column.field.type == "nested" else None)
    dates = None if nested is None or column.path else tuple(members.formats(nested))
    return ResultColumn(name, column.type.value, column.many or SQL[column.type] == "JSON", column.optional, dates)


def render(result: Result) -> dict[str, Any]:
    """Return an answer as `POST /_plugins/_ppl` gives it: schema, datarows, total and size."""
    shown = [
        (index, column, _renderer(column))
        for index, column in enumerate(result.columns)
        if not column.optional or any(row[index] is not None for row in result.rows)
    ]
    rows = [
        [value if (value := row[index]) is None or render is None else render(value) for index, _, render in shown]
        for row in result.rows
    ]
    return {
        "schema": [{"name": column.name, "type": column.type} for _, column, _ in shown],
        "datarows": rows,
        "total": len(rows),
        "size": len(rows),
    }


def _renderer(column: ResultColumn) -> Any:
    if column.nested is not None:
        dates = dict(column.nested)
        return lambda text: members.shown(msgspec.json.decode(text), dates, timestamp)
    if column.json:
        return msgspec.json.decode
    match column.type:
        case "timestamp":
            return timestamp
        case "double" | "float":
            return _number
        case _:
            return None


def timestamp(value: int) -> str:
    """Return nanoseconds since the epoch as `yyyy-MM-dd HH:mm:ss[.fraction]` without trailing zeros."""
    text = format_ns(value)[:-1].replace("T", " ")
    return text.rstrip("0") if "." in text else text


def _number(value: float | Decimal) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
