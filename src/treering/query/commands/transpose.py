"""`transpose [<rows>] [column_name=<text>]`: columns become rows; each of the first rows becomes a column of texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, output, unions
from treering.query.commands.regex import text
from treering.query.function import Typed
from treering.query.relation import Column, Order, Relation, aliased, nested
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser

NAMES = ("transpose",)
ROWS, MOST, NAME = 5, 10_000, "column"


@dataclass(frozen=True, slots=True)
class Transpose:
    """How many rows, and the name of the column of names."""

    rows: int = ROWS
    column: str = NAME

    def print(self) -> str:
        """Return the command as PPL."""
        rows = "" if self.rows == ROWS else f" {self.rows}"
        column = "" if self.column == NAME else f" column_name={lexer.quote(self.column)}"
        return f"transpose{rows}{column}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows, and pick each column's value of each number."""
        relation, number = unions.numbered(relation.limited(self.rows), compiler)
        table, base = unions.shared(relation, compiler)
        refs = [compiler.fresh() for _ in range(self.rows + 1)]
        whole: exp.Query | None = None
        shown = output.visible(base)
        for name in _hashed(list(shown)):
            column = shown[name]
            select = _row(base, name, column, number, refs)
            whole = select if whole is None else exp.Union(this=whole, expression=select, distinct=False)
        assert whole is not None  # a relation has a column
        columns = {self.column: Column(refs[0], Type.STRING)}
        columns |= {f"row {index}": Column(ref, Type.STRING) for index, ref in enumerate(refs[1:], 1)}
        sql = exp.Select(expressions=[exp.Star()]).from_(nested(whole), copy=False)
        found = Relation(sql, columns, plain=False, implicit=False)
        found = replace(found, sql=found.wrapped(aliased(exp.Window(this=exp.RowNumber()), place := compiler.fresh())))
        return unions.sharing(table, replace(found, order=(Order(Column(place, Type.BIGINT)),)))


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


def _row(base: Relation, name: str, column: Column, number: exp.Column, refs: list[str]) -> exp.Select:
    value = coerce.sql_cast(coerce.text_of(Typed(column.raw, column.type)), "VARCHAR")
    cells = [aliased(exp.Literal.string(name), refs[0])]
    for index, ref in enumerate(refs[1:], 1):
        same = exp.EQ(this=number.copy(), expression=exp.Literal.number(index))
        cells.append(aliased(exp.Filter(this=exp.Max(this=value.copy()), expression=exp.Where(this=same)), ref))
    return exp.Select(expressions=cells).from_(nested(base.sql.copy()), copy=False)


def parse(parser: Parser) -> Transpose:
    """Read what follows `transpose`."""
    rows, column = ROWS, NAME
    while not parser.at_end():
        if parser.option("column_name"):
            column = text(parser, "a name in quotes").value
            continue
        start = parser.peek().start
        rows = parser.integer("a number of rows or column_name=")
        if not 1 <= rows <= MOST:
            raise UserError(f"transpose takes 1 to {MOST} rows", where=parser.where((start, parser.last_end)))
    return Transpose(rows, column)
