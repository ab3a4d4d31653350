"""`mvexpand <field> [limit=<n>]`: a row per item of an array; what is no array stays as it is.

Arguments:
    field: the array
    limit: how many items at most

Example:
    source=logs | eval xs = array('a', 'b') | mvexpand xs limit=1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import arrays, printer
from treering.query.scope import Scope
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("mvexpand",)


@dataclass(frozen=True, slots=True)
class Mvexpand:
    """The field, and how many items of each row at most."""

    name: Name
    limit: int | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        limit = "" if self.limit is None else f" limit={self.limit}"
        return f"mvexpand {printer.expression(self.name)}{limit}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unnest the array."""
        column = Scope(relation, compiler).column(self.name)
        if column.type is not Type.ARRAY:
            return relation
        return arrays.expanded(relation, compiler, self.name.name, column, self.limit, self.name.name)


def parse(parser: Parser) -> Mvexpand:
    """Read what follows `mvexpand`."""
    name = parser.field()
    limit = None
    if parser.option("limit"):
        start = parser.peek().start
        limit = parser.integer("the number of items")
        if limit < 1:
            raise UserError("the number of items must be positive", where=parser.where((start, parser.last_end)))
    return Mvexpand(name, limit)
