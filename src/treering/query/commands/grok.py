"""`grok <field> '<pattern>'`: a text field per name in a grok pattern such as `%{IP:client} %{WORD:verb}`.

The pattern is searched in the text; where it is not found the fields are empty texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import expressions, grok, lexer, printer
from treering.query.commands.parse import from_object, source
from treering.query.commands.regex import text
from treering.query.template import call, literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Literal, Node

NAMES = ("grok",)


@dataclass(frozen=True, slots=True)
class Grok:
    """What is parsed, and the pattern."""

    source: Node
    pattern: Literal

    def print(self) -> str:
        """Return the command as PPL."""
        return f"grok {printer.expression(self.source)} {lexer.quote(self.pattern.value)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add a column per name."""
        try:
            names = grok.compiled(self.pattern.value).fields
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.pattern.place)) from None
        value = source(self.source, relation, compiler)
        found = call("ppl_grok", Type.STRING, value, literal(self.pattern.value))
        return from_object(relation, compiler, found, names)


def parse(parser: Parser) -> Grok:
    """Read what follows `grok`."""
    node = expressions.value(parser)
    return Grok(node, text(parser, "a grok pattern in quotes"))
