"""`regex <field> = '<pattern>'` and `!=`: keep the rows in whose field a pattern is found, or is not.

Syntax:
    regex <field> = '<pattern>'
    regex <field> != '<pattern>'

Arguments:
    field: the text
    pattern: a regular expression of Java, found anywhere

Example:
    source=logs | regex body = 'time(d )?out'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, operators, printer, pushdown
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.syntax import Binary, Literal, Unary
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Node

NAMES = ("regex",)


@dataclass(frozen=True, slots=True)
class Regex:
    """The field, the pattern, and whether it must not be found."""

    name: Name
    pattern: str
    negated: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        sign = "!=" if self.negated else "="
        return f"regex {printer.expression(self.name)} {sign} {lexer.quote(self.pattern)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Keep the rows; a null is kept by neither sign."""
        value = Scope(relation, compiler).typed(self.name)
        where = compiler.where(self.name.place)
        if value.type not in {Type.STRING, Type.UNDEFINED, *coerce.INSTANTS}:
            raise UserError(f"regex works on texts, not on {value.type}", hint="cast it to string first", where=where)
        try:
            found = operators.regexp(value, coerce.string(self.pattern)).sql
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=where) from error
        condition: exp.Expression = exp.Not(this=exp.Paren(this=found)) if self.negated else found
        if relation.plain:
            node: Node = Binary("regexp", self.name, Literal(self.pattern, "string"))
            pushdown.absorb(relation, Unary("not", node) if self.negated else node, condition, compiler)
        return relation.where(condition)


def parse(parser: Parser) -> Regex:
    """Read what follows `regex`."""
    name = parser.field()
    sign = parser.op("=", "==", "!=")
    if sign is None:
        parser.fail("expected = or !=")
    if parser.peek().kind is not Kind.STRING:
        parser.fail("expected a pattern between quotes")
    return Regex(name, parser.take().value, sign == "!=")
