"""`xyseries [sep=] [format=] <x> <y-name> in (<value>, …) <y-data>, …`: a row per x, a column per value and data field.

A single data field's columns are called after the values; those of several `data: value`, or as `format` says with
`$AGG$` and `$VAL$`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, printer
from treering.query.commands.regex import text
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.scope import Scope
from treering.query.types import SQL

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("xyseries",)
SEPARATOR = ": "


@dataclass(frozen=True, slots=True)
class Xyseries:
    """The field of the rows, that of the columns with its values, and what fills them."""

    x: Name
    y: Name
    values: tuple[str, ...]
    data: tuple[Name, ...]
    separator: str = SEPARATOR
    form: str | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        options = [] if self.separator == SEPARATOR else [f"sep={lexer.quote(self.separator)}"]
        options += [] if self.form is None else [f"format={lexer.quote(self.form)}"]
        values = ", ".join(map(lexer.quote, self.values))
        data = ", ".join(map(printer.expression, self.data))
        names = f"{printer.expression(self.x)} {printer.expression(self.y)}"
        return " ".join(["xyseries", *options, names, f"in ({values})", data])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by x; each cell is the greatest of its values."""
        scope = Scope(relation, compiler)
        key, series = scope.typed(self.x), scope.typed(self.y)
        if SQL[series.type] == "JSON":
            where = compiler.where(self.y.place)
            raise UserError(f"the columns of xyseries come from single values, not from {series.type}", where=where)
        cells: dict[str, Typed] = {}
        for name in self.data:
            value = scope.typed(name)
            for wanted in self.values:
                column = self._column(name.name, wanted)
                if column in cells or column == self.x.name:
                    where = compiler.where(name.place)
                    hint = "use $AGG$ and $VAL$ in format"
                    raise UserError(f"xyseries makes two columns called {column[:80]!r}", hint=hint, where=where)
                same = exp.EQ(this=coerce.operand(coerce.text_of(series)), expression=exp.Literal.string(wanted))
                cell = exp.Filter(this=exp.Max(this=value.sql.copy()), expression=exp.Where(this=same))
                cells[column] = Typed(cell, value.type)
        found = grouped(relation, compiler, list(cells.items()), [(self.x.name, key)], [])
        columns = list(found.columns.items())
        return found.with_columns(dict([columns[-1], *columns[:-1]]))

    def _column(self, data: str, value: str) -> str:
        if self.form is not None:
            return self.form.replace("$AGG$", data).replace("$VAL$", value)
        return value if len(self.data) == 1 else f"{data}{self.separator}{value}"


def parse(parser: Parser) -> Xyseries:
    """Read what follows `xyseries`."""
    separator, form = SEPARATOR, None
    while option := parser.option("sep", "format"):
        given = text(parser, "a text in quotes").value
        separator, form = (given, form) if option == "sep" else (separator, given)
    x, y = parser.field(), parser.field()
    parser.expect_word("in")
    parser.expect_op("(")
    values = [text(parser, "a value in quotes").value]
    while parser.op(","):
        values.append(text(parser, "a value in quotes").value)
    parser.expect_op(")")
    return Xyseries(x, y, tuple(dict.fromkeys(values)), parser.names(), separator, form)
