"""`mvexpand <array> [limit=<n>]` and `expand <array> [as <name>]`: one row per item; without items, no row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, coerce, lexer, printer
from treering.query.commands.head import positive
from treering.query.relation import Column, aliased, named
from treering.query.scope import Scope, as_list
from treering.query.template import literal, sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("mvexpand", "expand")


@dataclass(frozen=True, slots=True)
class Mvexpand:
    """The array, the most items per row (0: all), and the name of the item's column."""

    name: Name
    most: int = 0
    alias: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        if self.alias:
            return f"expand {printer.expression(self.name)} as {lexer.name(self.alias)}"
        return f"mvexpand {printer.expression(self.name)}" + (f" limit={self.most}" if self.most else "")

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unnest the items; fields of items that are objects follow them."""
        column = Scope(relation, compiler).column(self.name)
        if column.type is not Type.ARRAY and not column.many:
            return relation if not self.alias else self._renamed(relation, column)
        some = exp.Case(ifs=[exp.If(this=aggregates.present(column.raw), true=as_list(column))])
        items = coerce.sql_cast(some, "JSON[]")
        listed: exp.Expression = items
        if self.most:
            listed = exp.Anonymous(this="list_slice", expressions=[items, literal(1), literal(self.most)])
        ref = compiler.fresh()
        unnested = exp.Anonymous(this="unnest", expressions=[listed])
        result = replace(relation, sql=relation.wrapped(aliased(unnested, ref)), plain=False)
        return self._members(result, relation, column, ref, compiler)

    def _members(self, result: Relation, relation: Relation, column: Column, ref: str, compiler: Compiler) -> Relation:
        """Give the item and its members the types they have."""
        name, prefix = self.name.name, f"{self.name.name}."
        shown = self.alias or name
        kind = column.element or (column.type if column.many else Type.STRUCT)
        columns = {key: found for key, found in relation.columns.items() if key != name}
        added = []
        members = {key: found for key, found in relation.columns.items() if key.startswith(prefix)}
        item = Column(compiler.fresh(), kind)
        added.append(aliased(_scalar(named(ref), kind), item.ref))
        columns[shown] = item
        for key, member in members.items():
            del columns[key]
            path = "$" + "".join(f'."{step}"' for step in key[len(prefix) :].replace('"', "").split("."))
            found = exp.Anonymous(this="json_extract", expressions=[named(ref), literal(path)])
            part = Column(compiler.fresh(), member.type, member.element)
            added.append(aliased(_scalar(found, member.type), part.ref))
            columns[shown + key[len(name) :]] = part
        return replace(result, sql=result.wrapped(*added), columns=columns)

    def _renamed(self, relation: Relation, column: Column) -> Relation:
        kept = {key: found for key, found in relation.columns.items() if key != self.name.name}
        return relation.with_columns({**kept, self.alias: column})


def _scalar(value: exp.Expression, kind: Type) -> exp.Expression:
    if SQL[kind] == "JSON":
        return value
    text = sql("json_extract_string(:x, '$')", x=value)
    return text if SQL[kind] == "VARCHAR" else coerce.sql_cast(text, kind, safe=True)


def parse(parser: Parser) -> Mvexpand:
    """Read what follows `mvexpand` or `expand`."""
    name = parser.field()
    if parser.word("as"):
        return Mvexpand(name, alias=parser.field().name)
    most = 0
    if parser.option("limit"):
        start = parser.peek().start
        most = positive(parser, "the number of items")
        if most == 0:
            raise UserError(
                "the number of items must be greater than zero", where=parser.where((start, parser.last_end))
            )
    return Mvexpand(name, most)
