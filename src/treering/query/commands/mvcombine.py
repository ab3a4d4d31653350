"""`mvcombine <field>`: rows that are alike but for one field become one, with its values in an array."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, lexer, output, printer
from treering.query.commands.regex import text
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.scope import Scope, column_value
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("mvcombine",)


@dataclass(frozen=True, slots=True)
class Mvcombine:
    """The field; a delimiter is read, and means nothing to an array."""

    name: Name
    delimiter: str | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        delimiter = "" if self.delimiter is None else f" delim={lexer.quote(self.delimiter)}"
        return f"mvcombine {printer.expression(self.name)}{delimiter}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by the other columns, as they stand."""
        column = Scope(relation, compiler).column(self.name)
        if column.type in {Type.ARRAY, Type.STRUCT}:
            where = compiler.where(self.name.place)
            raise UserError(f"mvcombine takes single values, {self.name.name!r} is {column.type}", where=where)
        shown = output.visible(relation)
        keys = [
            (name, Typed(held.raw, held.type, element=held.element))
            for name, held in shown.items()
            if name != self.name.name
        ]
        found = grouped(relation, compiler, [(self.name.name, _listed(column, relation))], keys, [])
        columns = dict(found.columns)
        restored = {
            name: replace(columns[name], many=held.many if name != self.name.name else False)
            for name, held in shown.items()
        }
        return replace(found, columns=restored)


def _listed(column: Column, relation: Relation) -> Typed:
    value = column_value(column)
    order = exp.Order(this=aggregates.printed(value), expressions=relation.keys())
    item = order if relation.keys() else aggregates.printed(value)
    listed = exp.Filter(
        this=exp.Anonymous(this="list", expressions=[item]), expression=exp.Where(this=aggregates.present(value.sql))
    )
    return Typed(exp.Anonymous(this="to_json", expressions=[listed]), Type.ARRAY, element=value.type)


def parse(parser: Parser) -> Mvcombine:
    """Read what follows `mvcombine`."""
    name = parser.field()
    return Mvcombine(name, text(parser, "a delimiter in quotes").value if parser.option("delim") else None)
