"""`top [<count>] [countfield=] [showcount=] [usenull=] <field>, … [by <field>, …]`: the most frequent values.

Arguments:
    count: how many values, 10 if not said
    countfield: the name of the column of counts, count if not said
    showcount: false to leave counts out
    usenull: false to leave nulls out
    field: the values that are counted
    by: what makes a group

Example:
    source=logs | top 3 serviceName by severityText
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import hashorder, lexer, listed, printer
from treering.query.commands.head import positive
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Column, Order, aliased, named
from treering.query.scope import Scope, column_value
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("top",)
DEFAULT = 10


@dataclass(frozen=True, slots=True)
class Top:
    """The fields whose combinations are counted, per combination of `by`."""

    names: tuple[Name, ...]
    by: tuple[Name, ...] = ()
    count: int = DEFAULT
    count_field: str = "count"
    show_count: bool = True
    use_null: bool = True

    word: ClassVar[str] = "top"
    descending: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [self.word, str(self.count)]
        if self.count_field != "count":
            parts.append(f"countfield={lexer.quote(self.count_field)}")
        if not self.show_count:
            parts.append("showcount=false")
        if not self.use_null:
            parts.append("usenull=false")
        parts.append(", ".join(map(printer.expression, self.names)))
        if self.by:
            parts.append(f"by {', '.join(map(printer.expression, self.by))}")
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Count the combinations and keep the first of each group; values break ties in ascending order."""
        scope = Scope(relation, compiler)
        if self.count_field in relation.columns:
            raise UserError(f"the field {self.count_field!r} exists", hint="name another one with countfield='…'")
        keys = [
            (name.name, hashorder.printed(scope.typed(name), compiler.column(relation, name.name)))
            for name in (*self.by, *self.names)
        ]
        if relation.indexed:
            relation, items = listed.apart(relation, (*self.by, *self.names), compiler)
            keys = [(name, items.get(place, value)) for place, (name, value) in enumerate(keys)]
        count = Typed(exp.Count(this=exp.Star()), Type.BIGINT)
        required = [] if self.use_null else list(range(len(keys)))
        relation = grouped(relation, compiler, [(self.count_field, count)], keys, required)
        columns = list(relation.columns.items())
        total, outer, inner = columns[0], columns[1 : 1 + len(self.by)], columns[1 + len(self.by) :]
        relation, tied = _documents(relation, [column for _, column in inner], compiler)
        ranked = [Order(total[1], self.descending, not self.descending), *tied]
        ranked += [Order(column, nulls_first=bool(outer)) for _, column in inner if SQL[column.type] != "JSON"]
        number = exp.Window(
            this=exp.RowNumber(),
            partition_by=[column.raw for _, column in outer],
            order=exp.Order(expressions=[order.sql() for order in ranked]),
        )
        ref, place = compiler.fresh(), compiler.fresh()
        bucket = hashorder.of_partitions([column_value(column) for _, column in outer]) if outer else None
        relation = replace(
            relation, sql=relation.wrapped(aliased(number, ref), aliased(bucket or exp.Literal.number(0), place))
        )
        relation = relation.where(exp.LTE(this=named(ref), expression=exp.Literal.number(self.count)))
        shown = [*outer, *inner, *([total] if self.show_count else [])]
        # The groups come in the order of a hash table, those of one bucket ascending.
        order = [Order(Column(place, Type.BIGINT)), *(Order(column) for _, column in outer), *ranked]
        return replace(relation.ordered(order), columns=dict(shown))


def _documents(relation: Relation, keys: list[Column], compiler: Compiler) -> tuple[Relation, list[Order]]:
    """Return the relation and what orders groups of documents, which the index cannot make: a hash table."""
    if not any(SQL[key.type] == "JSON" for key in keys):
        return relation, []
    number = exp.Window(this=exp.Count(this=exp.Star()))
    place = hashorder.bucket([column_value(key) for key in keys], number, start=1)
    if place is None:
        return relation, []
    ref = compiler.fresh()
    return replace(relation, sql=relation.wrapped(aliased(place, ref))), [Order(Column(ref, Type.BIGINT))]


def parse(parser: Parser) -> Top:
    """Read what follows `top`."""
    return read(parser, Top)


def read(parser: Parser, kind: type[Top]) -> Top:
    """Read what follows `top` or `rare`."""
    count, count_field, show_count, use_null = DEFAULT, "count", True, True
    if parser.option("limit") or parser.peek().kind is Kind.NUMBER or parser.peek().is_op("-"):
        count = positive(parser, "the number of values")
    while option := parser.option("countfield", "showcount", "usenull"):
        match option:
            case "countfield":
                count_field = parser.take().value
            case "showcount":
                show_count = parser.boolean()
            case _:
                use_null = parser.boolean()
    names = parser.names("by")
    by = parser.names() if parser.word("by") else ()
    return kind(names, by, count, count_field, show_count, use_null)
