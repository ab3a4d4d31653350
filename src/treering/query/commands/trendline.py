"""`trendline [sort [+|-] <field>] sma(<n>, <field>) [as <name>] wma(…) …`: moving averages, plain or weighted.

Rows where a field is null are left out; the first n - 1 rows have no average (manual: cmd/trendline).

Arguments:
    sort: the order of the rows
    sma: a moving average of n rows
    wma: the same, the newer the heavier
    as: the name of the column

Example:
    source=logs | trendline sort @timestamp sma(5, durationInNanos) as trend
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, lexer, printer, windows
from treering.query.coerce import NUMBERS, sql_cast
from treering.query.commands.sort import Key, Sort
from treering.query.function import Typed
from treering.query.scope import Scope
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("trendline",)


@dataclass(frozen=True, slots=True)
class Average:
    """A moving average: `sma` or `wma`, over so many rows, of a field, under a name."""

    kind: str
    count: int
    name: Name
    column: str

    def print(self) -> str:
        """Return the average as PPL."""
        return f"{self.kind}({self.count}, {printer.expression(self.name)}) as {lexer.name(self.column)}"


@dataclass(frozen=True, slots=True)
class Trendline:
    """The averages, and what the rows are sorted by first."""

    averages: tuple[Average, ...]
    sort: Key | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        sort = f"sort {self.sort.print()} " if self.sort is not None else ""
        return f"trendline {sort}{' '.join(average.print() for average in self.averages)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows and add one column per average."""
        if self.sort is not None:
            relation = Sort((self.sort,)).lower(relation, compiler)
        scope = Scope(relation, compiler)
        for average in self.averages:
            value = scope.typed(average.name)
            if value.type not in NUMBERS:
                where = compiler.where(average.name.place)
                raise UserError(f"trendline works on numbers, not on {value.type}", where=where)
            relation = relation.where(aggregates.present(value.sql))
        relation, number = windows.numbered(relation, compiler)
        found = {each.column: _moving(each, scope, number) for each in self.averages}
        return windows.shuffled(compiler.extended(relation, found))


def _moving(average: Average, scope: Scope, number: Column) -> Typed:
    value = sql_cast(scope.typed(average.name).sql, Type.DOUBLE)
    window = windows.window((), number.raw, back=average.count - 1)
    if average.kind == "sma":
        found = windows.over(exp.Anonymous(this="avg", expressions=[value]), window)
    else:
        rows = windows.over(exp.Anonymous(this="list", expressions=[value]), window)
        weights = average.count * (average.count + 1) // 2
        found = sql("list_sum(list_transform(:x, lambda v, i: v * i)) / :n", x=rows, n=literal(weights))
    full = sql("CASE WHEN :i >= :n THEN :x END", i=number.raw, n=literal(average.count), x=found)
    return Typed(full, Type.DOUBLE)


def parse(parser: Parser) -> Trendline:
    """Read what follows `trendline`."""
    sort = None
    if parser.word("sort"):
        sign = parser.op("+", "-")
        sort = Key(parser.field(), sign == "-")
    found = [_average(parser)]
    while parser.op(",") or not parser.at_end():
        found.append(_average(parser))
    return Trendline(tuple(found), sort)


def _average(parser: Parser) -> Average:
    start = parser.peek().start
    kind = parser.expect_word("sma", "wma")
    parser.expect_op("(")
    count = parser.integer("the number of rows")
    parser.expect_op(",")
    name = parser.field()
    parser.expect_op(")")
    if count < 1:
        raise UserError("an average needs at least one row", where=parser.where((start, parser.last_end)))
    column = parser.field().name if parser.word("as") else f"{name.name}_trendline"
    return Average(kind, count, name, column)
