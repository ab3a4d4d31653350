"""What join, lookup and union read beside the rows so far: streams by name, or a search between brackets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treering.query import brackets, lexer
from treering.query.brackets import Bracket
from treering.query.commands import search
from treering.query.lexer import Mode

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place


@dataclass(frozen=True, slots=True)
class Dataset:
    """Streams or a search, and what may stand before its fields."""

    streams: tuple[str, ...] = ()
    bracket: Bracket | None = None
    alias: str = ""
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the dataset as PPL."""
        text = ", ".join(map(search.stream_name, self.streams)) if self.bracket is None else self.bracket.print()
        return f"{text} as {lexer.name(self.alias)}" if self.alias else text

    def relation(self, compiler: Compiler) -> Relation:
        """Return its rows."""
        if self.bracket is None:
            return compiler.scan(self.streams, self.place)
        found = self.bracket.relation(compiler)
        return compiler.scan(()) if found is None else found


def read(parser: Parser, *, several: bool = True) -> Dataset:
    """Take a dataset; `several` streams may stand with commas between."""
    start = parser.peek(Mode.SEARCH).start
    if parser.peek(Mode.SEARCH).is_op("["):
        bracket: Bracket | None = brackets.read(parser)
        streams: tuple[str, ...] = ()
    else:
        bracket = None
        streams = search.streams(parser) if several else tuple(search.stream(parser))
    alias = parser.field().name if parser.word("as") else ""
    return Dataset(streams, bracket, alias, (start, parser.last_end))
