"""`append [ <pipeline> ]`: the rows of another search after those so far.

Arguments:
    pipeline: the other search, which begins with its own source

Example:
    source=logs | stats count() as n | append [ source=spans | stats count() as n ]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.query import unions
from treering.query.brackets import Bracket, read

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("append",)


@dataclass(frozen=True, slots=True)
class Append:
    """The other search."""

    bracket: Bracket
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        return f"append {self.bracket.print()}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unite the rows; a search that begins with no source has none."""
        other = self.bracket.relation(compiler)
        return relation if other is None else unions.appended([relation, other], compiler, self.place)


def parse(parser: Parser) -> Append:
    """Read what follows `append`."""
    start = parser.peek().start
    return Append(read(parser), (start, parser.last_end))
