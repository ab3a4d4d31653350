"""`reverse`: the rows in the opposite order of the last `sort`, or the newest first where nothing was sorted."""

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
    """The command takes nothing."""

    def print(self) -> str:
        """Return the command as PPL."""
        return "reverse"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Turn every key of the order round; without an order asked for and without a time, leave the rows alone."""
        del compiler
        if relation.collated:
            order = [
                replace(key, descending=not key.descending, nulls_first=not key.nulls_first) for key in relation.order
            ]
        elif (time := relation.columns.get(TIME)) is not None:
            order = [Order(time, descending=True, nulls_first=False)]
        else:
            return relation
        return replace(relation.ordered(order), plain=relation.plain, collated=True)


def parse(parser: Parser) -> Reverse:
    """Read what follows `reverse`: nothing."""
    del parser
    return Reverse()
