"""`appendcol [override=<boolean>] [ <commands> ]`: columns of a second query on the same streams, row beside row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, output, printer, unions
from treering.query.commands.search import Search
from treering.query.expressions import subsearch
from treering.query.function import Typed
from treering.query.relation import Column, aliased, nested
from treering.query.syntax import Pipeline
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("appendcol",)


@dataclass(frozen=True, slots=True)
class Appendcol:
    """The commands, and whether their columns replace columns of the same name."""

    pipeline: Pipeline
    override: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        return f"appendcol {'override=true ' if self.override else ''}[ {printer.pipeline(self.pipeline)} ]"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows of both sides in their order and join them by the number."""
        first = compiler.beginning
        if isinstance(first, Search):
            first = replace(first, terms=None)
        side = compiler.relation(Pipeline((first, *self.pipeline.commands)))
        left, here = unions.numbered(relation, compiler)
        right, there = unions.numbered(side, compiler)
        both = exp.EQ(this=here, expression=there)
        select = exp.Select(expressions=[exp.Star()]).from_(nested(left.sql), copy=False)
        other = exp.Subquery(this=right.sql, alias=exp.TableAlias(this=exp.to_identifier("u")))
        select = select.join(other, on=both, join_type="full outer", copy=False)
        joined = replace(left, sql=select, sequence=None, collated=False)
        joined = joined.ordered([unions.order_of(here.name), unions.order_of(there.name)])
        shown = right.columns if left.implicit and right.implicit else output.visible(right)
        columns = dict(left.columns)
        for name, column in shown.items():
            if name not in columns:
                columns[name] = column
            elif self.override:
                joined, columns[name] = _either(joined, compiler, both, column, columns[name])
        return replace(joined, columns=columns)


def _either(
    relation: Relation, compiler: Compiler, both: exp.Expression, new: Column, old: Column
) -> tuple[Relation, Column]:
    """Return the new value where both sides have the row, else the old one."""
    kind = new.type if new.type is old.type else coerce.common([new.type, old.type]) or Type.STRING
    values = [coerce.cast(Typed(column.raw, column.type), kind, compiler.now_ns) for column in (new, old)]
    chosen = exp.Case(ifs=[exp.If(this=both.copy(), true=values[0].sql)], default=values[1].sql)
    ref = compiler.fresh()
    wrapped = replace(relation, sql=relation.wrapped(aliased(chosen, ref)))
    return wrapped, Column(ref, kind, new.element)


def parse(parser: Parser) -> Appendcol:
    """Read what follows `appendcol`."""
    override = parser.boolean() if parser.option("override") else False
    return Appendcol(subsearch(parser), override)
