"""`union [maxout=<n>] <stream or [ <pipeline> ]>, …`: rows of several datasets, after the rows so far if any.

Arguments:
    maxout: how many rows at most
    dataset: a stream or a search between brackets

Example:
    source=logs | fields body | union [ source=spans | fields name ]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import datasets, unions
from treering.query.commands.head import positive
from treering.query.datasets import Dataset

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("union",)


@dataclass(frozen=True, slots=True)
class Union:
    """The datasets, whether they come after other rows, and how many rows are given (0: all)."""

    datasets: tuple[Dataset, ...]
    starts: bool = True
    most: int = 0
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        option = f"maxout={self.most} " if self.most else ""
        return f"union {option}{', '.join(dataset.print() for dataset in self.datasets)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Unite the rows; types that differ become one that holds both."""
        parts = [dataset.relation(compiler) for dataset in self.datasets]
        if not self.starts:
            parts.insert(0, relation)
        found = unions.appended(parts, compiler, self.place, widen=True)
        return found.limited(self.most) if self.most else found


def parse(parser: Parser) -> Union:
    """Read what follows `union`."""
    start = parser.peek().start
    starts = parser.starting
    most = positive(parser, "the number of rows") if parser.option("maxout") else 0
    found = [datasets.read(parser, several=False)]
    while parser.op(",") or not parser.at_end():
        found.append(datasets.read(parser, several=False))
    if len(found) < 2 and starts:
        raise UserError("union takes at least two datasets", where=parser.where((start, parser.last_end)))
    return Union(tuple(found), starts, most, (start, parser.last_end))
