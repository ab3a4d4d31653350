"""`xyseries [sep=] [format=] <x> <y> in (<value>, …) <field>, …`: a column per value of y, a row per value of x.

Arguments:
    sep: what stands between a name and a value in the name of a column
    format: the whole name, with $VAL$ and $AGG$
    x: the field of the rows
    y: the field of the columns
    in: its values that become columns
    field: the values of the table

Example:
    source=logs | stats count() as n by serviceName, code | xyseries serviceName code in ('1', '2') n
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, lexer, printer
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("xyseries",)


@dataclass(frozen=True, slots=True)
class Xyseries:
    """The fields of rows, columns and values, the columns' values, and how a column of several fields is named.

    `form` has `$AGG$` for the field and `$VAL$` for the value; without it they stand with `separator` between.
    """

    x: Name
    y: Name
    values: tuple[str, ...]
    fields: tuple[Name, ...]
    separator: str = ": "
    form: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["xyseries"]
        parts += [f"sep={lexer.quote(self.separator)}"] if self.separator != ": " else []
        parts += [f"format={lexer.quote(self.form)}"] if self.form else []
        values = ", ".join(map(lexer.quote, self.values))
        parts.append(f"{printer.expression(self.x)} {printer.expression(self.y)} in ({values})")
        parts.append(", ".join(map(printer.expression, self.fields)))
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by x; a cell is the greatest value of its group."""
        scope = Scope(relation, compiler)
        text = coerce.text_of(scope.typed(self.y))
        cells: list[tuple[str, Typed]] = []
        for name in self.fields:
            value = scope.typed(name)
            for wanted in self.values:
                match = exp.EQ(this=coerce.operand(text.copy()), expression=exp.Literal.string(wanted))
                cell = exp.Case(ifs=[exp.If(this=match, true=value.sql.copy())])
                cells.append((self._column(name.name, wanted), Typed(exp.Max(this=cell), value.type)))
        found = grouped(relation, compiler, cells, [(self.x.name, scope.typed(self.x))], [])
        items = list(found.columns.items())
        return found.with_columns(dict([items[-1], *items[:-1]]))

    def _column(self, field: str, value: str) -> str:
        if self.form:
            return self.form.replace("$AGG$", field).replace("$VAL$", value)
        return value if len(self.fields) == 1 else f"{field}{self.separator}{value}"


def parse(parser: Parser) -> Xyseries:
    """Read what follows `xyseries`."""
    separator, form = ": ", ""
    while option := parser.option("sep", "format"):
        if option == "sep":
            separator = _text(parser)
        else:
            form = _text(parser)
    x, y = parser.field(), parser.field()
    parser.expect_word("in")
    parser.expect_op("(")
    values = [_text(parser)]
    while parser.op(","):
        values.append(_text(parser))
    parser.expect_op(")")
    fields = [parser.field()]
    while parser.op(","):
        fields.append(parser.field())
    return Xyseries(x, y, tuple(values), tuple(fields), separator, form)


def _text(parser: Parser) -> str:
    if parser.peek().kind not in {Kind.STRING, Kind.NUMBER}:
        parser.fail("expected a text between quotes")
    return parser.take().value
