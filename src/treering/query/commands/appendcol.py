"""`appendcol [override=] [ <commands> ]`: columns of another search over the same source, row by row.

The first row stands beside the first, the second beside the second; where one side has fewer rows its columns are null.

Arguments:
    override: true where its columns replace those of the same name
    commands: what is done with the same source again

Example:
    source=logs | stats count() as n by serviceName | appendcol [ stats avg(durationInNanos) as d by serviceName ]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, expressions, printer, windows
from treering.query.relation import Column, Relation, aliased, nested

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Pipeline

NAMES = ("appendcol",)


@dataclass(frozen=True, slots=True)
class Appendcol:
    """The commands, and whether their columns win over those of the same name."""

    pipeline: Pipeline
    override: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        option = "override=true " if self.override else ""
        return f"appendcol {option}[ {printer.pipeline(self.pipeline)} ]"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows of both sides and join them by their numbers."""
        added = compiler.continued(compiler.start(), self.pipeline.commands)
        left, number = windows.numbered(relation, compiler)
        right, other = windows.numbered(added, compiler)
        condition = exp.EQ(this=number.raw, expression=other.raw)
        sequence = Column(compiler.fresh(), number.type)
        row = exp.Coalesce(this=number.raw, expressions=[other.raw])
        select = exp.Select(expressions=[exp.Star(), aliased(row, sequence.ref)])
        select = select.from_(nested(left.sql), copy=False)
        table = exp.Subquery(this=right.sql, alias=exp.TableAlias(this=exp.to_identifier("u")))
        select.append("joins", exp.Join(this=table, side="FULL", kind="OUTER", on=condition))
        columns = {**added.columns, **relation.columns}
        columns = {name: columns[name] for name in (*relation.columns, *_without(added.columns, relation.columns))}
        if self.override:
            for name in [name for name in relation.columns if name in added.columns]:
                column = Column(compiler.fresh(), added.columns[name].type, added.columns[name].element)
                value = exp.If(this=aggregates.present(other.raw), true=added.columns[name].raw)
                either = exp.Case(ifs=[value], default=relation.columns[name].raw)
                select = select.select(aliased(either, column.ref), copy=False)
                columns[name] = column
        implicit = relation.implicit and added.implicit
        return Relation(select, columns, (), sequence, plain=False, implicit=implicit, shuffled=True)


def _without(columns: Mapping[str, Column], known: Mapping[str, Column]) -> list[str]:
    return [name for name in columns if name not in known]


def parse(parser: Parser) -> Appendcol:
    """Read what follows `appendcol`."""
    override = parser.boolean() if parser.option("override") else False
    return Appendcol(expressions.subsearch(parser), override)
