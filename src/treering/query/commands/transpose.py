"""`transpose [<rows>] [column_name=<name>]`: the first rows become columns, and each column a row of texts.

Arguments:
    count: how many rows become columns, 5 if not said
    column_name: the name of the first column, column if not said

Example:
    source=logs | stats count() as n, max(durationInNanos) as longest by serviceName | transpose 3
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, output, unions, windows
from treering.query.commands.head import positive
from treering.query.lexer import Kind
from treering.query.relation import Column, Relation, aliased, nested
from treering.query.scope import column_value
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser

NAMES = ("transpose",)
DEFAULT, MOST = 5, 10_000


@dataclass(frozen=True, slots=True)
class Transpose:
    """How many rows become columns, and the name of the column with the names."""

    rows: int = DEFAULT
    column: str = "column"

    def print(self) -> str:
        """Return the command as PPL."""
        name = f" column_name={lexer.quote(self.column)}" if self.column != "column" else ""
        return f"transpose {self.rows}{name}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Make one row per column, of the values of the numbered rows."""
        shown = output.visible(relation)
        numbered, number = windows.numbered(relation, compiler)
        parts = [
            self._row(numbered, number, name, column_value(shown[name]).sql, shown[name], compiler)
            for name in _hashed(list(shown))
        ]
        return replace(unions.union(parts, compiler), implicit=False) if parts else relation

    def _row(
        self,
        relation: Relation,
        number: Column,
        name: str,
        value: exp.Expression,
        column: Column,
        compiler: Compiler,
    ) -> Relation:
        """Return the row of one column."""
        text = coerce.text_of(replace(column_value(column), sql=value))
        listed, label = compiler.fresh(), compiler.fresh()
        order = sql("list(:x ORDER BY :n) FILTER (WHERE :n <= :m)", x=text, n=number.raw, m=literal(self.rows))
        inner = exp.Select(expressions=[aliased(order, listed)]).from_(nested(relation.sql), copy=False)
        columns = {self.column: Column(label, Type.STRING)}
        selected = [aliased(literal(name), label)]
        for index in range(1, self.rows + 1):
            ref = compiler.fresh()
            item = exp.Anonymous(this="list_extract", expressions=[_named(listed), literal(index)])
            selected.append(aliased(item, ref))
            columns[f"row {index}"] = Column(ref, Type.STRING)
        select = exp.Select(expressions=selected).from_(nested(inner), copy=False)
        return Relation(select, columns, plain=False, implicit=False)


def _hashed(names: list[str]) -> list[str]:
    """Return the names in the order of a hash table of texts in Java, in which OpenSearch answers.

    `String.hashCode`, mixed and cut to the table's size as in `java.util.HashMap` (OpenJDK), which doubles when it is
    three quarters full.
    """
    size = 16
    while len(names) > size * 3 // 4:
        size *= 2

    def bucket(name: str) -> int:
        code = 0
        units = name.encode("utf-16-be", "surrogatepass")
        for high, low in zip(units[::2], units[1::2], strict=True):
            code = (31 * code + (high << 8 | low)) & 0xFFFFFFFF
        return (code ^ code >> 16) & size - 1

    return sorted(names, key=bucket)


def _named(ref: str) -> exp.Column:
    return exp.Column(this=exp.Identifier(this=ref, quoted=True))


def parse(parser: Parser) -> Transpose:
    """Read what follows `transpose`."""
    rows, column = DEFAULT, "column"
    start = parser.peek().start
    while not parser.at_end():
        if parser.option("column_name"):
            column = parser.take().value if parser.peek().kind is Kind.STRING else parser.field().name
        else:
            rows = positive(parser, "the number of rows")
    if not 1 <= rows <= MOST:
        message = f"the number of rows lies between 1 and {MOST}, not at {rows}"
        raise UserError(message, where=parser.where((start, parser.last_end)))
    return Transpose(rows, column)
