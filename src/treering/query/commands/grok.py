"""`grok <field> '<pattern>'`: columns by `%{NAME:field}` patterns found in a text, empty where it is not found.

Arguments:
    field: the text
    pattern: fixed text and %{NAME:field}; NAME is IP, NUMBER, WORD, TIMESTAMP_ISO8601 and the like

Example:
    source=logs | grok body '%{WORD:what} after %{NUMBER:ms} ms'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import extraction, grokpatterns, lexer, printer
from treering.query.commands import parse as parsing
from treering.query.scope import Scope

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Node, Place

NAMES = ("grok",)


@dataclass(frozen=True, slots=True)
class Grok:
    """The text and the pattern."""

    source: Node
    pattern: str
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        return f"grok {printer.expression(self.source)} {lexer.quote(self.pattern)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add one column per named pattern."""
        if not self.pattern:
            raise UserError("the pattern of grok is empty", where=compiler.where(self.place))
        try:
            pattern, names = grokpatterns.expanded(self.pattern)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.place)) from None
        text = extraction.text(Scope(relation, compiler), self.source, "grok")
        found = {shown: parsing.or_empty(extraction.group(text, pattern, group)) for group, shown in names.items()}
        return compiler.extended(relation, found)


def parse(parser: Parser) -> Grok:
    """Read what follows `grok`."""
    source, pattern, place = parsing.read(parser)
    return Grok(source, pattern, place)
