"""The way in: rows are numbered, made into documents, written everywhere or nowhere, then acknowledged."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from treering.core.errors import Bug, Permanent, Retryable
from treering.store.duckdb import arrow
from treering.store.opensearch import documents
from treering.store.opensearch.cluster import LENIENT, named, parts
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.foreign import is_foreign
from treering.store.opensearch.writing import Item, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from arro3.core import RecordBatch

    from treering.core.clock import Clock
    from treering.model.batch import Batch
    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.numbering import Numbering, Recent
    from treering.store.opensearch.state import State

_NS = 1_000_000_000
_PAGE = 5000


def id_of(seq: int) -> str:
    """Return the id of the document that holds a record: in the order of numbers, so that they pack well."""
    return f"{seq:016x}"


@dataclass(slots=True)
class Appender:
    """Writes batches; every method may be called from any thread."""

    cluster: Cluster
    state: State
    writer: Writer
    numbering: Numbering
    recent: Recent
    clock: Clock
    dirty: threading.Event
    doomed: list[Item] = field(default_factory=list)
    sweeping: threading.Lock = field(default_factory=threading.Lock)
    refreshing: threading.Lock = field(default_factory=threading.Lock)

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]]) -> int:
        """Make all rows durable and the deletions done, and return the number of the first row.

        Raises `Retryable` or `Permanent`; nothing of the call is kept then, as far as the cluster can be reached.
        """
        held = [batch for batch in batches if batch.rows]
        self.sweep()
        gone = self._deletions(tombstones)
        count = sum(batch.rows for batch in held)
        first = self.numbering.take(count)
        last: int | None = None
        items: list[Item] = []
        try:
            start = first
            for batch in held:
                items += self._items(batch, start)
                start += batch.rows
            self.dirty.set()
            self.writer.send(items)
            self.writer.send(gone)
            last = first + count - 1 if count else None
            self.recent.add(held, first)
            self.recent.forget(tombstones)
        except BaseException:
            self._take_back(items)
            raise
        finally:
            self.dirty.set()
            self.numbering.settle(first, last)
        return first

    def _items(self, batch: Batch, first: int) -> list[Item]:
        stream = self.state.ensure(batch.stream)
        index = self.state.index(stream, self._day())
        data, rest = arrow.flattened(batch.data)
        names = documents.physical(data, rest.order)
        self.state.learn(stream, index, names, documents.lists_first(data))
        made = documents.documents(data, first, stream.columns)
        return [_item(index, data, place, first, document) for place, document in enumerate(made)]

    def _day(self) -> str:
        return datetime.fromtimestamp(self.clock.now_ns() // _NS, UTC).strftime("%Y.%m.%d")

    def _deletions(self, tombstones: Mapping[str, Sequence[int]]) -> list[Item]:
        return [item for stream, seqs in tombstones.items() for item in self.deletions(stream, seqs)]

    def deletions(self, stream: str, seqs: Sequence[int]) -> list[Item]:
        """Return what deletes these records of a stream."""
        held = self.state.streams.get(stream)
        if held is None or not seqs:
            return []
        if any(is_foreign(seq) for seq in seqs):
            raise Bug(f"records of {stream!r} that somebody else numbered cannot be deleted")
        self.freshen()
        items: list[Item] = []
        for start in range(0, len(seqs), _PAGE):
            ids = [id_of(seq) for seq in seqs[start : start + _PAGE]]
            body = {"size": len(ids), "_source": False, "query": {"ids": {"values": ids}}}
            found = self.cluster.call("POST", f"/{named(held.alias)}/_search", body)
            items += [Item(hit["_index"], hit["_id"], b"", op="delete") for hit in found["hits"]["hits"]]
        return items

    def freshen(self) -> None:
        """Let searches see everything that was written by this process."""
        with self.refreshing:  # who comes second must wait for the first
            if not self.dirty.is_set():
                return
            self.dirty.clear()
            try:
                for part in parts([stream.alias for stream in self.state.streams.values()]):
                    self.cluster.call("POST", f"/{part}/_refresh", None, LENIENT)
            except BaseException:
                self.dirty.set()
                raise

    def _take_back(self, items: Sequence[Item]) -> None:
        with self.sweeping:
            self.doomed += [Item(item.index, item.id, b"", op="delete") for item in items]
        with contextlib.suppress(Retryable, Permanent):
            self.sweep()

    def sweep(self) -> None:
        """Delete what is left of appends that were refused. Raises `Retryable` when that cannot be done now."""
        if not self.doomed:
            return
        with self.sweeping:
            self.writer.send(self.doomed)
            self.doomed.clear()


def _item(index: str, data: RecordBatch, place: int, first: int, document: dict[str, Any]) -> Item:
    def plain() -> bytes:
        (bare,) = documents.documents(data.slice(place, 1), first + place, None)
        return msgspec.json.encode(bare)

    return Item(index, id_of(document[ROOT]["seq"]), msgspec.json.encode(document), plain)
