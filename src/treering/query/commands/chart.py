"""`chart [<options>] <aggregate> [over <field>] [by <field>]`: one aggregate per row value and per column value.

Beyond `limit` values of the column (by the sum of the aggregate) the others are one; its nulls are one too.

Syntax:
    chart [limit=<n>] [useother=] [usenull=] [otherstr=] [nullstr=] <aggregate> [over <field>] [by <field>]

Arguments:
    limit: how many columns: top5, bottom5 or 5; top10 if not said
    useother: false to leave the others out
    usenull: false to leave nulls out
    otherstr: the name of the others' column, OTHER if not said
    nullstr: the name of the nulls' column, NULL if not said
    over: the field of the rows
    by: the field of the columns

Example:
    source=logs | chart limit=top5 count() over severityText by serviceName
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, coerce, lexer, spans
from treering.query.aggregates import Aggregate
from treering.query.commands.head import positive
from treering.query.commands.stats import grouped
from treering.query.commands.timechart import AGAIN
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Column, Order, Relation, aliased, named
from treering.query.scope import Scope
from treering.query.syntax import Name, Span
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Node

NAMES = ("chart",)
LIMIT = 10
_PLAIN = re.compile(r"@?[^\W\d][\w\-]*(?<!-)")


@dataclass(frozen=True, slots=True)
class Key:
    """A field, the size of its buckets ("" for none), and the name of its column."""

    name: Name
    span: tuple[str, str]
    column: str

    def print(self) -> str:
        """Return the key as PPL."""
        quoted = self.column.startswith("`")
        text = f"`{self.name.name.replace('`', '``')}`" if quoted else _bare(self.name.name)
        return text + (f" span={''.join(self.span)}" if self.span[0] else "")

    def node(self) -> Node:
        """Return the key as an expression."""
        return Span(self.name, *self.span, place=self.name.place) if self.span[0] else self.name


@dataclass(frozen=True, slots=True)
class Chart:
    """The aggregate, the keys of rows and columns, and what becomes of rare columns and of nulls."""

    aggregate: Aggregate
    row: Key | None = None
    column: Key | None = None
    limit: int = LIMIT
    bottom: bool = False
    use_other: bool = True
    use_null: bool = True
    other: str = "OTHER"
    null: str = "NULL"

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["chart"]
        if self.limit != LIMIT or self.bottom:
            parts.append(f"limit={'bottom' if self.bottom else 'top'}{self.limit}")
        parts += ["useother=false"] if not self.use_other else []
        parts += ["usenull=false"] if not self.use_null else []
        parts += [f"otherstr={lexer.quote(self.other)}"] if self.other != "OTHER" else []
        parts += [f"nullstr={lexer.quote(self.null)}"] if self.null != "NULL" else []
        parts.append(self.aggregate.print())
        parts += [f"over {self.row.print()}"] if self.row is not None else []
        parts += [f"by {self.column.print()}"] if self.column is not None else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by both keys, then fold what lies beyond the limit."""
        scope = Scope(relation, compiler)
        keys = [(key.column, scope.typed(key.node())) for key in (self.row, self.column) if key is not None]
        value = aggregates.lower(self.aggregate, relation, compiler)
        required = [0] if keys else []
        if self.column is not None and not self.use_null:
            required.append(1)
        found = grouped(relation, compiler, [(self.aggregate.column, value)], keys, required)
        found = found.where(aggregates.present(found.columns[self.aggregate.column].raw))
        items = list(found.columns.items())
        found = replace(found, columns=dict([*items[1:], items[0]]))
        return self._folded(found, compiler) if self.column is not None else found

    def _folded(self, relation: Relation, compiler: Compiler) -> Relation:
        (row_name, row), (split_name, split), (value_name, value) = relation.columns.items()
        ranked, text, rank = self._ranked(relation, compiler, split, value)
        missing = exp.Is(this=text, expression=exp.Null())
        ifs = [exp.If(this=missing, true=exp.Literal.string(self.null))]
        default: exp.Expression = text.copy()
        if self.limit:
            kept = exp.LTE(this=rank, expression=exp.Literal.number(self.limit))
            if not self.use_other:
                ranked = ranked.where(exp.Or(this=exp.Paren(this=missing.copy()), expression=kept.copy()))
            ifs.append(exp.If(this=kept, true=text.copy()))
            default = exp.Literal.string(self.other)
        label = exp.Case(ifs=ifs, default=default)
        again = exp.Anonymous(this=AGAIN.get(self.aggregate.name, "sum"), expressions=[value.raw])
        values = [(value_name, Typed(coerce.sql_cast(again, value.type), value.type))]
        keys = [(row_name, Typed(row.raw, row.type)), (split_name, Typed(label, Type.STRING))]
        final = grouped(ranked, compiler, values, keys, [])
        items = list(final.columns.items())
        order = [Order(items[1][1]), Order(items[2][1])]
        return replace(final, columns=dict([*items[1:], items[0]]), order=tuple(order))

    def _ranked(
        self, relation: Relation, compiler: Compiler, split: Column, value: Column
    ) -> tuple[Relation, exp.Expression, exp.Expression]:
        """Return the relation with the columns' names as text and their rank by the sum of their values."""
        text, total, rank = compiler.fresh(), compiler.fresh(), compiler.fresh()
        as_text = coerce.text_of(Typed(split.raw, split.type))
        summed = exp.Anonymous(this="sum", expressions=[value.raw])
        of_column = exp.Window(this=summed, partition_by=[split.raw])
        relation = replace(relation, sql=relation.wrapped(aliased(as_text, text), aliased(of_column, total)))
        keys = [
            exp.Ordered(this=exp.Paren(this=exp.Is(this=named(text), expression=exp.Null()))),
            exp.Ordered(this=named(total), desc=not self.bottom, nulls_first=False),
            exp.Ordered(this=named(text), nulls_first=True),
        ]
        number = exp.Window(this=exp.Anonymous(this="dense_rank", expressions=[]), order=exp.Order(expressions=keys))
        return replace(relation, sql=relation.wrapped(aliased(number, rank))), named(text), named(rank)


_OPTIONS = ("limit", "useother", "usenull", "otherstr", "nullstr")


def parse(parser: Parser) -> Chart:
    """Read what follows `chart`; options may stand before and after the rest."""
    options: dict[str, object] = {}
    _options(parser, options)
    aggregate = aggregates.parse(parser)
    row = column = None
    if parser.word("over"):
        row = _key(parser)
    if parser.word("by"):
        first = _key(parser)
        if row is not None:
            column = first
        else:
            row = first
            if parser.op(",") or not (parser.at_end() or parser.peek().is_word(*_OPTIONS)):
                column = _key(parser)
    _options(parser, options)
    return Chart(aggregate, row, column, **options)  # type: ignore[arg-type]


def _key(parser: Parser) -> Key:
    quoted = parser.peek().kind is Kind.QUOTED
    name = parser.field()
    # The engine names the column after the text, quotes included.
    column = f"`{name.name}`" if quoted else name.name
    return Key(name, spans.size(parser) if parser.option("span") else ("", ""), column)


def _bare(name: str) -> str:
    """Return a name with backticks only where a step needs them: around the whole they would be part of the column."""
    return ".".join(step if _PLAIN.fullmatch(step) else lexer.name(step) for step in name.split("."))


def _options(parser: Parser, found: dict[str, object]) -> None:
    while option := parser.option(*_OPTIONS):
        match option:
            case "limit":
                _limit(parser, found)
            case "useother":
                found["use_other"] = parser.expect_word("true", "false", "t", "f") in {"true", "t"}
            case "usenull":
                found["use_null"] = parser.expect_word("true", "false", "t", "f") in {"true", "t"}
            case _:
                if parser.peek().kind is not Kind.STRING:
                    parser.fail("expected a text between quotes")
                found["other" if option == "otherstr" else "null"] = parser.take().value


def _limit(parser: Parser, found: dict[str, object]) -> None:
    following = parser.peek()
    word = following.value.lower()
    for side in ("top", "bottom"):
        if following.kind is Kind.NAME and word.startswith(side):
            parser.take()
            rest = word.removeprefix(side)
            found["bottom"] = side == "bottom"
            found["limit"] = int(rest) if rest.isdecimal() else positive(parser, "the number of columns")
            return
    found["limit"] = positive(parser, "the number of columns")
