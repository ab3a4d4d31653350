"""The groups of a query, fetched in the place of its documents where that says exactly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.store.opensearch.dsl import dsl_of
from treering.store.opensearch.fields import Fields
from treering.store.opensearch.grouping import Inexact, Plan, plan, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arro3.core import Table

    from treering.model.schema import StreamSchema
    from treering.stage.store import Groups, Scan
    from treering.store.opensearch.pulling import Budget, Puller
    from treering.store.opensearch.target import Target

# Beyond it, groups are hardly fewer than documents and cost OpenSearch more.
MOST = 100_000
# So many documents a group, in the first page of groups, are worth asking for the others.
_LEAST = 4


def planned(
    groups: Groups, scan: Scan, target: Target, schema: StreamSchema, puller: Puller
) -> tuple[Plan, dict[str, Any]] | None:
    """Return how the groups of one target are made and of which documents, or None when not exactly those."""
    fields = Fields(target, schema, puller.left(target))
    query, exact = dsl_of(scan, target, fields, groups.sure)
    made = plan(groups, fields, schema, own=target.own) if exact else None
    return None if made is None else (made, query)


def collected(
    groups: Groups, scan: Scan, targets: Sequence[Target], schema: StreamSchema, puller: Puller, budget: Budget
) -> Table | None:
    """Return the group table, or None when the documents themselves are needed."""
    found = [planned(groups, scan, target, schema, puller) for target in targets]
    plans = [one for one in found if one is not None]
    if not plans or len(plans) < len(found):
        return None
    rows: list[list[Any]] = []
    try:
        for target, (made, query) in zip(targets, plans, strict=True):
            rows += _rows(made, query, target, puller, budget)
            if len(rows) > MOST:
                return None
    except Inexact:
        return None
    return table(groups, plans[0][0].kinds, rows)


def _rows(made: Plan, query: dict[str, Any], target: Target, puller: Puller, budget: Budget) -> list[list[Any]]:
    """Return the groups of one target, those of several pages at one point in time."""
    answer, read = puller.aggregations(target, made.body(query), {})
    budget.spend(read)
    rows, after = made.read(answer)
    if after is not None and _count(made, rows) < _LEAST * len(rows):
        raise Inexact("groups are hardly fewer than documents")
    if after is not None:
        with puller.point(target) as point:
            rows, after, answer = [], None, {}
            while True:
                answer, read = puller.aggregations(target, made.body(query, after), point)
                budget.spend(read)
                more, after = made.read(answer)
                rows += more
                if after is None or len(rows) > MOST:
                    break
    if made.sources and len(rows) <= MOST:
        _check_total(made, rows, answer["hits"]["total"]["value"])
    return rows


def _count(made: Plan, rows: Sequence[list[Any]]) -> int:
    place = len(made.groups.keys) + next(n for n, metric in enumerate(made.groups.metrics) if metric.kind == "rows")
    return sum(row[place] for row in rows)


def _check_total(made: Plan, rows: Sequence[list[Any]], total: int) -> None:
    """A document with several values is in several groups."""
    if _count(made, rows) != total:
        raise Inexact("some documents hold several values of a key")
