"""Aggregations of `_search`, decoded: a tree of buckets with metrics in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.query.dsl import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.lucene import Query

METRICS = frozenset(
    {"value_count", "min", "max", "avg", "sum", "stats", "extended_stats", "percentiles", "cardinality", "top_hits"}
)
BUCKETS = frozenset({"terms", "date_histogram", "histogram", "range", "date_range", "filters", "filter", "missing"})
MAX_DEPTH = 8
MAX_COUNT = 60


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregation: its name, kind and parameters, and what is computed in each of its buckets."""

    name: str
    kind: str
    params: Mapping[str, Any]
    inner: tuple[Aggregation, ...] = ()
    meta: Any = None
    queries: tuple[tuple[str, Query], ...] = field(default=(), compare=False)

    @property
    def metrics(self) -> tuple[Aggregation, ...]:
        """The metrics of each bucket."""
        return tuple(one for one in self.inner if one.kind in METRICS)

    @property
    def buckets(self) -> tuple[Aggregation, ...]:
        """The buckets within each bucket."""
        return tuple(one for one in self.inner if one.kind in BUCKETS)


def parse(body: Any, now_ns: int, depth: int = 0) -> tuple[Aggregation, ...]:
    """Return the aggregations of an `aggs` object. Raises `UserError` naming a kind that is not supported."""
    if body is None:
        return ()
    if not isinstance(body, dict):
        raise UserError("aggregations are an object from names to aggregations")
    if depth > MAX_DEPTH or len(body) > MAX_COUNT:
        raise UserError(f"at most {MAX_COUNT} aggregations, nested {MAX_DEPTH} deep, are computed")
    return tuple(_one(str(name), found, now_ns, depth) for name, found in body.items())


def _one(name: str, body: Any, now_ns: int, depth: int) -> Aggregation:
    if not isinstance(body, dict):
        raise UserError(f"aggregation [{name[:80]}] is an object")
    kinds = [key for key in body if key not in {"aggs", "aggregations", "meta"}]
    if len(kinds) != 1:
        raise UserError(f"aggregation [{name[:80]}] has one type")
    kind, params = kinds[0], body[kinds[0]]
    if kind not in METRICS and kind not in BUCKETS:
        known = ", ".join(sorted(METRICS | BUCKETS))
        raise UserError(f"aggregation type [{kind[:80]}] is not supported", hint=f"supported: {known}")
    if not isinstance(params, dict):
        raise UserError(f"[{kind}] of aggregation [{name[:80]}] is an object")
    if "script" in params:
        raise UserError(f"aggregation [{name[:80]}]: scripts are not supported")
    inner = parse(body.get("aggs", body.get("aggregations")), now_ns, depth + 1)
    if inner and kind in METRICS:
        raise UserError(f"aggregation [{name[:80]}] of type [{kind}] cannot have sub-aggregations")
    return Aggregation(name, kind, params, inner, body.get("meta"), _queries(kind, params, now_ns))


def _queries(kind: str, params: Mapping[str, Any], now_ns: int) -> tuple[tuple[str, Query], ...]:
    if kind == "filter":
        return (("", queries.query(params, now_ns)),)
    if kind != "filters":
        return ()
    found = params.get("filters")
    if isinstance(found, list):
        return tuple((str(index), queries.query(one, now_ns)) for index, one in enumerate(found))
    if isinstance(found, dict):
        return tuple((str(name), queries.query(one, now_ns)) for name, one in found.items())
    raise UserError("[filters] takes named queries or a list of them")
