"""`multisearch [ search … ] [ search … ] …`: the rows of several searches, newest first where they have a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from treering.core.errors import UserError
from treering.query import printer, unions
from treering.query.expressions import subsearch
from treering.query.relation import Order

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Pipeline, Place

NAMES = ("multisearch",)
TIME = "@timestamp"


@dataclass(frozen=True, slots=True)
class Multisearch:
    """The searches, two or more."""

    searches: tuple[Pipeline, ...]
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return f"multisearch {' '.join(f'[ {printer.pipeline(search)} ]' for search in self.searches)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Stack the answers, then order them by time."""
        if unions.present(relation):
            hint = "union adds rows to those at hand"
            raise UserError("multisearch can only come first", hint=hint, where=compiler.where(self.place))
        parts = [compiler.relation(search) for search in self.searches]
        found = unions.stacked(parts, compiler, place=self.place)
        if (time := found.columns.get(TIME)) is None:
            return found
        order = Order(time, descending=True, nulls_first=False)
        return replace(found.ordered([order, *found.order]), collated=True)


def parse(parser: Parser) -> Multisearch:
    """Read what follows `multisearch`."""
    start = parser.peek().start
    searches = [subsearch(parser)]
    while not parser.at_end():
        searches.append(subsearch(parser))
    if len(searches) < 2:
        raise UserError("multisearch takes at least two searches", where=parser.where((start, parser.last_end)))
    return Multisearch(tuple(searches), (start, parser.last_end))
