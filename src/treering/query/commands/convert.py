"""`convert [timeformat=] <function>(<field>) [as <name>], …`: texts as numbers, times as texts and back.

Arguments:
    timeformat: the form of times, as in strftime
    function: auto, num, memk, dur2sec, mstime, rmcomma, rmunit, mktime, ctime or none
    field: the field, or a pattern with *
    as: the name of the column; the field's own if not said

Example:
    source=logs | convert num(code) as code_number | head 5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, printer
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.template import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("convert",)
FUNCTIONS = ("auto", "ctime", "dur2sec", "memk", "mktime", "mstime", "none", "num", "rmcomma", "rmunit")
FORMAT = "%m/%d/%Y %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Clause:
    """A function, the field it converts, and the name of the result."""

    function: str
    name: Name
    target: Name

    def print(self) -> str:
        """Return the clause as PPL."""
        text = f"{self.function}({printer.expression(self.name)})"
        return text if self.target == self.name else f"{text} as {printer.expression(self.target)}"


@dataclass(frozen=True, slots=True)
class Convert:
    """The clauses, and the form of written times in strftime's letters."""

    clauses: tuple[Clause, ...]
    form: str = FORMAT

    def print(self) -> str:
        """Return the command as PPL."""
        form = f"timeformat={lexer.quote(self.form)} " if self.form != FORMAT else ""
        return f"convert {form}{', '.join(clause.print() for clause in self.clauses)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add or replace one column per clause."""
        scope = Scope(relation, compiler)
        values: dict[str, Typed] = {}
        for clause in self.clauses:
            value = scope.typed(clause.name)
            if clause.function != "none":
                values[clause.target.name] = self._converted(clause, value, compiler)
            elif clause.target != clause.name:
                values[clause.target.name] = value
        found = compiler.extended(relation, values)
        # A converted field stays in its place.
        names = [*relation.columns, *(name for name in found.columns if name not in relation.columns)]
        return found.with_columns({name: found.columns[name] for name in names if name in found.columns})

    def _converted(self, clause: Clause, value: Typed, compiler: Compiler) -> Typed:
        if value.type in coerce.DOCUMENTS:
            where = compiler.where(clause.name.place)
            raise UserError(f"{clause.function} works on texts and numbers, not on {value.type}", where=where)
        if value.type in coerce.NUMBERS and clause.function not in {"ctime", "dur2sec"}:
            return Typed(coerce.sql_cast(value.sql, Type.DOUBLE), Type.DOUBLE)
        parts = [coerce.text_of(value)]
        if clause.function in {"ctime", "mktime"}:
            parts.append(literal(self.form))
        found = exp.Anonymous(this=f"ppl_convert_{clause.function}", expressions=parts)
        return Typed(found, Type.STRING if clause.function == "ctime" else Type.DOUBLE)


def parse(parser: Parser) -> Convert:
    """Read what follows `convert`."""
    form = FORMAT
    if parser.option("timeformat"):
        if parser.peek().kind is not Kind.STRING:
            parser.fail("expected a text between quotes")
        form = parser.take().value
    clauses = [_clause(parser)]
    while parser.op(",") or not parser.at_end():
        clauses.append(_clause(parser))
    return Convert(tuple(clauses), form)


def _clause(parser: Parser) -> Clause:
    function = parser.expect_word(*FUNCTIONS)
    parser.expect_op("(")
    name = parser.field()
    parser.expect_op(")")
    return Clause(function, name, parser.field() if parser.word("as") else name)
