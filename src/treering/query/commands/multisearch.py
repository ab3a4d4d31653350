"""`multisearch [ <pipeline> ] [ <pipeline> ] …`: the rows of several searches, newest first where they have a time.

Arguments:
    pipeline: two searches or more, each with its source

Example:
    multisearch [ source=logs severityText=ERROR ] [ source=spans ] | stats count()
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from treering.core.errors import UserError
from treering.query import unions
from treering.query.brackets import Bracket, read
from treering.query.relation import Order

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("multisearch",)
TIME = "@timestamp"


@dataclass(frozen=True, slots=True)
class Multisearch:
    """The searches, two or more."""

    brackets: tuple[Bracket, ...]
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return f"multisearch {' '.join(bracket.print() for bracket in self.brackets)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unite the rows of the searches."""
        del relation
        parts = [part for bracket in self.brackets if (part := bracket.relation(compiler)) is not None]
        if not parts:
            raise UserError("none of the searches names a stream", where=compiler.where(self.place))
        found = unions.union(parts, compiler, self.place)
        if (time := found.columns.get(TIME)) is not None:
            return found.ordered([Order(time, descending=True, nulls_first=False)])
        return found


def parse(parser: Parser) -> Multisearch:
    """Read what follows `multisearch`."""
    if not parser.starting:
        parser.fail("multisearch can only come first")
    start = parser.peek().start
    found = [read(parser)]
    while parser.op(",") or not parser.at_end():
        found.append(read(parser))
    if len(found) < 2:
        raise UserError("multisearch takes at least two searches", where=parser.where((start, parser.last_end)))
    return Multisearch(tuple(found), (start, parser.last_end))
