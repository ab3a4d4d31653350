"""`fieldformat <field> = ['prefix' .] <expression> [. 'suffix'], …`: `eval` with texts joined on by dots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.query import expressions, printer
from treering.query.commands.eval import Eval
from treering.query.lexer import Kind
from treering.query.syntax import Call, Literal

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Node

NAMES = ("fieldformat",)


@dataclass(frozen=True, slots=True)
class Fieldformat:
    """Targets and their expressions, in order; joined texts are calls of `concat`."""

    clauses: tuple[tuple[Name, Node], ...]

    def print(self) -> str:
        """Return the command as PPL."""
        clauses = ", ".join(f"{printer.expression(t)} = {printer.expression(e)}" for t, e in self.clauses)
        return f"fieldformat {clauses}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add or replace one column per clause."""
        return Eval(self.clauses).lower(relation, compiler)


def parse(parser: Parser) -> Fieldformat:
    """Read what follows `fieldformat`."""
    clauses: list[tuple[Name, Node]] = []
    while True:
        target = parser.field()
        parser.expect_op("=")
        clauses.append((target, _joined(parser)))
        if not parser.op(","):
            return Fieldformat(tuple(clauses))


def _joined(parser: Parser) -> Node:
    start = parser.peek().start
    parts: list[Node] = []
    if parser.peek().kind is Kind.STRING and parser.next_is("."):
        parts.append(_text(parser))
        parser.take()
    parts.append(expressions.expression(parser))
    if parser.op("."):
        if parser.peek().kind is not Kind.STRING:
            parser.fail("expected a text after the dot")
        parts.append(_text(parser))
    return parts[0] if len(parts) == 1 else Call("concat", tuple(parts), place=(start, parser.last_end))


def _text(parser: Parser) -> Literal:
    found = parser.take()
    return Literal(found.value, "string", place=(found.start, found.end))
