"""`OpenSearchStore`: a cluster behind the contract of `treering.stage.store`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from arro3.core import Table

from treering.core.clock import SystemClock
from treering.core.errors import Retryable, UserError
from treering.model.batch import Batch
from treering.model.columns import MAX_COLUMNS, SEQUENCE, to_record
from treering.stage.store import Limits, Query, Result
from treering.store.duckdb import arrow, running, statement
from treering.store.duckdb import mapping as mapping_changes
from treering.store.duckdb.catalog import unknown
from treering.store.opensearch import foreign
from treering.store.opensearch.appending import Appender, id_of
from treering.store.opensearch.catalog import Catalog
from treering.store.opensearch.cluster import LENIENT, Cluster, parts
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.config import Config
from treering.store.opensearch.lease import Lease
from treering.store.opensearch.numbering import Numbering, Recent
from treering.store.opensearch.pulling import Budget, Puller
from treering.store.opensearch.querying import Reader, rows_of
from treering.store.opensearch.retention import Keeper
from treering.store.opensearch.state import State
from treering.store.opensearch.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from treering.core.clock import Clock
    from treering.model.schema import StreamSchema
    from treering.stage.plan import Plan
    from treering.stage.store import Scan, StreamInfo
    from treering.store.duckdb.ownership import Lock
    from treering.store.opensearch.target import Target

_PAGE = 5000
_NO_DEAD: dict[str, Sequence[int]] = {}


class OpenSearchStore:
    """Streams of records in dated indexes behind aliases, queried through what is fetched of them."""

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None, lock: Lock | None = None) -> None:
        """Connect to the cluster; `lock` is released by `close`.

        Raises `UserError` for a wrong configuration, `Retryable` when no node answers.
        """
        self._config = (config or Config()).checked()
        self._lock = lock
        self._cluster = Cluster(self._config)
        told = self._cluster.call("GET", "/")
        self._version = dict(told.get("version", {}))
        self._state = State(self._cluster, self._config)
        self._catalog = Catalog(self._cluster, self._config, self._state)
        self._puller = Puller(self._cluster, elastic=self._version.get("distribution") != "opensearch")
        self._connection = running.connect(self._config.threads, self._config.engine_memory_bytes, None)
        self.reader = Reader(self._catalog, self._puller, self._config, self._connection)
        newest = self._greatest()
        self._numbering, self._recent = Numbering(self._state.block, newest), Recent(newest)
        clock = clock or SystemClock()
        self._lease = Lease(self._cluster, self._state.index_name, self._config.lease_s, clock)
        self._appender = Appender(
            self._cluster, self._state, Writer(self._cluster, self._config, self._remake), self._numbering,
            self._recent, clock, threading.Event(),
        )  # fmt: skip
        self._keeper = Keeper(self._cluster, self._state, self._config, clock)
        self._keeper.start()

    def _greatest(self) -> int:
        for part in parts([stream.alias for stream in self._state.streams.values()]):
            self._cluster.call("POST", f"/{part}/_refresh", None, LENIENT)
        return max(self._edges("desc", {"match_all": {}}), default=-1)

    def _edges(self, order: str, query: dict[str, Any]) -> list[int]:
        """Return the first number in an order of the records that match, of some groups of streams."""
        sort = [{f"{ROOT}.seq": {"order": order, "unmapped_type": "long"}}]
        body = {"size": 1, "query": query, "sort": sort, "_source": [f"{ROOT}.seq"]}
        found: list[dict[str, Any]] = []
        for part in parts([stream.alias for stream in self._state.streams.values()]):
            found += self._cluster.call("POST", f"/{part}/_search", body, LENIENT)["hits"]["hits"]
        return [int(hit["_source"][ROOT]["seq"]) for hit in found]

    def _remake(self, index: str) -> None:
        stream = self._state.streams.get(self._state.stream_of(index))
        if stream is not None:
            self._state.forget_index(stream.name, index)
            self._state.index(stream, index.rpartition("-")[2])

    def claim(self) -> None:
        """Be the one process that writes under the prefix. Raises `UserError` naming the one that is already."""
        try:
            self._lease.hold()
        except Retryable as error:
            raise UserError(error.message, hint=error.hint) from error

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = _NO_DEAD) -> int:
        """Make all rows durable and return the `_seq` of the first one; delete the records `tombstones` names.

        Raises `Retryable` when the cluster does not take them now or another process writes under this prefix,
        `Permanent` when it never will.
        """
        self._lease.hold()
        return self._appender.append(batches, tombstones)

    def find_ids(self, stream: str, ids: Collection[str]) -> dict[str, int]:
        """Return the `_seq` of the live record of each `_id` that has one."""
        held = self._state.streams.get(stream)
        if held is None or not ids:
            return {}
        self._appender.freshen()
        wanted, found = list(ids), dict[str, int]()
        for start in range(0, len(wanted), _PAGE):
            part = wanted[start : start + _PAGE]
            body = {
                "size": 2 * len(part),
                "query": {"terms": {f"{ROOT}.id": part}},
                "_source": [f"{ROOT}.seq", f"{ROOT}.id"],
                "sort": [{f"{ROOT}.seq": "asc"}],
            }
            for hit in self._puller.search(held.alias, body):
                found[hit["_source"][ROOT]["id"]] = hit["_source"][ROOT]["seq"]
        return found

    def erase(self, scan: Scan) -> int:
        """Delete the records of one stream or pattern that are in `scan` and satisfy its `where`; returns how many."""
        self._lease.hold()
        dead = statement.chosen(scan, self.run)
        self._appender.append([], dead)
        return sum(map(len, dead.values()))

    def streams(self, pattern: str = "*") -> list[StreamInfo]:
        """Return the streams that match, by name."""
        self._appender.freshen()
        return self._catalog.infos(pattern)

    def schema(self, streams: Sequence[str]) -> StreamSchema:
        """Return the merged schema of the streams that match. Raises `UserError` when none does."""
        return self._catalog.schema(self._catalog.targets(streams))

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None = None) -> Result:
        """Answer a query. Raises `UserError` at a limit or a value the query cannot handle."""
        self._appender.freshen()
        return self.reader.run(query, limits, cancel)

    def plan(
        self, query: Query, limits: Limits, *, measure: bool = False, cancel: threading.Event | None = None
    ) -> Plan:
        """Return what of `query` goes to the cluster and what runs here; with `measure` also what that took."""
        from treering.store.opensearch.planning import plan

        self._appender.freshen()
        return plan(self.reader, query, limits, measure=measure, cancel=cancel)

    def create(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Create an empty stream with an OpenSearch mapping. Raises `UserError` when it exists."""
        if stream in self._state.streams:
            raise UserError(f"stream {stream!r} exists")
        self._lease.hold()
        self._state.declare(stream, mapping_changes.unwrapped(mapping), new=True)

    def put_mapping(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Add fields to a stream's mapping. Raises `UserError` on a change of type."""
        held = self._state.streams.get(stream)
        if held is None:
            raise unknown([stream])
        self._lease.hold()
        self._state.declare(stream, mapping_changes.merged(held.mapping, mapping_changes.unwrapped(mapping)), new=False)

    def delete(self, stream: str) -> bool:
        """Delete a stream with all its records; returns whether it existed. Indexes of others are left alone."""
        self._lease.hold()
        self._recent.drop(stream)
        return self._state.drop(stream)

    def record(self, stream: str, seq: int) -> Mapping[str, Any] | None:
        """Return one record as its sender wrote it, or None."""
        return self.records(stream, [seq]).get(seq)

    def records(self, stream: str, seqs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the records with these numbers as their senders wrote them, by number; those gone are left out."""
        if not seqs:
            return {}
        self._appender.freshen()
        found: dict[int, Mapping[str, Any]] = {}
        try:
            targets = self._catalog.targets([stream])
        except UserError:
            return {}
        for target in targets:
            for start in range(0, len(seqs), _PAGE):
                found.update(self._records(target, seqs[start : start + _PAGE]))
        return found

    def _records(self, target: Target, seqs: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        query: dict[str, Any]
        if target.own:
            query = {"ids": {"values": [id_of(seq) for seq in seqs]}}
        else:
            places = [foreign.place(seq) for seq in seqs if foreign.is_foreign(seq)]
            query = {"terms": {"_seq_no": [place for place, shard in places if shard == (target.shard or 0)]}}
        budget = Budget(self._config, Limits())
        for page in self._puller.pages(target, query, None, budget, few=len(seqs) < _PAGE):
            table = Table.from_batches([rows_of(page, target)])
            yield from ((row[SEQUENCE], to_record(row)) for row in arrow.rows(table))

    def newest_seq(self) -> int:
        """Return the `_seq` of the record appended last, -1 before the first."""
        return self._numbering.newest

    def tail(self, after_seq: int) -> Iterator[Batch]:
        """Yield appended batches newer than `after_seq` that are still in memory, with their `_seq` column."""
        return self._recent.after(after_seq, self.newest_seq())

    def since(self, after_seq: int, most: int, streams: Sequence[str] = ("*",)) -> tuple[int, list[Batch]]:
        """Return a position and all rows of `streams` numbered above `after_seq` up to it, at most `most` numbers."""
        newest = self.newest_seq()
        if newest <= after_seq:
            return after_seq, []
        ours = self._catalog.own(streams)
        if self._recent.holds_all_after(after_seq):
            first = self._recent.first_after(after_seq)
            last = newest if first is None else min(first - 1 + most, newest)
            names = {stream.name for stream in ours}
            return last, _joined(batch for batch in self._recent.after(after_seq, last) if batch.stream in names)
        self._appender.freshen()
        first = min(self._edges("asc", {"range": {f"{ROOT}.seq": {"gt": after_seq}}}), default=None)
        last = newest if first is None else min(first - 1 + most, newest)
        query = {"range": {f"{ROOT}.seq": {"gt": after_seq, "lte": last}}}
        found: list[Batch] = []
        for target in self._catalog.targets([stream.name for stream in ours]) if ours else []:
            budget = Budget(self._config, Limits(seconds=600))
            pages = self._puller.pages(target, query, None, budget)
            found += [Batch(target.stream, rows_of(page, target)) for page in pages]
        return last, _joined(found)

    def health(self) -> Mapping[str, Any]:
        """Return rows, bytes, nodes and what is wrong, for `treering doctor`."""
        infos = self._catalog.infos("*") if self._state.streams else []
        about = self._cluster.call("GET", "/_cluster/health")
        trouble = {**self._cluster.trouble, **self._keeper.trouble, **self._lease.trouble}
        if about["status"] == "red":
            trouble["cluster"] = f"{about['unassigned_shards']} shards are nowhere"
        return {
            "path": ", ".join(self._config.urls),
            "rows": sum(info.rows for info in infos),
            "bytes": sum(info.bytes for info in infos),
            "segments": about["active_shards"],
            "unflushed_rows": 0,
            "deleted_rows": 0,
            "damage": [],
            "trouble": trouble,
            "cluster": about["cluster_name"],
            "version": self._version.get("number", ""),
            "status": about["status"],
            "nodes": about["number_of_nodes"],
        }

    def retain(self) -> None:
        """Delete now the indexes whose records are all older than their stream's are kept."""
        self._keeper.retain()

    def close(self) -> None:
        """End background work and the connections. May be called twice."""
        self._keeper.stop()
        self._lease.close()
        self._connection.close()
        self._cluster.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _joined(found: Iterator[Batch] | Sequence[Batch]) -> list[Batch]:
    """Return one batch a stream, in the order of their first rows."""
    parts: dict[str, list[Any]] = {}
    for batch in found:
        parts.setdefault(batch.stream, []).append(batch.data)
    made = []
    for stream, data in parts.items():
        (joined,) = arrow.merged(data, MAX_COLUMNS).combine_chunks().to_batches() if len(data) > 1 else data
        made.append(Batch(stream, joined))
    return sorted(made, key=lambda batch: int(batch.data.column(SEQUENCE)[0].as_py()))
