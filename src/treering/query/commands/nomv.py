"""`nomv <field>`: an array as one text, an item a line; nulls are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import printer
from treering.query.scope import Scope, column_value
from treering.query.template import typed
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("nomv",)
_LINES = (
    r"coalesce(array_to_string(list_filter(json_extract_string(:x, '$[*]'), lambda v: v IS NOT NULL), chr(10)), '')"
)


@dataclass(frozen=True, slots=True)
class Nomv:
    """The field."""

    name: Name

    def print(self) -> str:
        """Return the command as PPL."""
        return f"nomv {printer.expression(self.name)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Replace the array."""
        column = Scope(relation, compiler).column(self.name)
        if column.type not in {Type.ARRAY, Type.UNDEFINED}:
            where = compiler.where(self.name.place)
            raise UserError(f"nomv takes an array, {self.name.name!r} is {column.type}", where=where)
        found = typed(Type.STRING, _LINES, x=column_value(column))
        return compiler.extended(relation, {self.name.name: found})


def parse(parser: Parser) -> Nomv:
    """Read what follows `nomv`."""
    return Nomv(parser.field())
