"""`trendline [sort [+|-] <field>] (sma|wma)(<points>, <field>) [as <name>] …`: moving averages over the rows.

`sma` weighs all points of the window alike, `wma` the i-th of n with i (the newest most). Rows without a value are
left out; the first rows, with too few before them, have no average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, coerce, lexer, printer
from treering.query.commands import sort
from treering.query.commands.dedup import stored_order
from treering.query.function import Typed
from treering.query.scope import Scope
from treering.query.template import sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("trendline",)
_KINDS = ("sma", "wma")
_WEIGHTED = "list_sum(list_transform(:listed, lambda v, i: CAST(v AS DOUBLE) * i)) / :total"


@dataclass(frozen=True, slots=True)
class Average:
    """A moving average of `name` over `points` rows, and its column."""

    kind: str
    points: int
    name: Name
    column: str

    def print(self) -> str:
        """Return the average as PPL."""
        return f"{self.kind}({self.points}, {printer.expression(self.name)}) as {lexer.name(self.column)}"


@dataclass(frozen=True, slots=True)
class Trendline:
    """The averages, and the key by which the rows are sorted first."""

    averages: tuple[Average, ...]
    key: sort.Key | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        key = f"sort {self.key.print()} " if self.key is not None else ""
        return f"trendline {key}{' '.join(average.print() for average in self.averages)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Sort, leave out the nulls, then add the averages."""
        if self.key is not None:
            relation = sort.Sort((self.key,)).lower(relation, compiler)
        for average in self.averages:
            relation = relation.where(aggregates.present(_value(average, relation, compiler)))
        order = exp.Order(expressions=relation.keys()) if relation.keys() else None
        values = {
            average.column: _moving(average, _value(average, relation, compiler), order) for average in self.averages
        }
        return stored_order(compiler.extended(relation, values))


def _value(average: Average, relation: Relation, compiler: Compiler) -> exp.Expression:
    value = Scope(relation, compiler).typed(average.name)
    if value.type not in coerce.NUMBERS:
        where = compiler.where(average.name.place)
        raise UserError(f"{average.kind} works on numbers, {average.name.name!r} is {value.type}", where=where)
    return value.sql


def _moving(average: Average, value: exp.Expression, order: exp.Order | None) -> Typed:
    def window(function: exp.Expression) -> exp.Window:
        frame = exp.WindowSpec(
            kind="ROWS", start=exp.Literal.number(average.points - 1), start_side="PRECEDING", end="CURRENT ROW"
        )
        return exp.Window(this=function, order=order.copy() if order is not None else None, spec=frame)

    count = window(exp.Count(this=exp.Star()))
    if average.kind == "sma":
        mean: exp.Expression = window(exp.Anonymous(this="avg", expressions=[coerce.sql_cast(value, Type.DOUBLE)]))
    else:
        listed = window(exp.Anonymous(this="list", expressions=[value]))
        total = exp.Literal.number(average.points * (average.points + 1) // 2)
        mean = sql(_WEIGHTED, listed=listed, total=total)
    full = exp.EQ(this=count, expression=exp.Literal.number(average.points))
    return Typed(exp.Case(ifs=[exp.If(this=full, true=mean)]), Type.DOUBLE)


def parse(parser: Parser) -> Trendline:
    """Read what follows `trendline`."""
    key = sort.key(parser) if parser.word("sort") else None
    averages = [_average(parser)]
    while not parser.at_end():
        parser.op(",")
        averages.append(_average(parser))
    return Trendline(tuple(averages), key)


def _average(parser: Parser) -> Average:
    kind = parser.expect_word(*_KINDS)
    parser.expect_op("(")
    start = parser.peek().start
    points = parser.integer("the number of points")
    if points < 1:
        raise UserError("the number of points must be at least 1", where=parser.where((start, parser.last_end)))
    parser.expect_op(",")
    name = parser.field()
    parser.expect_op(")")
    column = parser.field().name if parser.word("as") else f"{name.name}_trendline"
    return Average(kind, points, name, column)
