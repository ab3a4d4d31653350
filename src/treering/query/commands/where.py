"""`where <condition>`: keep the rows that satisfy it.

Arguments:
    condition: rows are kept for which it is true

Example:
    source=logs | where durationInNanos > 500000000 and like(body, '%timeout%')
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import expressions, printer, pushdown
from treering.query.function import Typed
from treering.query.scope import Scope
from treering.query.syntax import Name, Relevance, Subsearch, walk
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Node

NAMES = ("where",)


@dataclass(frozen=True, slots=True)
class Where:
    """The condition."""

    condition: Node = field()

    def print(self) -> str:
        """Return the command as PPL."""
        return f"where {printer.expression(self.condition)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Keep the rows for which the condition is true."""
        for part in pushdown.conjuncts(self.condition):
            scope = Scope(relation, compiler)
            condition = scope.by_itself(Typed(scope.condition(part), Type.BOOLEAN), part).sql
            if relation.plain:
                pushdown.absorb(relation, part, condition, compiler)
            relation = relation.where(condition)
            if _never(part, condition):
                relation = replace(relation, cut=True)
        # What a subsearch decides, the index cannot aggregate: it is a join there.
        asks = any(isinstance(node, Subsearch) for node in walk(self.condition))
        return replace(relation, cut=True) if asks else relation


def _never(node: Node, condition: exp.Expression) -> bool:
    """Whether no row is meant whatever it holds: the index is not asked then, whose sum of nothing would be 0."""
    if any(isinstance(part, Name | Subsearch | Relevance) for part in walk(node)):
        return False
    from sqlglot.optimizer.simplify import simplify

    return bool(simplify(condition.copy()) == exp.false())


def parse(parser: Parser) -> Where:
    """Read what follows `where`."""
    return Where(expressions.expression(parser))
