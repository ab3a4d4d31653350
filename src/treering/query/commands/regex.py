"""`regex <field> = <pattern>` and `!=`: keep the rows where a part of the text matches, or where none does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer, printer
from treering.query.commands.where import Where
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.syntax import Call, Literal, Name, Node, Place, Unary
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("regex",)


@dataclass(frozen=True, slots=True)
class Regex:
    """The field, the pattern (Java's regular expressions), and whether it must not match."""

    name: Name
    pattern: Literal
    negated: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        sign = "!=" if self.negated else "="
        return f"regex {printer.expression(self.name)}{sign}{lexer.quote(self.pattern.value)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Filter like `where` does; rows without a text are in neither answer."""
        column = Scope(relation, compiler).column(self.name)
        if column.type not in {Type.STRING, Type.UNDEFINED}:
            where = compiler.where(self.name.place)
            raise UserError(f"regex works on text, {self.name.name!r} is {column.type}", where=where)
        place: Place = self.pattern.place
        test: Node = Call("regexp_match", (self.name, self.pattern), place=place)
        return Where(Unary("not", test, place=place) if self.negated else test).lower(relation, compiler)


def parse(parser: Parser) -> Regex:
    """Read what follows `regex`."""
    name = parser.field()
    sign = parser.op("=", "!=")
    if sign is None:
        parser.fail("expected = or !=")
    return Regex(name, text(parser, "a regular expression in quotes"), sign == "!=")


def text(parser: Parser, what: str) -> Literal:
    """Take a quoted text."""
    if parser.peek().kind is not Kind.STRING:
        parser.fail(f"expected {what}")
    found = parser.take()
    return Literal(found.value, "string", place=(found.start, found.end))
