"""`eval <field> = <expression>, …`: add computed fields, each of which may use those before it.

Arguments:
    field: the name of the column
    expression: its value

Example:
    source=logs | eval ms = durationInNanos / 1000000, slow = ms > 500
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import expressions, printer, ranged
from treering.query.relation import METADATA
from treering.query.scope import Scope
from treering.query.syntax import Name

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Node

NAMES = ("eval",)


@dataclass(frozen=True, slots=True)
class Eval:
    """Targets and their expressions, in order."""

    clauses: tuple[tuple[Name, Node], ...]

    def print(self) -> str:
        """Return the command as PPL."""
        return "eval " + ", ".join(f"{printer.expression(t)} = {printer.expression(e)}" for t, e in self.clauses)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add or replace one column per clause."""
        for target, node in self.clauses:
            if target.name in METADATA:
                raise UserError(f"cannot assign to metadata field {target.name!r}", where=compiler.where(target.place))
            column = compiler.column(relation, node.name) if isinstance(node, Name) else None
            if column is not None:
                # A plain copy costs no SQL and keeps what is known of the field.
                columns = {name: found for name, found in relation.columns.items() if name != target.name}
                relation = relation.with_columns({**columns, target.name: column})
                continue
            number = ranged.number_of(node, relation, compiler)
            relation = compiler.extended(relation, {target.name: Scope(relation, compiler).typed(node)})
            if number is not None:
                named = replace(relation.columns[target.name], ranged=number)
                relation = relation.with_columns({**relation.columns, target.name: named})
        return relation


def parse(parser: Parser) -> Eval:
    """Read what follows `eval`."""
    clauses: list[tuple[Name, Node]] = []
    while True:
        target = parser.field()
        parser.expect_op("=")
        clauses.append((target, expressions.expression(parser)))
        if not parser.op(","):
            return Eval(tuple(clauses))
