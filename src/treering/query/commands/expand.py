"""`expand <field> [as <name>]`: a row per item of an array, the item under the field's name or another.

Arguments:
    field: the array
    as: the name of the column

Example:
    source=logs | eval xs = array(1, 2) | expand xs as x
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import arrays, lexer, printer
from treering.query.scope import Scope
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("expand",)


@dataclass(frozen=True, slots=True)
class Expand:
    """The field, and the name of the items."""

    name: Name
    alias: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        return f"expand {printer.expression(self.name)}" + (f" as {lexer.name(self.alias)}" if self.alias else "")

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unnest the array."""
        column = Scope(relation, compiler).column(self.name)
        if column.type is not Type.ARRAY:
            where = compiler.where(self.name.place)
            raise UserError(f"expand takes an array, {self.name.name!r} is {column.type}", where=where)
        return arrays.expanded(relation, compiler, self.name.name, column, None, self.alias or self.name.name)


def parse(parser: Parser) -> Expand:
    """Read what follows `expand`."""
    name = parser.field()
    return Expand(name, parser.field().name if parser.word("as") else "")
