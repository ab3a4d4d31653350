"""What a cluster knows about our streams: a template each with its mapping, its columns, and the numbers given out."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Permanent, Retryable, UserError
from treering.store.opensearch.cluster import Refused, named, parts
from treering.store.opensearch.columns import ROOT, Columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treering.model.columns import Kind
    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config

BLOCK = 1 << 20
_NAME = re.compile(r'(?!\.\.?$)[^-_+.\s\\/*?"<>|,#:A-Z][^\s\\/*?"<>|,#:A-Z]*')
_LONGEST_NAME = 200
_PAGE = 10_000
_PRIORITY = 200
# A run of ASCII letters, digits and underscores, or of characters beyond ASCII, in lower case: `stage.store.Tokens`.
LONGEST_WORD = 200
_ANALYSIS = {
    "analyzer": {"treering": {"type": "custom", "tokenizer": "treering", "filter": ["lowercase", "treering"]}},
    "tokenizer": {"treering": {"type": "simple_pattern", "pattern": "[A-Za-z0-9_]+|[\u0080-\U0010ffff]+"}},
    "filter": {"treering": {"type": "truncate", "length": LONGEST_WORD}},
}
# What treering keeps beside a record.
_OWN = {
    "properties": {
        "seq": {"type": "long"},
        "ns": {"type": "long"},
        "id": {"type": "keyword"},
        "left": {"type": "keyword"},
        "words": {"type": "text", "analyzer": "treering", "norms": False, "index_options": "docs"},
        "origin": {"type": "keyword", "index": False, "doc_values": False},
        "rest": {"type": "object", "enabled": False},
        "floats": {"type": "object", "enabled": False},
        "own": {"type": "object"},
    }
}


@dataclass(slots=True)
class Known:
    """A stream of ours: the mapping it was declared with, and its columns."""

    name: str
    alias: str
    mapping: Mapping[str, Any]
    columns: Columns


class State:
    """The streams of one prefix; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, config: Config) -> None:
        """Read what there is."""
        self._cluster = cluster
        self._config = config
        self.index_name = f"{config.prefix}state"
        self._lock = threading.RLock()
        self._indexes: dict[str, set[str]] = {}
        self.streams: dict[str, Known] = {}
        self._prepare()
        self.refresh()

    def _prepare(self) -> None:
        fields = {name: {"type": "keyword"} for name in ("stream", "name", "kind")} | {"order": {"type": "long"}}
        body = {
            "settings": {"number_of_shards": 1, "number_of_replicas": self._config.replicas, "hidden": True},
            "mappings": {"dynamic": False, "properties": fields},
        }
        self._create(self.index_name, body)

    def _create(self, index: str, body: Any) -> None:
        try:
            self._cluster.call("PUT", f"/{named(index)}", body)
        except Refused as refused:
            if refused.kind != "resource_already_exists_exception":
                raise

    def refresh(self) -> None:
        """Read streams and columns anew."""
        found = self._templates()
        columns = self._columns_of()
        with self._lock:
            for name, about in found.items():
                held = self.streams.get(name)
                kept = held.columns if held is not None else Columns(self._config.fields, columns.get(name, ()))
                self.streams[name] = Known(name, about["alias"], about["mapping"], kept)
            for name in set(self.streams) - set(found):
                del self.streams[name]

    def _templates(self) -> dict[str, Any]:
        try:
            told = self._cluster.call("GET", f"/_index_template/{named(self._config.prefix + '*')}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return {}
        abouts = [item["index_template"].get("_meta", {}).get(ROOT) for item in told["index_templates"]]
        return {about["stream"]: about for about in abouts if about and about["prefix"] == self._config.prefix}

    def _columns_of(self) -> dict[str, list[tuple[str, str]]]:
        self._cluster.call("POST", f"/{named(self.index_name)}/_refresh")
        found: dict[str, list[tuple[str, str]]] = {}
        after: list[Any] | None = None
        while True:
            order = [{"order": "asc"}, {"name": "asc"}, {"stream": "asc"}]
            body = {"size": _PAGE, "query": {"exists": {"field": "name"}}, "sort": order}
            hits = self._cluster.call(
                "POST", f"/{named(self.index_name)}/_search", body | ({"search_after": after} if after else {})
            )["hits"]["hits"]
            for hit in hits:
                source = hit["_source"]
                found.setdefault(source["stream"], []).append((source["name"], source["kind"]))
            if len(hits) < _PAGE:
                return found
            after = hits[-1]["sort"]

    def block(self) -> int:
        """Return the first of `BLOCK` numbers that nobody else has or will have."""
        told = self._cluster.call("PUT", f"/{named(self.index_name)}/_doc/sequence", {})
        return int(told["_version"] - 1) * BLOCK

    def alias(self, stream: str) -> str:
        """Return the name under which a stream's indexes are together."""
        return self._config.alias.replace("{stream}", stream)

    def declare(self, stream: str, mapping: Mapping[str, Any], *, new: bool) -> Known:
        """Keep a stream's mapping. Raises `UserError` when it is to be `new` and exists, or cannot have the name."""
        if not _NAME.fullmatch(stream) or len(stream.encode()) > _LONGEST_NAME:
            raise UserError(
                f"{stream!r} cannot be the name of an index",
                hint=r'lower case, at most 200 bytes, none of \ / * ? " < > | , # : or a space, no - _ + . first',
            )
        with self._lock:
            body = self._template(stream, mapping)
            try:
                self._cluster.call(
                    "PUT", f"/_index_template/{named(self._config.prefix + stream)}", body, {"create": new}
                )
            except Refused as refused:
                if new and "already exists" in refused.reason:
                    raise UserError(f"stream {stream!r} exists") from refused
                raise Retryable(f"cannot have a stream {stream!r}: {refused.reason}") from refused
            held = self.streams.get(stream)
            columns = held.columns if held is not None else Columns(self._config.fields)
            self.streams[stream] = Known(stream, self.alias(stream), mapping, columns)
            return self.streams[stream]

    def _template(self, stream: str, mapping: Mapping[str, Any]) -> dict[str, Any]:
        alias = self.alias(stream)
        about = {"stream": stream, "prefix": self._config.prefix, "alias": alias, "mapping": mapping}
        settings = {
            "number_of_shards": self._config.shards,
            "number_of_replicas": self._config.replicas,
            "mapping.total_fields.limit": 2 * self._config.fields + 1000,
            "analysis": _ANALYSIS,
            **self._config.settings,
        }
        return {
            # What is after the stream's name begins with a digit; of two streams' templates the longer name's counts.
            "index_patterns": [f"{self._config.prefix}{stream}-*"],
            "priority": _PRIORITY + len(stream),
            "_meta": {ROOT: about},
            "template": {
                "aliases": {alias: {}},
                "settings": settings,
                # An index that OpenSearch made itself, since ours was deleted, knows no fields: see `index`.
                "mappings": {"dynamic": "strict", "properties": {ROOT: _OWN}},
            },
        }

    def ensure(self, stream: str) -> Known:
        """Return the stream, declared now when it was not. Raises `Permanent` when it cannot be."""
        if (held := self.streams.get(stream)) is not None:
            return held
        with self._lock:
            try:
                return self.streams.get(stream) or self.declare(stream, {}, new=False)
            except UserError as error:
                raise Permanent(error.message) from error

    def index(self, stream: Known, day: str) -> str:
        """Return the index of a day, created now when it was not there. Raises `Retryable` when it cannot be."""
        name = f"{self._config.prefix}{stream.name}-{day}"
        with self._lock:
            held = self._indexes.setdefault(stream.name, set())
            if name not in held:
                with stream.columns.lock:
                    properties = stream.columns.properties(stream.columns.kinds)
                mapping = {"dynamic": False, "properties": properties}
                try:
                    self._create(name, {"mappings": mapping})
                    # It may have been there with fewer.
                    self._cluster.call("PUT", f"/{named(name)}/_mapping", mapping)
                except Refused as refused:  # too many shards, an index with the alias's name: not the records' fault
                    raise Retryable(f"cannot have the index {name}: {refused.reason}", retry_after_s=10) from refused
                held.add(name)
        return name

    def learn(self, stream: Known, index: str, names: Iterable[str], items: Mapping[str, Kind]) -> None:
        """Keep columns that are new, durably, and have `index` take them in."""
        columns, wanted = stream.columns, list(names)
        if all(name in columns.order for name in wanted):
            return
        with columns.lock:
            order = len(columns.order)
            fresh = self._mapped(stream, index, wanted, items)
            try:
                self._keep(stream.name, order, [(name, columns.order[name]) for name in fresh])
            except BaseException:
                columns.forget(fresh)
                raise

    def _mapped(self, stream: Known, index: str, names: list[str], items: Mapping[str, Kind]) -> list[str]:
        """Add columns, mapped in `index` as far as it takes them; returns those that are new."""
        columns = stream.columns
        for _ in range(2):
            fresh = [name for name in names if columns.add(name, items.get(name))]
            properties = columns.properties(columns.claimed(fresh))
            try:
                if properties:
                    self._cluster.call("PUT", f"/{named(index)}/_mapping", {"properties": properties})
            except BaseException as error:
                columns.forget(fresh)
                if not isinstance(error, Refused):
                    raise
                # Another process had records with these fields first.
                columns.know(self._columns_of().get(stream.name, ()))
            else:
                return fresh
        return [name for name in names if columns.know([(name, "")])]

    def _keep(self, stream: str, order: int, fresh: list[tuple[str, str]]) -> None:
        lines = bytearray()
        for place, (name, kind) in enumerate(fresh, order):
            key = hashlib.sha256(f"{stream}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
            held = {"stream": stream, "name": name, "kind": kind, "order": place}
            lines += msgspec.json.encode({"index": {"_id": key}}) + b"\n" + msgspec.json.encode(held) + b"\n"
        if not lines:
            return
        told = self._cluster.call("POST", f"/{named(self.index_name)}/_bulk", bytes(lines))
        if told["errors"]:
            failed = next(item["index"] for item in told["items"] if item["index"]["status"] >= 300)
            raise Refused(failed["status"], failed["error"]["type"], failed["error"]["reason"])

    def stream_of(self, index: str) -> str:
        """Return the stream whose rows one of our indexes holds."""
        return index.removeprefix(self._config.prefix).rpartition("-")[0]

    def forget_index(self, stream: str, index: str) -> None:
        """Create an index anew when it is next needed: it was deleted."""
        with self._lock:
            self._indexes.get(stream, set()).discard(index)

    def indexes(self, stream: Known) -> list[str]:
        """Return the indexes of a stream that there are."""
        return self._named(stream.alias)

    def _named(self, alias: str) -> list[str]:
        try:
            return sorted(self._cluster.call("GET", f"/_alias/{named(alias)}"))
        except Refused as refused:
            if refused.status != 404:
                raise
            return []

    def drop(self, stream: str) -> bool:
        """Delete a stream's indexes, columns and template; returns whether it existed."""
        with self._lock:
            held = self.streams.pop(stream, None)
            self._indexes.pop(stream, None)
            if held is None:
                return False
            for part in parts([name for name in self.indexes(held) if self.stream_of(name) == stream]):
                self._cluster.call("DELETE", f"/{part}")
            query = {"query": {"term": {"stream": stream}}}
            self._cluster.call("POST", f"/{named(self.index_name)}/_refresh")
            while hits := self._cluster.call("POST", f"/{named(self.index_name)}/_search", query | {"size": _PAGE})[
                "hits"
            ]["hits"]:
                lines = b"".join(msgspec.json.encode({"delete": {"_id": hit["_id"]}}) + b"\n" for hit in hits)
                self._cluster.call("POST", f"/{named(self.index_name)}/_bulk", lines, {"refresh": True})
            self._cluster.call("DELETE", f"/_index_template/{named(self._config.prefix + stream)}")
            return True
