"""Indexes that others write (Data Prepper, the OpenTelemetry Collector, anybody), read in place as streams."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.model.columns import Kind, escape
from treering.model.mapping import fields
from treering.store.opensearch.cluster import LENIENT, Refused, named, parts
from treering.store.opensearch.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config

# Where a record's time is: the first of these that is a date in the index.
_TIMES = ("@timestamp", "time", "startTime", "timestamp", "observedTime")
_DATES = frozenset({"date", "date_nanos"})
_LISTED = {"format": "json", "bytes": "b", "h": "index,store.size", "expand_wildcards": "open"}
_SAMPLE = 200
_FRESH_S = 5.0
_NUMBERS = frozenset(
    {"long", "integer", "short", "byte", "unsigned_long", "double", "float", "half_float", "scaled_float"}
)
# Numbers of documents that treering did not number: OpenSearch's own within a shard, apart from ours and by shard.
_BASE, _SHARDS = 1 << 62, 1024


def number(seq_no: int, shard: int) -> int:
    """Return the `_seq` of a document that somebody else wrote: it stays until the document is written anew."""
    return _BASE + seq_no * _SHARDS + shard


def place(seq: int) -> tuple[int, int]:
    """Return OpenSearch's sequence number and shard of `number`."""
    return divmod(seq - _BASE, _SHARDS)


def is_foreign(seq: int) -> bool:
    """Whether a `_seq` is of a document that somebody else wrote."""
    return seq >= _BASE


@dataclass(frozen=True, slots=True)
class Index:
    """What there is to know about an index: its mapping, its shards, and the paths under which lists were seen."""

    name: str
    mapping: Mapping[str, Any]
    shards: int
    lists: frozenset[str]
    at: float


class Foreign:
    """The indexes of others that `read` admits; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, config: Config) -> None:
        """Look at nothing yet."""
        self._cluster = cluster
        self._read = config.read
        self._prefix = config.prefix
        self._lock = threading.Lock()
        self._known: dict[str, Index] = {}

    def listed(self) -> list[dict[str, Any]]:
        """Return name and bytes of every index."""
        if not self._read:
            return []
        try:
            told: list[dict[str, Any]] = self._cluster.call("GET", f"/_cat/indices/{named(*self._read)}", None, _LISTED)
        except Refused as refused:
            if refused.status != 404:
                raise
            return []
        return [item for item in told if self._is_theirs(item["index"])]

    def _is_theirs(self, name: str) -> bool:
        return not name.startswith((".", self._prefix))

    def aliased(self, name: str) -> list[str]:
        """Return the indexes of others that are together under an alias."""
        if not self._read or "*" in name:
            return []
        try:
            return sorted(filter(self._is_theirs, self._cluster.call("GET", f"/_alias/{named(name)}")))
        except Refused:
            return []

    def mappings(self, indexes: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the mappings of indexes."""
        told = [self._cluster.call("GET", f"/{part}/_mapping", None, LENIENT) for part in parts(indexes)]
        return {index: about["mappings"] for found in told for index, about in found.items()}

    def targets(self, index: str) -> list[Target]:
        """Return how an index is searched, shard by shard: documents have numbers only within theirs."""
        about = self._about(index)
        when = time_of(about.mapping)
        columns = tuple(_physical(about.mapping.get("properties", {}), about.lists))
        shards: Sequence[int | None] = range(about.shards) if about.shards > 1 else (None,)
        return [Target(index, index, about.mapping, None, columns, when, shard) for shard in shards]

    def _about(self, index: str) -> Index:
        with self._lock:
            held = self._known.get(index)
        if held is not None and time.monotonic() - held.at < _FRESH_S:
            return held
        told = next(iter(self._cluster.call("GET", f"/{named(index)}").values()))
        lists = self._sampled(index) | (held.lists if held is not None else frozenset())
        shards = int(told["settings"]["index"]["number_of_shards"])
        about = Index(index, told["mappings"], shards, lists, time.monotonic())
        with self._lock:
            self._known[index] = about
        return about

    def _sampled(self, index: str) -> frozenset[str]:
        """Return the paths under which some documents have lists: mappings do not tell."""
        body = {"size": _SAMPLE, "query": {"match_all": {}}}
        hits = self._cluster.call("POST", f"/{named(index)}/_search", body)["hits"]["hits"]
        return frozenset(path for hit in hits for path in _lists(hit["_source"], ""))

    def saw_lists(self, index: str, paths: frozenset[str]) -> None:
        """Keep that documents have lists under these paths."""
        with self._lock:
            held = self._known.get(index)
            if held is not None and not paths <= held.lists:
                self._known[index] = Index(index, held.mapping, held.shards, held.lists | paths, held.at)


def time_of(mapping: Mapping[str, Any]) -> str:
    """Return the field that holds the time of an index's records."""
    kinds = {field.name: field.type for field in fields(mapping.get("properties", {}))}
    return next((name for name in _TIMES if kinds.get(name) in _DATES), "@timestamp")


def _lists(value: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, item in value.items():
        if isinstance(item, list):
            yield prefix + escape(name)
        elif isinstance(item, dict):
            yield from _lists(item, f"{prefix}{escape(name)}/")


def _physical(properties: Mapping[str, Any], lists: frozenset[str], prefix: str = "") -> Iterator[str]:
    """Yield the columns that values of the mapped fields may make, and those of lists that were seen."""
    found = dict.fromkeys(_columns(properties, prefix))
    yield from found
    for pointer in sorted(lists):
        yield f"{pointer}:{Kind.JSON.value}"


def _columns(properties: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, body in properties.items():
        for pointer in _spellings(name, prefix):
            if "properties" in body:
                yield from _columns(body["properties"], f"{pointer}/")
            elif body.get("type") != "alias":
                for kind in _kinds(str(body.get("type", "object"))):
                    yield f"{pointer}:{kind.value}"


def _spellings(name: str, prefix: str) -> Iterator[str]:
    """A path of a mapping is one step a level; documents may spell several as one name with dots."""
    yield prefix + escape(name)
    if prefix:
        yield f"{prefix[:-1]}.{escape(name)}"


def _kinds(kind: str) -> tuple[Kind, ...]:
    if kind in _DATES:
        return Kind.TIME, Kind.STRING, Kind.LONG
    if kind in _NUMBERS:
        return Kind.LONG, Kind.DOUBLE, Kind.STRING
    if kind == "boolean":
        return Kind.BOOLEAN, Kind.STRING
    if kind in {"object", "nested", "flat_object", "flattened"}:
        return ()
    return Kind.STRING, Kind.LONG, Kind.DOUBLE, Kind.BOOLEAN
