"""The streams there are: ours, by name, and the indexes of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.model import mapping as mappings
from treering.stage.store import StreamInfo
from treering.store.duckdb.catalog import matching, unknown
from treering.store.opensearch.cluster import LENIENT, parts
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.foreign import Foreign, time_of
from treering.store.opensearch.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.schema import StreamSchema
    from treering.store.opensearch.cluster import Cluster
    from treering.store.opensearch.config import Config
    from treering.store.opensearch.state import Known, State

_NS = f"{ROOT}.ns"


class Catalog:
    """Finds streams by name and pattern; every method may be called from any thread."""

    def __init__(self, cluster: Cluster, config: Config, state: State) -> None:
        """Know our streams by `state`."""
        self._cluster = cluster
        self._state = state
        self.foreign = Foreign(cluster, config)
        self._schemas: dict[Any, StreamSchema] = {}

    def own(self, patterns: Sequence[str]) -> list[Known]:
        """Return our streams that match."""
        held = dict(self._state.streams)
        return [held[name] for name in matching(patterns, sorted(held))]

    def targets(self, patterns: Sequence[str]) -> list[Target]:
        """Return how the streams that match are searched. Raises `UserError` when none does."""
        held = dict(self._state.streams)
        theirs = [] if all(name in held for name in patterns) else [item["index"] for item in self.foreign.listed()]
        found: list[Target] = []
        for name in matching(patterns, sorted({*held, *theirs})):
            found += [_target(held[name])] if name in held else self.foreign.targets(name)
        if not found:
            found = [
                item
                for name in patterns
                for index in self.foreign.aliased(name)
                for item in self.foreign.targets(index)
            ]
        if not found:
            raise unknown(patterns, sorted({*held, *theirs}))
        return found

    def schema(self, targets: Sequence[Target]) -> StreamSchema:
        """Return the merged schema of streams."""
        distinct = {target.stream: target for target in targets}
        physical = tuple(dict.fromkeys(name for target in distinct.values() for name in target.names()))
        key = (tuple((target.stream, id(target.mapping)) for target in distinct.values()), physical)
        held = self._schemas.get(key)
        if held is None:
            if len(self._schemas) > 256:
                self._schemas.clear()
            held = mappings.schema([target.mapping for target in distinct.values()], physical)
            self._schemas[key] = held
        return held

    def infos(self, pattern: str) -> list[StreamInfo]:
        """Return rows, bytes and first and last instant of the streams that match, by name."""
        ours = self.own([pattern])
        found = self._own_infos(ours) if ours else []
        if not any(info.name == pattern for info in found):
            found += self._their_infos(pattern)
        return sorted(found, key=lambda info: info.name)

    def _own_infos(self, streams: Sequence[Known]) -> list[StreamInfo]:
        lines: list[Any] = []
        for stream in streams:
            head = {"index": stream.alias, "ignore_unavailable": True, "allow_no_indices": True}
            for order in ("asc", "desc"):
                body = {"size": 1, "_source": False, "docvalue_fields": [_NS], "sort": [{_NS: order}]}
                lines += [head, body | {"track_total_hits": order == "asc"}]
        answers = self._cluster.call("POST", "/_msearch", _lines(lines))["responses"]
        sizes = self._sizes(streams)
        infos = []
        for place, stream in enumerate(streams):
            first, last = (_first(answers[2 * place + side]) for side in (0, 1))
            rows = answers[2 * place].get("hits", {}).get("total", {}).get("value", 0)
            infos.append(StreamInfo(stream.name, rows, sizes.get(stream.name, 0), first, last, stream.mapping))
        return infos

    def _sizes(self, streams: Sequence[Known]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for part in parts([stream.alias for stream in streams]):
            told = self._cluster.call("GET", f"/{part}/_stats/store", None, LENIENT)
            for index, about in told.get("indices", {}).items():
                name = self._state.stream_of(index)
                sizes[name] = sizes.get(name, 0) + about["total"]["store"]["size_in_bytes"]
        return sizes

    def _their_infos(self, pattern: str) -> list[StreamInfo]:
        listed = [item for item in self.foreign.listed() if matching([pattern], [item["index"]])]
        mappings_of = self.foreign.mappings([item["index"] for item in listed])
        lines: list[Any] = []
        for item in listed:
            when = {"field": time_of(mappings_of.get(item["index"], {}))}
            sides = {side: {side: when} for side in ("min", "max")}
            # The list of indexes counts what is nested in documents, too.
            lines += [{"index": item["index"]}, {"size": 0, "track_total_hits": True, "aggs": sides}]
        answers = self._cluster.call("POST", "/_msearch", _lines(lines))["responses"] if lines else []
        infos = []
        for item, answer in zip(listed, answers, strict=True):
            name, size = item["index"], int(item["store.size"] or 0)
            rows = answer.get("hits", {}).get("total", {}).get("value", 0)
            infos.append(StreamInfo(name, rows, size, *_bounds(answer), mappings_of.get(name, {})))
        return infos


def _bounds(answer: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the first and last instant that aggregations found, which are in milliseconds."""
    sides = answer.get("aggregations", {})
    first, last = (sides.get(side, {}).get("value") for side in ("min", "max"))
    return (None if first is None else int(first) * 1_000_000), (None if last is None else int(last) * 1_000_000)


def _target(stream: Known) -> Target:
    return Target(stream.name, stream.alias, stream.mapping, stream.columns)


def _first(answer: dict[str, Any]) -> int | None:
    hits = answer.get("hits", {}).get("hits", ())
    return int(hits[0]["fields"][_NS][0]) if hits else None


def _lines(items: Sequence[Any]) -> bytes:
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)
