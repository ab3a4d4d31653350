"""`union [maxout=<n>] <stream or [ search … ]>, …`: the rows of several data sets, those at hand first.

Columns of the same name become one; where their types differ, one that holds both, text at worst.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from treering.core.errors import UserError
from treering.query import printer, unions
from treering.query.commands.head import positive
from treering.query.commands.search import stream, stream_name
from treering.query.expressions import subsearch
from treering.query.lexer import Mode
from treering.query.syntax import Pipeline

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("union",)


@dataclass(frozen=True, slots=True)
class Union:
    """Names of streams and searches; `limit` is the most rows of the whole, 0 for all."""

    datasets: tuple[str | Pipeline, ...]
    limit: int = 0
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        limit = f"maxout={self.limit} " if self.limit else ""
        return f"union {limit}{', '.join(_printed(dataset) for dataset in self.datasets)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Stack the data sets."""
        parts = [relation] if unions.present(relation) else []
        parts += [
            compiler.scan((dataset,), self.place) if isinstance(dataset, str) else compiler.relation(dataset)
            for dataset in self.datasets
        ]
        if len(parts) < 2:
            raise UserError("union takes at least two data sets", where=compiler.where(self.place))
        found = unions.stacked(parts, compiler, coerced=True)
        return found.limited(self.limit) if self.limit else found


def _printed(dataset: str | Pipeline) -> str:
    return stream_name(dataset) if isinstance(dataset, str) else f"[ {printer.pipeline(dataset)} ]"


def parse(parser: Parser) -> Union:
    """Read what follows `union`."""
    start = parser.peek(Mode.SEARCH).start
    limit = positive(parser, "the number of rows") if parser.option("maxout") else 0
    datasets: list[str | Pipeline] = []
    while not parser.at_end() or not datasets:
        if parser.peek(Mode.SEARCH).is_op("["):
            datasets.append(subsearch(parser))
        else:
            datasets.extend(stream(parser))
        parser.op(",", mode=Mode.SEARCH)
    return Union(tuple(datasets), limit, (start, parser.last_end))
