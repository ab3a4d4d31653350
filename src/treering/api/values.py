"""The most frequent values of a field among the records that a query selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api import language
from treering.api.instants import span_ns
from treering.api.rendering import exact, preview
from treering.api.selection import column, named
from treering.stage.store import Query, ResultColumn

if TYPE_CHECKING:
    from treering.api.service import Service

_MOST = 1000


async def values(
    service: Service,
    text: str,
    field: str,
    span: tuple[str | None, str | None] = (None, None),
    limit: int = 10,
) -> dict[str, Any]:
    """Return up to `limit` values with their counts, how many there are, and how many records have none."""
    inner = await language.selected(service, text, (field,), span_ns(*span, service.clock.now_ns()))
    query = _counted(inner, field, max(1, min(limit, _MOST)))
    rows = (await service.run(query)).rows
    if not rows:
        return {"values": [], "distinct": 0, "missing": 0, "total": 0}
    _, _, distinct, missing, total = rows[0]
    shown = [{"value": preview(exact(value)), "count": count} for value, count, *_ in rows if value is not None]
    return {"values": shown[:limit], "distinct": distinct, "missing": int(missing or 0), "total": int(total)}


def _counted(inner: Query, field: str, limit: int) -> Query:
    groups = (
        exp.select(named(column(field), "value"), named(exp.Count(this=exp.Star()), "count"))
        .from_(inner.sql.subquery("selected"))
        .group_by(exp.Literal.number(1))
    )
    count = column("count")
    absent = exp.Case().when(column("value").is_(exp.null()), count.copy())
    select = (
        exp.select(
            column("value"),
            count,
            named(exp.Window(this=exp.Count(this=column("value"))), "distinct"),
            named(exp.Window(this=exp.Sum(this=absent)), "missing"),
            named(exp.Window(this=exp.Sum(this=count.copy())), "total"),
        )
        .from_(groups.subquery("counted"))
        .order_by(exp.Ordered(this=count.copy(), desc=True), exp.Ordered(this=column("value"), desc=False))
        .limit(limit + 1)  # one more than asked: the group of records without the field may be among them
    )
    names = (
        ("value", "string"),
        ("count", "bigint"),
        ("distinct", "bigint"),
        ("missing", "bigint"),
        ("total", "bigint"),
    )
    return Query(select, inner.scans, tuple(ResultColumn(*pair) for pair in names), inner.text)
