"""`timechart [span=] [limit=] [useother=] [timefield=] <aggregate> [by <field>]`: one aggregate over time.

A row per bucket and value of the field, in that order; beyond `limit` values (by the sum of the aggregate) the others
are one, `OTHER`; rows without a value are `NULL`.

Arguments:
    span: the size of a bucket, 1m if not said
    limit: how many series, 10 if not said; 0 for all
    useother: false to leave the others out
    timefield: the field of time, @timestamp if not said
    aggregate: an aggregate function, also per_second, per_minute, per_hour, per_day
    by: the field that makes series

Example:
    source=logs | timechart span=5m count() by severityText
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, coerce, lexer, printer, spans
from treering.query.aggregates import RATES, Aggregate
from treering.query.commands.head import positive
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Column, Order, Relation, aliased, named
from treering.query.scope import Scope
from treering.query.syntax import Name, Span
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser

NAMES = ("timechart",)
LIMIT = 10
OTHER, NULL = "OTHER", "NULL"


@dataclass(frozen=True, slots=True)
class Timechart:
    """The aggregate, its buckets, and the field it is split by."""

    aggregate: Aggregate
    by: Name | None = None
    span: tuple[str, str] = ("1", "m")
    limit: int = LIMIT
    use_other: bool = True
    time_field: str = "@timestamp"

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["timechart", f"span={''.join(self.span)}"]
        if self.limit != LIMIT:
            parts.append(f"limit={self.limit}")
        if not self.use_other:
            parts.append("useother=false")
        if self.time_field != "@timestamp":
            parts.append(f"timefield={lexer.quote(self.time_field)}")
        parts.append(self.aggregate.print())
        if self.by is not None:
            parts.append(f"by {printer.expression(self.by)}")
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by bucket and field, then fold what lies beyond the limit."""
        scope = Scope(relation, compiler)
        time = Name(self.time_field, place=self.aggregate.place)
        bucket = scope.typed(Span(time, *self.span, place=self.aggregate.place))
        keys = [(self.time_field, bucket)]
        if self.by is not None:
            keys.append((self.by.name, scope.typed(self.by)))
        value = self._value(relation, compiler, bucket)
        having = self._some(relation, compiler) if self.aggregate.name in RATES else None
        relation = grouped(relation, compiler, [(self.aggregate.column, value)], keys, [0], having)
        columns = list(relation.columns.items())
        relation = replace(relation, columns=dict([*columns[1:], columns[0]]))
        if self.by is None or self.limit == 0:
            return relation
        return self._folded(relation, compiler)

    def _value(self, relation: Relation, compiler: Compiler, bucket: Typed) -> Typed:
        per = RATES.get(self.aggregate.name)
        if per is None:
            return aggregates.lower(self.aggregate, relation, compiler)
        total = aggregates.lower(replace(self.aggregate, name="sum"), relation, compiler)
        amount, unit = self.span
        if spans.canonical(unit) in {"M", "q", "y"}:
            months = exp.Literal.number(round(float(amount) * {"M": 1, "q": 3, "y": 12}[spans.canonical(unit) or "M"]))
            start = exp.Anonymous(this="any_value", expressions=[coerce.sql_cast(bucket.sql.copy(), "TIMESTAMP")])
            step = exp.Anonymous(this="to_months", expressions=[coerce.sql_cast(months, "INTEGER")])
            end = exp.Paren(this=exp.Add(this=start, expression=step))
            epoch = [exp.Anonymous(this="epoch", expressions=[part]) for part in (end, start.copy())]
            seconds: exp.Expression = exp.Paren(this=exp.Sub(this=epoch[0], expression=epoch[1]))
        else:
            seconds = exp.Literal.number(repr(spans.length_ns(amount, unit) / 1e9))
        scaled = exp.Mul(this=coerce.sql_cast(total.sql, Type.DOUBLE), expression=exp.Literal.number(per))
        return Typed(exp.Div(this=exp.Paren(this=scaled), expression=seconds, typed=False), Type.DOUBLE)

    def _some(self, relation: Relation, compiler: Compiler) -> exp.Expression:
        """A rate of nothing is no row."""
        count = aggregates.lower(replace(self.aggregate, name="count"), relation, compiler)
        return exp.GT(this=count.sql, expression=exp.Literal.number(0))

    def _folded(self, relation: Relation, compiler: Compiler) -> Relation:
        """Name the series beyond the limit alike and aggregate again."""
        (time_name, time), (split_name, split), (value_name, value) = relation.columns.items()
        ranked, text, rank = _ranked(relation, compiler, split, value)
        kept = exp.LTE(this=rank, expression=exp.Literal.number(self.limit))
        missing = exp.Is(this=text, expression=exp.Null())
        if not self.use_other:
            present = aggregates.present(text)
            ranked = ranked.where(exp.And(this=present, expression=kept.copy()))
        label = exp.Case(
            ifs=[exp.If(this=missing, true=exp.Literal.string(NULL)), exp.If(this=kept, true=text.copy())],
            default=exp.Literal.string(OTHER),
        )
        again = exp.Anonymous(this=AGAIN.get(self.aggregate.name, "sum"), expressions=[value.raw])
        values = [(value_name, Typed(coerce.sql_cast(again, value.type), value.type))]
        keys = [(time_name, Typed(time.raw, time.type)), (split_name, Typed(label, Type.STRING))]
        final = grouped(ranked, compiler, values, keys, [])
        columns = list(final.columns.items())
        order = [Order(columns[1][1], nulls_first=False), Order(columns[2][1], nulls_first=False)]
        return replace(final, columns=dict([*columns[1:], columns[0]]), order=tuple(order))


AGAIN = {"min": "min", "earliest": "min", "max": "max", "latest": "max", "avg": "avg"}


def _ranked(
    relation: Relation, compiler: Compiler, split: Column, value: Column
) -> tuple[Relation, exp.Expression, exp.Expression]:
    """Return the relation with the series' names as text and their rank by the sum of their values."""
    text, total, rank = compiler.fresh(), compiler.fresh(), compiler.fresh()
    as_text = coerce.text_of(Typed(split.raw, split.type))
    of_series = exp.Window(this=exp.Anonymous(this="sum", expressions=[value.raw]), partition_by=[split.raw])
    relation = replace(relation, sql=relation.wrapped(aliased(as_text, text), aliased(of_series, total)))
    keys = [
        exp.Ordered(this=exp.Paren(this=exp.Is(this=named(text), expression=exp.Null()))),
        exp.Ordered(this=named(total), desc=True, nulls_first=False),
        exp.Ordered(this=named(text), nulls_first=True),
    ]
    number = exp.Window(this=exp.Anonymous(this="dense_rank", expressions=[]), order=exp.Order(expressions=keys))
    return replace(relation, sql=relation.wrapped(aliased(number, rank))), named(text), named(rank)


def parse(parser: Parser) -> Timechart:
    """Read what follows `timechart`."""
    options: dict[str, object] = {}
    _options(parser, options)
    aggregate = aggregates.parse(parser)
    by = parser.field() if parser.word("by") else None
    _options(parser, options)
    return Timechart(aggregate, by, **options)  # type: ignore[arg-type]


def _options(parser: Parser, found: dict[str, object]) -> None:
    while option := parser.option("span", "limit", "useother", "timefield"):
        match option:
            case "span":
                found["span"] = spans.size(parser)
            case "limit":
                found["limit"] = positive(parser, "the number of series")
            case "useother":
                found["use_other"] = parser.expect_word("true", "false", "t", "f") in {"true", "t"}
            case _:
                quoted = parser.peek().kind is Kind.STRING
                found["time_field"] = parser.take().value if quoted else parser.field().name
