"""Metrics of a bucket: their SQL over the bucket's records, and their shape in the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.coerce import sql_cast
from treering.query.dsl.instants import MILLISECOND, formatted
from treering.query.dsl.leaves import constant, items
from treering.query.dsl.request import MAX_WINDOW, SortKey, sort_keys
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.dsl.aggregations import Aggregation
    from treering.query.dsl.relations import Matching

PERCENTS = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
MOST_HITS = 100
_PARTS = {
    "value_count": ("count",),
    "min": ("min",),
    "max": ("max",),
    "avg": ("avg",),
    "sum": ("sum",),
    "stats": ("count", "min", "max", "avg", "sum"),
    "extended_stats": ("count", "min", "max", "avg", "sum", "sum_of_squares", "var_pop", "var_samp"),
}


@dataclass(slots=True)
class Metric:
    """One metric over matching records; `width` is how many SQL columns it takes."""

    about: Aggregation
    columns: tuple[exp.Expression, ...]
    is_time: bool = False
    percents: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many SQL columns it takes."""
        return len(self.columns)

    def answer(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the metric as `_search` answers it; `top_hits` gives the places of its documents."""
        kind = self.about.kind
        numbers = [self._plain(value) for value in values]
        if kind == "top_hits":
            return {"places": msgspec.json.decode(values[0]) if values[0] else []}
        if kind == "percentiles":
            return self._percentiles(numbers)
        if kind not in {"stats", "extended_stats"}:
            return self._single(numbers[0])
        out = dict(zip(_PARTS["stats"], numbers, strict=False))
        if self.is_time:
            texts = {
                f"{name}_as_string": self._text(value) for name, value in out.items() if name in {"min", "max", "avg"}
            }
            out.update({name: text for name, text in texts.items() if text is not None})
        return {**out, **self._spread(numbers)} if kind == "extended_stats" else out

    def value(self, values: Sequence[Any], part: str) -> float:
        """Return the number that buckets are ordered by; `part` names one of several (`avg`, `95`)."""
        answer = self.answer(values)
        if self.about.kind == "percentiles":
            found = answer["values"].get(_percent(float(part or 50)))
        elif self.about.kind in {"stats", "extended_stats"}:
            found = answer.get(part or "avg")
        else:
            found = answer.get("value")
        return -math.inf if found is None else float(found)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value / MILLISECOND if self.is_time and isinstance(value, int | float) else value

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None
        return formatted(round(value * MILLISECOND), str(self.about.params.get("format", "")))

    def _single(self, value: Any) -> dict[str, Any]:
        if self.about.kind in {"value_count", "cardinality"}:
            return {"value": int(value or 0)}
        if self.is_time and value is not None:
            return {"value": value, "value_as_string": self._text(value)}
        return {"value": value}

    def _percentiles(self, numbers: Sequence[Any]) -> dict[str, Any]:
        found = {_percent(percent): value for percent, value in zip(self.percents, numbers, strict=True)}
        if self.about.params.get("keyed", True):
            return {"values": found}
        return {"values": [{"key": float(key), "value": value} for key, value in found.items()]}

    def _spread(self, numbers: Sequence[Any]) -> dict[str, Any]:
        average, squares, population, sample = numbers[3], numbers[5], numbers[6], numbers[7]
        sigma = float(self.about.params.get("sigma", 2))
        deviation = None if population is None else math.sqrt(population)
        far = None if deviation is None else sigma * deviation
        return {
            "sum_of_squares": squares,
            "variance": population,
            "variance_population": population,
            "variance_sampling": sample,
            "std_deviation": deviation,
            "std_deviation_population": deviation,
            "std_deviation_sampling": None if sample is None else math.sqrt(sample),
            "std_deviation_bounds": {
                "upper": None if far is None or average is None else average + far,
                "lower": None if far is None or average is None else average - far,
            },
        }


def _percent(value: float) -> str:
    return f"{value:.1f}" if value == int(value) else repr(value)


def metric(about: Aggregation, found: Matching) -> Metric:
    """Return the metric over the records `found`. Raises `UserError` for a field it cannot work on."""
    if about.kind == "top_hits":
        return Metric(about, (_top(about.params, found),))
    name = str(about.params.get("field", ""))
    column = found.column(name)
    if column is None:
        kind = "percentiles" if about.kind == "percentiles" else about.kind
        nothing = sql_cast(exp.Null(), Type.DOUBLE)
        percents = _percents(about.params) if kind == "percentiles" else ()
        width = len(percents) or len(_PARTS.get(kind, ("",)))
        zero = exp.Literal.number(0)
        first = zero if kind in {"value_count", "cardinality", "stats", "extended_stats"} else nothing
        return Metric(about, (first, *(nothing.copy() for _ in range(width - 1))), percents=percents)
    value = found.value(name)
    assert value is not None
    if about.kind in {"cardinality", "value_count"}:
        sql = items(column) if column.many else value.sql
        return Metric(about, (_counted(sql, about.kind, many=column.many),))
    is_time = value.type in coerce.INSTANTS
    if not is_time and value.type not in coerce.NUMBERS:
        raise UserError(f"Field [{name[:80]}] of type [{value.type}] is not supported for aggregation [{about.kind}]")
    sql = coerce.instant_ns(value) if is_time else value.sql
    if (missing := about.params.get("missing")) is not None:
        sql = exp.Coalesce(this=sql, expressions=[constant(missing)])
    if about.kind == "percentiles":
        percents = _percents(about.params)
        return Metric(about, tuple(_quantile(sql, percent) for percent in percents), is_time, percents)
    return Metric(about, tuple(_part(name, sql) for name in _PARTS[about.kind]), is_time)


def _counted(sql: exp.Expression, kind: str, *, many: bool) -> exp.Expression:
    if kind == "value_count":
        if many:
            return exp.Anonymous(this="sum", expressions=[exp.Anonymous(this="len", expressions=[sql])])
        return exp.Count(this=sql)
    if many:
        flat = exp.Anonymous(this="flatten", expressions=[exp.Anonymous(this="list", expressions=[sql])])
        return exp.Anonymous(this="list_unique", expressions=[flat])
    return exp.Count(this=exp.Distinct(expressions=[sql]))


def _part(name: str, sql: exp.Expression) -> exp.Expression:
    if name == "count":
        return exp.Count(this=sql.copy())
    number = sql_cast(sql.copy(), Type.DOUBLE)
    if name == "sum_of_squares":
        return exp.Anonymous(this="sum", expressions=[exp.Mul(this=number, expression=number.copy())])
    found = exp.Anonymous(this=name, expressions=[number])
    return exp.Coalesce(this=found, expressions=[exp.Literal.number(0)]) if name == "sum" else found


def _percents(params: Mapping[str, Any]) -> tuple[float, ...]:
    found = params.get("percents", PERCENTS)
    try:
        percents = tuple(float(one) for one in found)
    except (TypeError, ValueError) as error:
        raise UserError("[percents] is a list of numbers") from error
    if not percents or not all(0 <= one <= 100 for one in percents) or len(percents) > 100:
        raise UserError("[percents] are numbers from 0 to 100")
    return percents


def _quantile(sql: exp.Expression, percent: float) -> exp.Expression:
    number = sql_cast(sql.copy(), Type.DOUBLE)
    return exp.Anonymous(this="quantile_cont", expressions=[number, exp.Literal.number(repr(percent / 100))])


def _top(params: Mapping[str, Any], found: Matching) -> exp.Expression:
    """Return the places of a bucket's first documents, as a JSON list of [index, _seq, _id]."""
    size, start = params.get("size", 3), params.get("from", 0)
    if not isinstance(size, int) or not isinstance(start, int) or not 0 <= size <= MOST_HITS or start < 0:
        raise UserError(f"[size] of top_hits is a number up to {MOST_HITS}")
    if start + size > MAX_WINDOW:
        raise UserError(f"[from] of top_hits is at most {MAX_WINDOW}")
    sequence, metadata = found.relation.sequence, found.relation.metadata
    assert sequence is not None
    place = exp.Anonymous(this="json_array", expressions=[metadata["_index"].raw, sequence.raw, metadata["_id"].raw])
    keys = [*(_order(key, found) for key in sort_keys(params.get("sort"))), exp.Ordered(this=sequence.raw)]
    listed = exp.Anonymous(this="list", expressions=[exp.Order(this=place, expressions=keys)])
    bounds = [listed, exp.Literal.number(start + 1), exp.Literal.number(start + size)]
    cut = exp.Anonymous(this="list_slice", expressions=bounds)
    return sql_cast(exp.Anonymous(this="to_json", expressions=[cut]), "VARCHAR")


def _order(key: SortKey, found: Matching) -> exp.Ordered:
    column = found.column(key.field)
    if column is None:
        return exp.Ordered(this=exp.Literal.number(0))
    return exp.Ordered(this=column.raw, desc=key.descending, nulls_first=not key.missing_last)
