"""Aggregates over the rows of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.testing.rowwise.expressions import value
from treering.testing.rowwise.table import BIGINT, DOUBLE, key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.aggregates import Aggregate
    from treering.testing.rowwise.table import Row


def kind(aggregate: Aggregate, columns: Mapping[str, str]) -> str:
    """Return the type of an aggregate's column."""
    match aggregate.name:
        case "count" | "distinct_count":
            return BIGINT
        case "avg":
            return DOUBLE
        case "sum":
            assert aggregate.argument is not None
            return DOUBLE if value(aggregate.argument, columns).type == DOUBLE else BIGINT
        case _:
            assert aggregate.argument is not None
            return value(aggregate.argument, columns).type


def over(  # noqa: PLR0911  one branch per function
    aggregate: Aggregate, columns: Mapping[str, str], rows: Sequence[Row], *, stored: bool
) -> Any:
    """Return an aggregate of rows. The sum of nothing is 0 over the records of an index, else null."""
    if aggregate.condition is not None:
        test = value(aggregate.condition, columns)
        return sum(test.of(row) is True for row in rows)
    if aggregate.argument is None:
        return len(rows)
    argument = value(aggregate.argument, columns)
    found = [each for row in rows if (each := argument.of(row)) is not None]
    match aggregate.name:
        case "count":
            return len(found)
        case "distinct_count":
            return len(set(found))
        case "sum":
            return sum(found) if found or stored else None
        case "avg":
            return sum(found) / len(found) if found else None
        case "min" | "max":
            return {"min": min, "max": max}[aggregate.name](found, key=key) if found else None
        case _:
            raise NotImplementedError(f"{aggregate.name} is not computed row by row")
