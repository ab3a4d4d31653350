"""Documents out of OpenSearch, page by page from a point in time, as long as policy and patience allow."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Retryable, UserError
from treering.store.opensearch.cluster import LENIENT, Refused, named
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.dsl import number_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from treering.stage.store import Limits
    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config
    from treering.store.opensearch.target import Target

FIRST_PAGE = 1000
_LARGEST_PAGE = 10_000
_PAGE_BYTES = 16 << 20
_KEEP_ALIVE = "2m"
_ALWAYS = (f"{ROOT}.seq", f"{ROOT}.ns", f"{ROOT}.rest", f"{ROOT}.floats")
_MOST_LEFT = 1000
_NO_POINT: dict[str, Any] = {}


class Budget:
    """How much a query has fetched, and until when it may."""

    def __init__(self, config: Config, limits: Limits, cancel: threading.Event | None = None) -> None:
        """Begin with nothing fetched."""
        self.documents = 0
        self.bytes = 0
        self._config = config
        self._limits = limits
        self._until = time.monotonic() + limits.seconds
        self._cancel = cancel

    def admit(self, wanted: int) -> None:
        """Take `wanted` documents more into account. Raises `UserError` when they are too many."""
        self.documents += wanted
        most = self._config.pull_documents
        if self.documents > most:
            raise UserError(
                f"the query would fetch {self.documents} documents from OpenSearch, more than the limit of {most}",
                hint="narrow the time range or the search, or raise pull_documents",
            )

    def spend(self, size: int) -> None:
        """Take bytes that came into account. Raises `UserError` when they are too many, or time is up."""
        self.bytes += size
        if self.bytes > self._config.pull_bytes:
            raise UserError(
                f"the query fetched more than {self._config.pull_bytes >> 20} MiB from OpenSearch",
                hint="narrow the time range or the search, ask for fewer fields, or raise pull_bytes",
            )
        self.check()

    def check(self) -> None:
        """Raise `UserError` when the query was cancelled or its time is up."""
        if self._cancel is not None and self._cancel.is_set():
            raise UserError("the query was cancelled")
        if time.monotonic() > self._until:
            raise UserError(f"the query took more than {self._limits.seconds:g} seconds")


class Puller:
    """Searches; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, *, elastic: bool) -> None:
        """Search through `cluster`; `elastic`: it is Elasticsearch, which spells points in time differently."""
        self._cluster = cluster
        self._elastic = elastic

    def count(self, target: Target, query: dict[str, Any]) -> int:
        """Return how many documents match."""
        told = self._cluster.call("POST", f"/{named(target.indexes)}/_count", {"query": query}, LENIENT)
        return int(told["count"])

    def aggregations(self, target: Target, body: dict[str, Any], point: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the answer to a search without hits, at a point in time if one is given, and its size in bytes."""
        if point:
            found = self._cluster.raw("POST", "/_search", body | dict(point))
        else:
            where: dict[str, str | bool] = {} if target.shard is None else {"preference": f"_shards:{target.shard}"}
            found = self._cluster.raw("POST", f"/{named(target.indexes)}/_search", body, LENIENT | where)
        answer: dict[str, Any] = msgspec.json.decode(found)
        return answer, len(found)

    def left(self, target: Target) -> frozenset[str] | None:
        """Return the fields of which some document of ours keeps values apart from the index; None where unknown."""
        if not target.own:
            return None
        path = f"{ROOT}.left"
        body = {
            "size": 0,
            "query": {"exists": {"field": path}},
            "aggs": {"left": {"terms": {"field": path, "size": _MOST_LEFT}}},
        }
        found, _ = self.aggregations(target, body, _NO_POINT)
        names = found.get("aggregations", {}).get("left", {"buckets": [], "sum_other_doc_count": 0})
        return None if names["sum_other_doc_count"] else frozenset(bucket["key"] for bucket in names["buckets"])

    def search(self, indexes: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the hits of one search."""
        found = self._cluster.call("POST", f"/{named(indexes)}/_search", body, LENIENT)
        hits: list[dict[str, Any]] = found["hits"]["hits"]
        return hits

    def pages(
        self,
        target: Target,
        query: dict[str, Any],
        fields: Sequence[str] | None,
        budget: Budget,
        *,
        newest: int = 0,
        few: bool = False,
        order: Sequence[Any] = (),
        most: int | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield all hits, in the order of their numbers; `fields` (None: all) are needed of them.

        With `newest`, which is how many to begin with, the newest come first. Where they are `few`, one
        search is a point in time by itself. With another `order` and `most`, no more than that many hits come.
        """
        order = list(order) or [number_of(target)]
        if newest:
            order = [{target.time: {"order": "desc", "missing": "_last", "numeric_type": "long"}}, *order]
        body = _body(target, query, order, fields)
        size = min(newest, FIRST_PAGE) if newest else FIRST_PAGE
        if most is not None:
            size, few = min(max(most, 1), FIRST_PAGE), few or most <= FIRST_PAGE
        point_in_time = contextlib.nullcontext(_NO_POINT) if few or newest else self.point(target)
        with point_in_time as point:
            yield from self._walk(target, body | point, size, most, budget)

    def includes(self, target: Target, fields: Sequence[str]) -> list[str] | bool:
        """Return what of a document is needed for `fields`."""
        return _includes(target, fields)

    def _walk(
        self, target: Target, body: dict[str, Any], size: int, most: int | None, budget: Budget
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield page after page, the first one of `size` hits, of at most `most` hits together."""
        while True:
            budget.check()
            hits, read = self._page(target, body | {"size": size})
            budget.spend(read)
            if hits:
                yield hits
            if most is not None:
                most -= len(hits)
            if len(hits) < size or most == 0:
                return
            body["search_after"] = hits[-1]["sort"]
            size = max(100, min(_LARGEST_PAGE, _PAGE_BYTES * size // max(read, 1), size * 4))
            size = size if most is None else min(size, most)

    def _page(self, target: Target, body: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
        if "pit" in body:
            found = self._cluster.raw("POST", "/_search", body)
        else:
            where: dict[str, str | bool] = {} if target.shard is None else {"preference": f"_shards:{target.shard}"}
            found = self._cluster.raw("POST", f"/{named(target.indexes)}/_search", body, LENIENT | where)
        hits: list[dict[str, Any]] = msgspec.json.decode(found)["hits"]["hits"]
        return hits, len(found)

    @contextlib.contextmanager
    def point(self, target: Target) -> Iterator[dict[str, Any]]:
        """Hold what the indexes have now until the end of the block; old versions, which cannot, go on."""
        path = "_pit" if self._elastic else "_search/point_in_time"
        where: dict[str, str | bool] = {} if target.shard is None else {"preference": f"_shards:{target.shard}"}
        lenient = {"ignore_unavailable": True} if self._elastic else LENIENT
        try:
            told = self._cluster.call(
                "POST", f"/{named(target.indexes)}/{path}", None, {"keep_alive": _KEEP_ALIVE} | lenient | where
            )
        except Refused as refused:
            if refused.status not in {400, 404, 405}:
                raise
            yield {}
            return
        point = told["id"] if self._elastic else told["pit_id"]
        try:
            yield {"pit": {"id": point, "keep_alive": _KEEP_ALIVE}}
        finally:
            with contextlib.suppress(Refused, Retryable):
                body = {"id": point} if self._elastic else {"pit_id": [point]}
                self._cluster.call("DELETE", f"/{path}", body, patience_s=0)


def _body(target: Target, query: Any, order: list[Any], fields: Sequence[str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"query": query, "sort": order, "track_total_hits": False}
    if fields is not None:
        body["_source"] = _includes(target, fields)
    if not target.own:
        body["seq_no_primary_term"] = True
    return body


def _includes(target: Target, fields: Sequence[str]) -> list[str] | bool:
    if not target.own:
        named_by = [name for name in fields if not name.startswith("_")]
        return (
            True if any("*" in name for name in named_by) else [*named_by, target.time] if named_by else [target.time]
        )
    if any("*" in name for name in fields):
        return True
    wanted = [name for field in fields if field not in {"_seq", "_time", "_index", "_id"} for name in _places(field)]
    return [*_ALWAYS, *([f"{ROOT}.id"] if "_id" in fields else []), *wanted]


def _places(field: str) -> tuple[str, str]:
    return field, f"{ROOT}.own.{field}"
