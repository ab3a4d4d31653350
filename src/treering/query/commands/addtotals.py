"""`addtotals [<field> …] [row=] [col=] [fieldname=] [label=] [labelfield=]` and `addcoltotals`: sums.

Syntax:
    addtotals [<field>, …] [row=true|false] [col=true|false] [fieldname=<name>] [label=<text>] [labelfield=<field>]
    addcoltotals [<field>, …] [label=<text>] [labelfield=<field>]

Arguments:
    field: the numbers that are added; all if not said
    row: true for a sum in each row, which is so if not said
    col: true for a last row of sums
    fieldname: the name of the column of sums, Total if not said; there is none where no field is a number
    label: what stands in the last row, Total if not said
    labelfield: the column in which it stands

Example:
    source=logs | stats count() as n by serviceName | addtotals col=true labelfield='serviceName'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, lexer, output, printer, unions
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Relation, aliased, computed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column
    from treering.query.syntax import Name, Place

NAMES = ("addtotals", "addcoltotals")


@dataclass(frozen=True, slots=True)
class Addtotals:
    """The fields (none: all numbers), which sums are made, and where the label of the last row stands."""

    names: tuple[Name, ...] = ()
    row: bool = True
    col: bool = False
    total: str = "Total"
    label: str = "Total"
    label_field: str = ""
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["addtotals", ", ".join(map(printer.expression, self.names))]
        parts += ["row=false"] if not self.row else []
        parts += ["col=true"] if self.col else []
        parts += [f"fieldname={lexer.quote(self.total)}"] if self.total != "Total" else []
        parts += [f"label={lexer.quote(self.label)}"] if self.label != "Total" else []
        parts += [f"labelfield={lexer.quote(self.label_field)}"] if self.label_field else []
        return " ".join(part for part in parts if part)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the column of row sums, then the row of column sums."""
        summed = self._summed(relation, compiler)
        if self.row and summed:
            total = _row_total(summed)
            relation = compiler.extended(relation, {self.total: total})
        if not self.col:
            return relation
        if self.label_field and self.label_field not in relation.columns:
            relation = compiler.extended(relation, {self.label_field: coerce.null(Type.STRING)})
        return unions.union([relation, self._last(relation, summed, compiler)], compiler, self.place, widen=True)

    def _summed(self, relation: Relation, compiler: Compiler) -> Mapping[str, Column]:
        if self.names:
            columns = {name.name: compiler.column(relation, name.name) for name in self.names}
            found = {name: column for name, column in columns.items() if column is not None}
        else:
            found = dict(output.visible(relation))
        return {name: column for name, column in found.items() if column.type in coerce.NUMBERS and not column.many}

    def _last(self, relation: Relation, summed: Mapping[str, Column], compiler: Compiler) -> Relation:
        columns: dict[str, Column] = {}
        selected: list[exp.Expression] = []
        for name, column in summed.items():
            summed_up: exp.Expression = exp.Anonymous(this="sum", expressions=[column.raw])
            if relation.indexed:
                summed_up = exp.Coalesce(this=summed_up, expressions=[exp.Literal.number(0)])
            total = sql_cast(summed_up, _wide(column.type))
            columns[name] = computed(compiler.fresh(), Typed(total, _wide(column.type)))
            selected.append(aliased(total, columns[name].ref))
        labelled = relation.columns.get(self.label_field)
        if labelled is not None and labelled.type is Type.STRING and self.label_field not in summed:
            columns[self.label_field] = computed(compiler.fresh(), coerce.string(self.label))
            selected.append(aliased(exp.Literal.string(self.label), columns[self.label_field].ref))
        if not columns:
            selected = [exp.Literal.number(1)]
        select = exp.Select(expressions=selected)
        select.set("from_", relation.wrapped().args.get("from_"))
        if not summed:
            select = select.limit(1, copy=False)
        return Relation(select, columns, plain=False, implicit=relation.implicit)


def _wide(kind: Type) -> Type:
    return Type.BIGINT if kind in coerce.INTEGERS else Type.DOUBLE


def _row_total(summed: Mapping[str, Column]) -> Typed:
    kind = Type.BIGINT if all(column.type in coerce.INTEGERS for column in summed.values()) else Type.DOUBLE
    total: exp.Expression = exp.Literal.number(0)
    for column in summed.values():
        total = exp.Add(this=total, expression=sql_cast(column.raw, kind))
    return Typed(sql_cast(exp.Paren(this=total), kind), kind)


_OPTIONS = ("row", "col", "fieldname", "label", "labelfield")


def parse(parser: Parser) -> Addtotals:
    """Read what follows `addtotals` or `addcoltotals`; options may stand among the fields."""
    start = parser.peek().start
    columns_only = parser.text[: parser.last_end].lower().endswith("addcoltotals")
    found: dict[str, object] = {"row": not columns_only, "col": columns_only}
    names: list[Name] = []
    while not parser.at_end():
        if parser.op(","):
            continue
        match parser.option(*_OPTIONS[2:] if columns_only else _OPTIONS):
            case None:
                names.append(parser.field())
            case "row":
                found["row"] = parser.boolean()
            case "col":
                found["col"] = parser.boolean()
            case "fieldname":
                found["total"] = _text(parser)
            case "label":
                found["label"] = _text(parser)
            case _:
                found["label_field"] = _text(parser)
    return Addtotals(tuple(names), place=(start, parser.last_end), **found)  # type: ignore[arg-type]


def _text(parser: Parser) -> str:
    if parser.peek().kind is not Kind.STRING:
        parser.fail("expected a text between quotes")
    return parser.take().value
