"""`mvcombine <field>`: rows that are equal but for one field become one row, with an array of its values.

Arguments:
    field: the field in which rows may differ

Example:
    source=logs | fields serviceName, severityText | dedup serviceName, severityText | mvcombine severityText
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer, output, printer, windows
from treering.query.aggregates import printed
from treering.query.coerce import sql_cast
from treering.query.commands.stats import grouped, hashed
from treering.query.function import Typed
from treering.query.relation import Order
from treering.query.scope import Scope, column_value
from treering.query.template import sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("mvcombine",)
_FIRST = "first row"


@dataclass(frozen=True, slots=True)
class Mvcombine:
    """The field, and what the engine's multivalue form joins by; the answer is a list whatever that is."""

    name: Name
    delimiter: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        option = f" delim={lexer.quote(self.delimiter)}" if self.delimiter else ""
        return f"mvcombine {printer.expression(self.name)}{option}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by all other fields; groups come in the order of a hash table."""
        value = Scope(relation, compiler).typed(self.name)
        if value.type is Type.ARRAY:
            raise UserError("mvcombine takes a field that is no list", where=compiler.where(self.name.place))
        every = list(output.visible(relation))
        shown = [name for name in every if name != self.name.name]
        relation, number = windows.numbered(relation, compiler)
        keys = [(name, _key(column_value(relation.columns[name]))) for name in shown]
        item = printed(value)
        listed = sql("list(:x ORDER BY :n) FILTER (WHERE :x IS NOT NULL)", x=item, n=number.raw)
        combined = Typed(sql_cast(sql("to_json(:x)", x=listed), Type.ARRAY), Type.ARRAY, element=value.type)
        first = Typed(sql("min(:n)", n=number.raw), Type.BIGINT)
        found = grouped(relation, compiler, [(self.name.name, combined), (_FIRST, first)], keys, [])
        columns = dict(found.columns)
        order = Order(columns.pop(_FIRST))
        kept = {name: columns[name] for name in dict.fromkeys([*every, self.name.name]) if name in columns}
        found = replace(found, columns=kept)
        ends = [kept[name] for name in shown if name in kept]
        return hashed(found, ends, order.column, compiler) or found.ordered([order])


def _key(value: Typed) -> Typed:
    return replace(value, sql=sql_cast(value.sql, "VARCHAR")) if SQL[value.type] == "JSON" else value


def parse(parser: Parser) -> Mvcombine:
    """Read what follows `mvcombine`."""
    name = parser.field()
    return Mvcombine(name, parser.take().value if parser.option("delim") else "")
