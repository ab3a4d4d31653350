"""`nomv <field>`: an array becomes one text, an item a line; nulls are left out.

Arguments:
    field: the array

Example:
    source=logs | eval xs = array('a', 'b') | nomv xs
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import printer
from treering.query.coerce import sql_cast
from treering.query.scope import Scope
from treering.query.template import literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("nomv",)


@dataclass(frozen=True, slots=True)
class Nomv:
    """The field."""

    name: Name

    def print(self) -> str:
        """Return the command as PPL."""
        return f"nomv {printer.expression(self.name)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Join the items."""
        if compiler.column(relation, self.name.name) is None:
            # An unknown field is like one without items.
            return compiler.extended(relation, {self.name.name: typed(Type.STRING, "''")})
        value = Scope(relation, compiler).typed(self.name)
        if value.type is not Type.ARRAY:
            where = compiler.where(self.name.place)
            raise UserError(f"nomv works on arrays, not on {value.type}", where=where)
        items = sql_cast(value.sql, "VARCHAR[]", safe=True)
        # An array of nulls only is an empty text.
        joined = "CASE WHEN :x IS NOT NULL THEN coalesce(array_to_string(:x, :s), '') END"
        text = typed(Type.STRING, joined, x=items, s=literal("\n"))
        return compiler.extended(relation, {self.name.name: text})


def parse(parser: Parser) -> Nomv:
    """Read what follows `nomv`."""
    return Nomv(parser.field())
