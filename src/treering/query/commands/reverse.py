"""`reverse`: the rows in the opposite order; rows that no command ordered come newest first.

Example:
    source=logs | head 5 | reverse
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treering.query.relation import Order

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("reverse",)
TIME = "@timestamp"


@dataclass(frozen=True, slots=True)
class Reverse:
    """The command; it has no options."""

    def print(self) -> str:
        """Return the command as PPL."""
        return "reverse"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Turn the order round; without an order and without a time the rows stay as they are."""
        del compiler
        if relation.order and not relation.unasked:
            turned = [
                replace(key, descending=not key.descending, nulls_first=not key.nulls_first) for key in relation.order
            ]
            return relation.ordered(turned)
        if (time := relation.columns.get(TIME)) is not None:
            return relation.ordered([Order(time, descending=True, nulls_first=False)])
        return relation


def parse(parser: Parser) -> Reverse:
    """Read what follows `reverse`: nothing."""
    del parser
    return Reverse()
