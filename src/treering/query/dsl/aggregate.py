"""Aggregations computed: one query for each bucket aggregation of the tree, its metrics with it.

A query groups by the keys on the path from the root; under `terms` only records of buckets that were kept are read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query.dsl.aggregations import BUCKETS
from treering.query.dsl.buckets import MAX_BUCKETS, Buckets, Choices, Histogram, Ranges, Terms
from treering.query.dsl.date_histogram import DateHistogram
from treering.query.dsl.leaves import constant
from treering.query.dsl.metrics import Metric, metric
from treering.query.dsl.relations import matching
from treering.query.relation import aliased, named, nested
from treering.stage.store import ResultColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.query.dsl.aggregations import Aggregation
    from treering.query.dsl.hits import Run
    from treering.query.dsl.relations import Matching, Schema
    from treering.query.lucene import Query

    Documents = Callable[[Aggregation, list[list[Any]], int], dict[str, Any]]

Path = tuple[Any, ...]


@dataclass(slots=True)
class _Level:
    """A bucket aggregation on the path: its kind, and the keys that were kept."""

    kind: Buckets
    kept: set[Any]


class Aggregator:
    """Computes aggregations over the records that match, through `run`; `documents` fetches those of `top_hits`."""

    def __init__(
        self, streams: Sequence[str], query: Query, schema: Schema, now_ns: int, run: Run, documents: Documents
    ) -> None:
        """Aggregate what matches `query` in `streams`."""
        self._streams = streams
        self._query = query
        self._schema = schema
        self._now_ns = now_ns
        self._run = run
        self._documents = documents

    def answer(self, aggregations: Sequence[Aggregation]) -> dict[str, Any]:
        """Return `aggregations` of the answer. Raises `UserError` for a field that an aggregation cannot work on."""
        metrics = [one for one in aggregations if one.name and one.kind not in BUCKETS]
        out: dict[str, Any] = {}
        if metrics:
            found = self._matching()
            rows = self._rows(found, [], [metric(one, found) for one in metrics], None)
            out.update(rows.get((), (0, {}))[1])
        for one in aggregations:
            if one.kind in BUCKETS:
                out[one.name] = self._buckets(one, []).get((), _nothing(one))
        return {one.name: _meta(one, out[one.name]) for one in aggregations}

    def _matching(self) -> Matching:
        return matching(self._streams, self._query, self._schema, self._now_ns)

    def _buckets(self, about: Aggregation, path: list[_Level]) -> dict[Path, dict[str, Any]]:
        """Return the answer of one bucket aggregation for each combination of keys above it."""
        kind = _kind(about)
        found = self._matching()
        level = _Level(kind, set())
        rows = self._rows(found, [*path, level], [metric(one, found) for one in about.metrics], about)
        by_parent: dict[Path, dict[Any, tuple[int, dict[str, Any]]]] = {}
        for keys, counted in rows.items():
            by_parent.setdefault(keys[:-1], {})[keys[-1]] = counted
            level.kept.add(keys[-1])
        inner = [(one, self._buckets(one, [*path, level])) for one in about.buckets]
        if not path:
            by_parent.setdefault((), {})
        return {parent: _told(kind, parent, held, about, inner) for parent, held in by_parent.items()}

    def _rows(
        self, found: Matching, path: Sequence[_Level], metrics: Sequence[Metric], about: Aggregation | None
    ) -> dict[Path, tuple[int, dict[str, Any]]]:
        """Return count and metrics of each combination of keys on the path."""
        select = self._grouped(found, path, metrics)
        names = [*(f"g{index}" for index in range(len(path))), "n", "other"]
        width = sum(one.width for one in metrics)
        columns = [ResultColumn(name, "undefined") for name in (*names, *(f"m{index}" for index in range(width)))]
        rows = self._run(found.finished(select, columns), MAX_BUCKETS + 1)
        if len(rows) > MAX_BUCKETS:
            raise UserError(f"Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}]")
        out: dict[Path, tuple[int, dict[str, Any]]] = {}
        for row in rows:
            keys, count, other = row[: len(path)], row[len(path)], row[len(path) + 1]
            values = self._values(metrics, row[len(path) + 2 :], count)
            if about is not None and about.kind == "terms":
                values[_OTHER] = other
            out[tuple(keys)] = (count, values)
        return out

    def _values(self, metrics: Sequence[Metric], row: Sequence[Any], count: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        at = 0
        for one in metrics:
            answered = one.answer(row[at : at + one.width])
            at += one.width
            if one.about.kind == "top_hits":
                answered = self._documents(one.about, answered["places"], count)
            out[one.about.name] = _meta(one.about, answered)
        return out

    def _grouped(self, found: Matching, path: Sequence[_Level], metrics: Sequence[Metric]) -> exp.Select:
        """Return the SELECT of keys, count and metrics; of `terms` only the first buckets of each parent."""
        relation = found.relation
        for index, level in enumerate(path):
            key = level.kind.key(found)
            sql = exp.Anonymous(this="unnest", expressions=[key.sql]) if key.many else key.sql
            relation = replace(relation, sql=relation.wrapped(aliased(sql, f"#g{index}")))
        ready = exp.Select(expressions=[exp.Star()]).from_(nested(relation.sql), copy=False)
        for index, level in enumerate(path):
            ready = ready.where(_present(f"#g{index}", level, last=index == len(path) - 1), copy=False)
        chosen = [aliased(named(f"#g{index}"), f"g{index}") for index in range(len(path))]
        chosen += [aliased(exp.Count(this=exp.Star()), "n"), aliased(exp.Literal.number(0), "other")]
        columns = [column for one in metrics for column in one.columns]
        chosen += [aliased(column, f"m{index}") for index, column in enumerate(columns)]
        select = exp.Select(expressions=chosen).from_(nested(ready), copy=False)
        if path:
            select = select.group_by(*(named(f"#g{index}") for index in range(len(path))), copy=False)
        last = path[-1].kind if path else None
        if isinstance(last, Terms):
            return _ranked(select, last, len(path), metrics).limit(MAX_BUCKETS + 1, copy=False)
        return select.limit(MAX_BUCKETS + 1, copy=False)


_OTHER = "\0other"


def _present(name: str, level: _Level, *, last: bool) -> exp.Expression:
    test: exp.Expression = exp.Not(this=exp.Paren(this=exp.Is(this=named(name), expression=exp.Null())))
    if last or not isinstance(level.kind, Terms):
        return test
    return exp.In(this=named(name), expressions=[constant(key) for key in sorted(level.kept, key=str)] or [exp.Null()])


def _ranked(select: exp.Select, terms: Terms, depth: int, metrics: Sequence[Metric]) -> exp.Select:
    """Return the buckets of highest rank under each parent, with how many records the others hold."""
    parents = [named(f"g{index}") for index in range(depth - 1)]
    inner = exp.Select(expressions=[exp.Star()]).from_(nested(select), copy=False)
    if terms.least > 1:
        inner = inner.where(exp.GTE(this=named("n"), expression=exp.Literal.number(terms.least)), copy=False)
    keys = [_order(name, descending, terms, depth, metrics) for name, descending in terms.orders]
    rank = exp.Window(this=exp.RowNumber(), partition_by=parents, order=exp.Order(expressions=keys))
    total = exp.Window(this=exp.Sum(this=named("n")), partition_by=[parent.copy() for parent in parents])
    ranked = exp.Select(expressions=[exp.Star(), aliased(rank, "#rank"), aliased(total, "#total")])
    ranked = ranked.from_(nested(inner), copy=False)
    width = sum(one.width for one in metrics)
    shown = [named(f"g{index}") for index in range(depth)] + [named("n")]
    shown_exp: list[exp.Expression] = [*shown, aliased(exp.cast(named("#total"), "BIGINT"), "other")]
    shown_exp += [named(f"m{index}") for index in range(width)]
    out = exp.Select(expressions=shown_exp).from_(nested(ranked), copy=False)
    out = out.where(exp.LTE(this=named("#rank"), expression=exp.Literal.number(terms.size)), copy=False)
    return out.order_by(exp.Ordered(this=named("#rank")), copy=False)


def _order(name: str, descending: bool, terms: Terms, depth: int, metrics: Sequence[Metric]) -> exp.Ordered:
    if name in {"_count", "_key"}:
        column = named("n") if name == "_count" else named(f"g{depth - 1}")
        return exp.Ordered(this=column, desc=descending, nulls_first=False)
    wanted, _, part = name.partition(".")
    at = 0
    for one in metrics:
        if one.about.name == wanted:
            place = _part(one, part)
            return exp.Ordered(this=named(f"m{at + place}"), desc=descending, nulls_first=False)
        at += one.width
    raise UserError(
        f"Invalid aggregator order path [{name[:80]}]", hint=f"_count, _key or a metric of {terms.about.name!r}"
    )


def _part(one: Metric, part: str) -> int:
    if one.about.kind == "percentiles":
        return one.percents.index(float(part)) if part and float(part) in one.percents else 0
    names = ("count", "min", "max", "avg", "sum")
    return names.index(part) if one.about.kind in {"stats", "extended_stats"} and part in names else 0


def _meta(about: Aggregation, answered: dict[str, Any]) -> dict[str, Any]:
    return answered if about.meta is None else {"meta": about.meta, **answered}


def _nothing(about: Aggregation) -> dict[str, Any]:
    kind = _kind(about)
    if isinstance(kind, Choices) and kind.single:
        return {"doc_count": 0}
    return {"buckets": {} if kind.keyed else []}


def _empty(about: Aggregation) -> dict[str, Any]:
    """Return what an empty bucket says of the aggregations in it."""
    out: dict[str, Any] = {}
    for one in about.metrics:
        if one.kind == "top_hits":
            out[one.name] = {"hits": {"total": {"value": 0, "relation": "eq"}, "max_score": None, "hits": []}}
        elif one.kind in {"value_count", "cardinality", "sum"}:
            out[one.name] = {"value": 0}
        elif one.kind in {"stats", "extended_stats"}:
            out[one.name] = {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
        else:
            out[one.name] = {"values": {}} if one.kind == "percentiles" else {"value": None}
    for one in about.buckets:
        out[one.name] = _nothing(one)
    return out


def _told(
    kind: Buckets,
    parent: Path,
    held: dict[Any, tuple[int, dict[str, Any]]],
    about: Aggregation,
    inner: Sequence[tuple[Aggregation, dict[Path, dict[str, Any]]]],
) -> dict[str, Any]:
    """Return one parent's buckets as the answer shows them."""
    keys = list(kind.whole(list(held)))
    if isinstance(kind, DateHistogram | Histogram) and kind.least > 1:
        keys = [key for key in keys if held[key][0] >= kind.least]
    found: list[dict[str, Any]] = []
    other = 0
    for key in keys:
        count, values = held.get(key, (0, {}))
        shown = {name: value for name, value in values.items() if name != _OTHER}
        other = values.get(_OTHER, other)
        below = {one.name: _meta(one, answers[*parent, key]) for one, answers in inner if (*parent, key) in answers}
        found.append({**kind.told(key), "doc_count": count, **_empty(about), **shown, **below})
    if isinstance(kind, Choices) and kind.single:
        return found[0]
    out: dict[str, Any] = {}
    if isinstance(kind, Terms):
        counted = sum(bucket["doc_count"] for bucket in found)
        out = {"doc_count_error_upper_bound": 0, "sum_other_doc_count": max(0, other - counted)}
    if kind.keyed:
        return {**out, "buckets": {kind.name(key): bucket for key, bucket in zip(keys, found, strict=True)}}
    return {**out, "buckets": found}


def _kind(about: Aggregation) -> Buckets:
    """Return the bucket aggregation of its kind. Raises `UserError` for parameters that cannot be."""
    match about.kind:
        case "terms":
            return Terms(about)
        case "date_histogram":
            return DateHistogram(about)
        case "histogram":
            return Histogram(about)
        case "range" | "date_range":
            return Ranges(about)
        case _:
            return Choices(about, single=about.kind != "filters")
