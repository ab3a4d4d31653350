"""`appendpipe [ <commands> ]`: the rows so far, and after them what commands make of those rows.

Arguments:
    commands: what is done with the rows so far

Example:
    source=logs | stats count() as n by serviceName | appendpipe [ stats sum(n) as n ]
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from treering.query import expressions, printer, unions

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Pipeline, Place

NAMES = ("appendpipe",)


@dataclass(frozen=True, slots=True)
class Appendpipe:
    """The commands."""

    pipeline: Pipeline
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        return f"appendpipe [ {printer.pipeline(self.pipeline)} ]"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unite the rows with what the commands make of them."""
        # The index has no part in what these commands make.
        added = replace(compiler.continued(relation, self.pipeline.commands), cut=True)
        return unions.appended([relation, added], compiler, self.place)


def parse(parser: Parser) -> Appendpipe:
    """Read what follows `appendpipe`."""
    start = parser.peek().start
    return Appendpipe(expressions.subsearch(parser), (start, parser.last_end))
