"""`parse <field> '<pattern>'`: columns by the named groups of a pattern that matches the whole text, else empty.

Arguments:
    field: the text
    pattern: a regular expression of Java with named groups, of the whole text

Example:
    source=logs | parse body '(?<what>[a-z]+) .*'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import expressions, extraction, lexer, printer
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Node, Place

NAMES = ("parse",)


@dataclass(frozen=True, slots=True)
class Parse:
    """The text and the pattern."""

    source: Node
    pattern: str
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        return f"parse {printer.expression(self.source)} {lexer.quote(self.pattern)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add one column per group."""
        names = extraction.named(self.pattern, "parse", self.place, compiler, needed=False)
        text = extraction.text(Scope(relation, compiler), self.source, "parse")
        found = {name: or_empty(extraction.group(text, self.pattern, name, whole=True)) for name in names}
        return compiler.extended(relation, found)


def or_empty(value: exp.Expression) -> Typed:
    """Return a text, empty instead of null."""
    return Typed(exp.Coalesce(this=value, expressions=[exp.Literal.string("")]), Type.STRING)


def parse(parser: Parser) -> Parse:
    """Read what follows `parse`."""
    source, pattern, place = read(parser)
    return Parse(source, pattern, place)


def read(parser: Parser) -> tuple[Node, str, Place]:
    """Take a field or an expression, and a pattern between quotes with its place."""
    source = expressions.value(parser)
    found = parser.peek()
    if found.kind is not Kind.STRING:
        parser.fail("expected a pattern between quotes")
    parser.take()
    return source, found.value, (found.start, found.end)
