"""The first documents of each group, for queries that need no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.stage.store import GroupKey
from treering.store.opensearch.grouping import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.stage.store import Scan
    from treering.store.opensearch.fields import Fields
    from treering.store.opensearch.pulling import Budget, Puller
    from treering.store.opensearch.target import Target

# OpenSearch gives so many documents of a group at most (index.max_inner_result_window).
MOST = 100
_PAGE = 1000
_LEAST = 4
_NONE: Sequence[Any] = ()


def sources_of(scan: Scan, target: Target, fields: Fields) -> list[Any]:
    """Return the sources of the groups that a scan wants the first rows of; none where documents have to be fetched.

    In indexes of others a document might have several values and so be in several groups.
    """
    found: list[Any] = []
    for place, name in enumerate(scan.per):
        field = fields.get(name)
        source = None if field is None or not field.complete else source_of(GroupKey(name), field)
        if source is None or not target.own or not 0 < (scan.first or 0) <= MOST:
            return []
        # Rows without a value are not needed.
        found.append({f"k{place}": {"terms": dict(source["terms"], missing_bucket=False)}})
    return found


def body_of(query: dict[str, Any], sources: Sequence[Any], order: Sequence[Any], first: int) -> dict[str, Any]:
    """Return the search for the first page of groups with their documents."""
    hits: dict[str, Any] = {"size": first, "sort": list(order)}
    groups: dict[str, Any] = {
        "composite": {"size": _PAGE, "sources": list(sources)},
        "aggs": {"first": {"top_hits": hits}},
    }
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": {"groups": groups}}


def pages(
    puller: Puller, target: Target, body: dict[str, Any], fields: Sequence[str], budget: Budget
) -> Iterator[list[dict[str, Any]]]:
    """Yield the documents, page by page; stops with `Hardly` where groups are hardly fewer than documents."""
    groups = body["aggs"]["groups"]
    groups["aggs"]["first"]["top_hits"]["_source"] = puller.includes(target, fields)
    with puller.point(target) as point:
        while True:
            budget.check()
            answer, read = puller.aggregations(target, body, point)
            budget.spend(read)
            buckets = answer.get("aggregations", {}).get("groups", {}).get("buckets", _NONE)
            found = [hit for bucket in buckets for hit in bucket["first"]["hits"]["hits"]]
            full = len(buckets) == _PAGE
            if full and "after" not in groups["composite"] and _rows(buckets) < _LEAST * len(found):
                raise Hardly
            if found:
                yield found
            if not full:
                return
            groups["composite"]["after"] = answer["aggregations"]["groups"]["after_key"]


def _rows(buckets: Sequence[Any]) -> int:
    return sum(bucket["doc_count"] for bucket in buckets)


class Hardly(Exception):  # noqa: N818  it says what is so
    """The documents wanted are hardly fewer than all of them."""
