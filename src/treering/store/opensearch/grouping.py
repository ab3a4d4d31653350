"""Groups made by OpenSearch itself: composite and metric aggregations in the place of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arro3.core import Array, DataType, Field, Schema, Table

from treering.query import coerce
from treering.query.types import Type, type_of
from treering.store.opensearch.leaves import bits_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import GroupKey, Groups, Metric
    from treering.store.opensearch.fields import Fields, Indexed

PAGE = 10_000
_MILLI = 1_000_000
# Sums of whole numbers are made as doubles, which hold them exactly up to here.
_WHOLE = float(1 << 53)
# PPL's float is a double here: an answer shows 6.2 where a record says so.
_REALS = frozenset({Type.FLOAT, Type.DOUBLE})
_MAPPED = "::ffff:"


class Inexact(Exception):  # noqa: N818  it says what is so
    """What came back does not say exactly what the documents would."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The aggregations that make groups of one target's documents."""

    groups: Groups
    sources: tuple[Mapping[str, Any], ...]
    metrics: Mapping[str, Any]
    checks: dict[str, Any]
    kinds: Mapping[str, Type]

    def body(self, query: Mapping[str, Any], after: Any = None) -> dict[str, Any]:
        """Return the search for a page of groups, those behind `after`."""
        asked: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": query}
        metrics: dict[str, Any] = dict(self.metrics)
        if not self.sources:
            return asked | {"aggs": metrics | dict(self.checks)} if metrics or self.checks else asked
        composite: dict[str, Any] = {"size": PAGE, "sources": list(self.sources)}
        if after is not None:
            composite["after"] = after
        made: dict[str, Any] = {"composite": composite}
        if metrics:
            made["aggs"] = metrics
        checks = dict(self.checks) if after is None else {}
        return asked | {"aggs": {"groups": made} | checks}

    def read(self, answer: Mapping[str, Any]) -> tuple[list[list[Any]], Any]:
        """Return the rows of a page and what the next one is behind, None at the end. Raises `Inexact`."""
        found = answer.get("aggregations", {})
        if not answer["hits"]["total"]["value"]:
            return [], None
        self._check(found)
        if not self.sources:
            total = answer["hits"]["total"]["value"]
            return [self._row({}, {"doc_count": total} | found)], None
        buckets = found["groups"]["buckets"]
        after = found["groups"].get("after_key") if len(buckets) >= PAGE else None
        return [self._row(bucket["key"], bucket) for bucket in buckets], after

    def _check(self, found: Mapping[str, Any]) -> None:
        for name in self.checks:
            if name.startswith("values ") and found.get(name) is not None:
                some = found[f"some {name[7:]}"]["doc_count"]
                if found[name]["value"] != some:
                    raise Inexact(f"some documents hold several values of {name[7:]}")

    def _row(self, key: Mapping[str, Any], bucket: Mapping[str, Any]) -> list[Any]:
        values = [self._key(each, key[f"k{place}"]) for place, each in enumerate(self.groups.keys)]
        return values + [self._metric(metric, place, bucket) for place, metric in enumerate(self.groups.metrics)]

    def _key(self, key: GroupKey, value: Any) -> Any:
        if value is None:
            return None
        kind = self.kinds[key.field]
        if kind is Type.TIMESTAMP:
            return int(value) * _MILLI
        if kind is Type.IP:
            if ":" in value and not value.lower().startswith(_MAPPED):
                raise Inexact("IPv6 addresses are written in several ways")
            return value.lower().removeprefix(_MAPPED)
        if kind in coerce.INTEGERS:
            return int(value)
        return float(value) if kind in _REALS else value

    def _metric(self, metric: Metric, place: int, bucket: Mapping[str, Any]) -> Any:
        if metric.kind == "rows":
            return bucket["doc_count"]
        if metric.kind == "count":
            return bucket[f"m{place}"]["doc_count"]
        found = bucket[f"m{place}"]
        if not found["count"]:
            return None
        if self.kinds[metric.field] not in coerce.INTEGERS:
            return float(found[metric.kind])
        largest = max(abs(found["min"]), abs(found["max"]))
        if largest >= _WHOLE or (metric.kind == "sum" and largest * found["count"] >= _WHOLE):
            raise Inexact(f"the values of {metric.field} are too large to be added up as doubles")
        return int(found[metric.kind])


def plan(groups: Groups, fields: Fields, schema: StreamSchema, *, own: bool) -> Plan | None:
    """Return how OpenSearch makes the groups, or None when it cannot make them exactly."""
    sources: list[Mapping[str, Any]] = []
    kinds: dict[str, Type] = {}
    for place, key in enumerate(groups.keys):
        field = fields.get(key.field)
        source = None if field is None or not field.complete else source_of(key, field)
        if source is None:
            return None
        sources.append({f"k{place}": source})
        kinds[key.field] = type_of(schema.fields[key.field])
    metrics: dict[str, Any] = {}
    checks: dict[str, Any] = {}
    for place, metric in enumerate(groups.metrics):
        if metric.kind == "rows":
            continue
        field = fields.get(metric.field)
        made = None if field is None or not field.complete else _aggregation(metric, field)
        if field is None or made is None:
            return None
        metrics[f"m{place}"] = made
        kinds[metric.field] = field.kind
        if not own and metric.kind != "count":
            checks[f"values {field.name}"] = {"value_count": {"field": field.path}}
            checks[f"some {field.name}"] = {"filter": {"exists": {"field": field.path}}}
    return Plan(groups, tuple(sources), metrics, checks, kinds)


def source_of(key: GroupKey, field: Indexed) -> Mapping[str, Any] | None:
    """Return the source of a composite aggregation for a key, or None where its values are not those of the field."""
    if key.step is None:
        path = field.whole if field.type == "keyword" else field.path
        same = field.type == "keyword" and field.kind in {Type.STRING, Type.IP}
        same |= field.type == "double" and field.kind in _REALS
        same |= field.type in {"boolean", "ip"} and field.kind.value == field.type
        same |= _all_fit(field)
        return {"terms": {"field": path, "missing_bucket": True}} if same and path is not None else None
    about: dict[str, Any] = {"field": field.path, "missing_bucket": True}
    if field.kind is Type.TIMESTAMP and field.type in {"date", "date_nanos"}:
        if key.step % _MILLI or key.origin % _MILLI:
            return None
        about["fixed_interval"] = f"{key.step // _MILLI}ms"
        if key.origin:
            about["offset"] = f"+{key.origin // _MILLI}ms"
        return {"date_histogram": about}
    if key.origin or not (_all_fit(field) or (field.type == "double" and field.kind in _REALS)):
        return None
    return {"histogram": about | {"interval": key.step}}


def _all_fit(field: Indexed) -> bool:
    """Whether every whole number in the index is one of the field's type."""
    bits = bits_of(field.type)
    return bits is not None and field.kind in coerce.INTEGERS and (bits_of(field.kind) or 0) >= bits


def _aggregation(metric: Metric, field: Indexed) -> Mapping[str, Any] | None:
    if metric.kind == "count":
        same = field.type in {"keyword", "boolean", "ip", "date", "date_nanos", "double", "float"} or _all_fit(field)
        return {"filter": {"exists": {"field": field.path}}} if same else None
    number = _all_fit(field) or (field.kind in _REALS and field.type in {"double", "long"})
    return {"stats": {"field": field.path}} if number else None


def table(groups: Groups, kinds: Mapping[str, Type], rows: Sequence[Sequence[Any]]) -> Table:
    """Return rows of groups as a table with the columns that the SQL over groups reads."""
    columns: list[tuple[str, DataType]] = [(key.field, _arrow(kinds[key.field])) for key in groups.keys]
    columns += [(metric.column, _of_metric(metric, kinds)) for metric in groups.metrics]
    arrays = []
    for place, (_, kind) in enumerate(columns):
        values = [row[place] for row in rows]
        plain = DataType.int64() if kind == DataType.timestamp("ns") else kind
        arrays.append(Array(values, plain).cast(kind) if plain != kind else Array(values, kind))
    return Table.from_arrays(arrays, schema=Schema([Field(name, kind) for name, kind in columns]))


def _arrow(kind: Type) -> DataType:
    if kind in coerce.INTEGERS:
        return DataType.int64()
    return {
        Type.DOUBLE: DataType.float64(),
        Type.FLOAT: DataType.float64(),
        Type.BOOLEAN: DataType.bool(),
        Type.TIMESTAMP: DataType.timestamp("ns"),
    }.get(kind, DataType.utf8())


def _of_metric(metric: Metric, kinds: Mapping[str, Type]) -> DataType:
    return DataType.int64() if metric.kind in {"rows", "count"} else _arrow(kinds[metric.field])
