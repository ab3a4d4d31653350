"""`appendpipe [ <commands> ]`: the rows at hand, and below them what the commands make of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import printer, unions
from treering.query.commands.search import Search
from treering.query.expressions import subsearch

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
        """Stack the rows and what is made of them; they are worked out once."""
        table, base = unions.shared(relation, compiler)
        made = compiler.continued(base, self.pipeline.commands)
        return unions.sharing(table, unions.stacked([base, made], compiler, place=self.place))


def parse(parser: Parser) -> Appendpipe:
    """Read what follows `appendpipe`."""
    start = parser.peek().start
    pipeline = subsearch(parser)
    first = pipeline.commands[0] if pipeline.commands else None
    if first is None or isinstance(first, Search) or getattr(first, "starts", False):
        where = parser.where((start, parser.last_end))
        raise UserError("appendpipe takes commands on the rows at hand, not a search", where=where)
    return Appendpipe(pipeline, (start, parser.last_end))
