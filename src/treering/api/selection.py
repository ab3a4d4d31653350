"""SQL around a selection of records: every operation that lists, counts or follows records builds on these nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.model.columns import SEQUENCE, TIME
from treering.stage.store import Query, ResultColumn, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

INDEX = "_index"
PLACE = (INDEX, SEQUENCE, TIME)
PLACE_COLUMNS = (ResultColumn(INDEX, "string"), ResultColumn(SEQUENCE, "bigint"), ResultColumn("_ns", "bigint"))


def column(name: str) -> exp.Column:
    """Return the column `name`, quoted."""
    return exp.column(exp.to_identifier(name, quoted=True))


def time_ns() -> exp.Expression:
    """Return the row's instant as an integer."""
    return exp.Anonymous(this="epoch_ns", expressions=[column(TIME)])


def named(expression: exp.Expression, name: str) -> exp.Expression:
    """Return `expression` as the output column `name`."""
    return exp.Alias(this=expression, alias=exp.to_identifier(name, quoted=True))


def place() -> list[exp.Expression]:
    """Return the columns that say where a record is: stream, number, instant in nanoseconds."""
    return [column(INDEX), column(SEQUENCE), named(time_ns(), "_ns")]


def over(inner: Query, outer: exp.Select, columns: Sequence[ResultColumn]) -> Query:
    """Return `outer` reading from the rows of `inner`."""
    return Query(outer.from_(inner.sql.subquery("selected")), inner.scans, tuple(columns), inner.text)


def direct(scan: Scan, select: exp.Select, columns: Sequence[ResultColumn]) -> Query:
    """Return `select` over one scan, with the scan's own condition applied."""
    select = select.from_(exp.to_table("records"))
    if scan.where is not None:
        select = select.where(scan.where.copy())
    return Query(select, {"records": scan}, tuple(columns))


def rescan(query: Query, change: Callable[[Scan], Scan]) -> Query:
    """Return `query` with every scan changed."""
    scans: Mapping[str, Scan] = {name: change(scan) for name, scan in query.scans.items()}
    return replace(query, scans=scans)


def beyond(after: tuple[int, int], *, newest_first: bool) -> exp.Expression:
    """Return the condition on rows that come after the place `(time, number)` in the order of a list."""
    instant, number = (exp.Literal.number(value) for value in after)
    compare = exp.LT if newest_first else exp.GT
    same = both(exp.EQ(this=time_ns(), expression=instant), compare(this=column(SEQUENCE), expression=number))
    condition: Any = exp.or_(compare(this=time_ns(), expression=instant.copy()), same)
    found: exp.Expression = condition
    return found


def by_time(select: exp.Select, *, newest_first: bool) -> exp.Select:
    """Return `select` ordered by instant, then by number."""
    return select.order_by(
        exp.Ordered(this=column(TIME), desc=newest_first), exp.Ordered(this=column(SEQUENCE), desc=newest_first)
    )


def both(first: exp.Expression, second: exp.Expression) -> exp.Expression:
    """Return the condition that both hold."""
    condition: Any = exp.and_(first, second)
    found: exp.Expression = condition
    return found


def equals(name: str, value: Any) -> exp.Expression:
    """Return the condition that the field `name` has exactly `value`, NULL included."""
    return exp.NullSafeEQ(this=column(name), expression=exp.convert(value))
