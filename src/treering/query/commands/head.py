"""`head [<count>] [from <offset>]`: the first rows.

Arguments:
    count: how many rows, 10 if not said
    from: how many rows are left out before them

Example:
    source=logs | head 5 from 10
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.query import chain, pushdown
from treering.query.lexer import Kind

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("head",)
DEFAULT = 10


@dataclass(frozen=True, slots=True)
class Head:
    """How many rows, and how many to skip before them."""

    count: int = DEFAULT
    offset: int = 0

    def print(self) -> str:
        """Return the command as PPL."""
        return f"head {self.count}" + (f" from {self.offset}" if self.offset else "")

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Cut the rows."""
        del compiler
        pushdown.newest(relation, self.count + self.offset)
        chain.limit(relation, self.count + self.offset)
        return relation.limited(self.count, self.offset)


def parse(parser: Parser) -> Head:
    """Read what follows `head`."""
    count, offset = DEFAULT, 0
    limited = parser.option("limit")
    if limited or parser.peek().kind is Kind.NUMBER or parser.peek().is_op("-", "+"):
        count = positive(parser, "the number of rows")
    if parser.word("from"):
        offset = positive(parser, "the number of rows to skip")
    return Head(count, offset)


def positive(parser: Parser, what: str) -> int:
    """Take a whole number that is not negative."""
    start = parser.peek().start
    number = parser.integer(what)
    if number < 0:
        from treering.core.errors import UserError

        raise UserError(f"{what} cannot be negative", where=parser.where((start, parser.last_end)))
    return number
