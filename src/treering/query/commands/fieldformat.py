"""`fieldformat <field> = ["text".] <expression> [."text"], …`: like `eval`, with texts before and after the value.

Arguments:
    field: the name of the column
    text: what stands before and after
    expression: the value

Example:
    source=logs | fieldformat took = "took ".tostring(durationInNanos)." ns"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, expressions, lexer, printer
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Node

NAMES = ("fieldformat",)


@dataclass(frozen=True, slots=True)
class Clause:
    """A target, its expression, and the texts around it."""

    target: Name
    value: Node
    before: str = ""
    after: str = ""

    def print(self) -> str:
        """Return the clause as PPL."""
        before = f"{lexer.quote(self.before)}." if self.before else ""
        after = f".{lexer.quote(self.after)}" if self.after else ""
        value = printer.expression(self.value)
        value = f"({value})" if (before or after) and not value.endswith(")") else value
        return f"{printer.expression(self.target)} = {before}{value}{after}"


@dataclass(frozen=True, slots=True)
class Fieldformat:
    """The clauses, in order."""

    clauses: tuple[Clause, ...]

    def print(self) -> str:
        """Return the command as PPL."""
        return f"fieldformat {', '.join(clause.print() for clause in self.clauses)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add or replace one column per clause."""
        for clause in self.clauses:
            value = Scope(relation, compiler).typed(clause.value)
            if clause.before or clause.after:
                parts = [exp.Literal.string(clause.before), coerce.operand(coerce.text_of(value))]
                text = exp.DPipe(this=exp.DPipe(this=parts[0], expression=parts[1]), expression=_text(clause.after))
                value = Typed(text, Type.STRING)
            relation = compiler.extended(relation, {clause.target.name: value})
        return relation


def _text(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def parse(parser: Parser) -> Fieldformat:
    """Read what follows `fieldformat`."""
    clauses = [_clause(parser)]
    while parser.op(","):
        clauses.append(_clause(parser))
    return Fieldformat(tuple(clauses))


def _clause(parser: Parser) -> Clause:
    target = parser.field()
    parser.expect_op("=")
    before = after = ""
    if parser.peek().kind is Kind.STRING and parser.next_is("."):
        before = parser.take().value
        parser.take()
    value = expressions.expression(parser)
    if parser.op("."):
        if parser.peek().kind is not Kind.STRING:
            parser.fail("expected a text between quotes")
        after = parser.take().value
    return Clause(target, value, before, after)
