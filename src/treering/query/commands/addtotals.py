"""`addtotals [<field>, …] [row=] [col=] [fieldname=] [labelfield=] [label=]`: sums of each row, and of each column.

Only numbers are added; a row with a null among them has no total.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, lexer, printer, unions
from treering.query.commands.stats import grouped, unique
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import aliased, computed
from treering.query.scope import column_value
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("addtotals",)
TOTAL = "Total"
_WIDE = dict.fromkeys(coerce.INTEGERS, Type.BIGINT) | {Type.FLOAT: Type.DOUBLE, Type.DOUBLE: Type.DOUBLE}


@dataclass(frozen=True, slots=True)
class Addtotals:
    """The fields (none: every number), whether rows and columns are added, and where the sums and their label go."""

    names: tuple[Name, ...] = ()
    row: bool = True
    col: bool = False
    fieldname: str = TOTAL
    labelfield: str = ""
    label: str = TOTAL

    def print(self) -> str:
        """Return the command as PPL."""
        options = [] if self.row else ["row=false"]
        options += ["col=true"] if self.col else []
        options += [f"fieldname={lexer.quote(self.fieldname)}"] if self.fieldname != TOTAL else []
        return " ".join(["addtotals", *printed(self.names, self.labelfield, self.label), *options])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the column of sums, then the row of sums."""
        numbers = [
            name
            for name, column in relation.columns.items()
            if column.type in coerce.NUMBERS and (not self.names or name in {each.name for each in self.names})
        ]
        if self.row and numbers:
            total = functools.reduce(_plus, (_wide(relation, name) for name in numbers))
            relation = compiler.extended(relation, {unique(self.fieldname, relation.columns): total})
        return with_totals(relation, compiler, numbers, self.labelfield, self.label) if self.col else relation


def _wide(relation: Relation, name: str) -> Typed:
    value = column_value(relation.columns[name])
    kind = _WIDE[value.type]
    return Typed(coerce.sql_cast(value.sql, kind), kind)


def _plus(left: Typed, right: Typed) -> Typed:
    kind = Type.DOUBLE if Type.DOUBLE in {left.type, right.type} else Type.BIGINT
    return Typed(exp.Paren(this=exp.Add(this=left.sql, expression=right.sql)), kind)


def with_totals(relation: Relation, compiler: Compiler, numbers: list[str], label_field: str, label: str) -> Relation:
    """Return the relation with a last row of the sums of the columns `numbers`, and a label in a column of texts."""
    if label_field and label_field not in relation.columns:
        relation = compiler.extended(relation, {label_field: coerce.null(Type.STRING)})
    table, base = unions.shared(relation, compiler)
    columns, added = dict(base.columns), []
    sums: list[tuple[str, Typed]] = []
    for name in numbers:
        value = _wide(base, name)
        ref = compiler.fresh()
        added.append(aliased(value.sql, ref))
        columns[name] = computed(ref, value)
        total = exp.Anonymous(this="sum", expressions=[_wide(base, name).sql])
        sums.append((name, Typed(coerce.sql_cast(total, value.type), value.type)))
    if label_field and label_field not in numbers and relation.columns[label_field].type is Type.STRING:
        text = exp.Anonymous(this="any_value", expressions=[exp.Literal.string(label)])
        sums.append((label_field, Typed(exp.Coalesce(this=text, expressions=[exp.Literal.string(label)]), Type.STRING)))
    if not sums:
        sums.append(
            (next(iter(base.columns)), Typed(exp.Anonymous(this="any_value", expressions=[exp.Null()]), Type.UNDEFINED))
        )
    last = grouped(base, compiler, sums, [], [])
    base = replace(base, sql=base.wrapped(*added), columns=columns)
    return unions.sharing(table, unions.stacked([base, last], compiler))


def printed(names: tuple[Name, ...], label_field: str, label: str) -> list[str]:
    """Return the fields and the label's options as PPL."""
    parts = [", ".join(map(printer.expression, names))] if names else []
    parts += [f"labelfield={lexer.quote(label_field)}"] if label_field else []
    return parts + ([f"label={lexer.quote(label)}"] if label != TOTAL else [])


def parse(parser: Parser) -> Addtotals:
    """Read what follows `addtotals`."""
    names, options = read(parser, ("label", "labelfield", "fieldname", "row", "col"))
    return Addtotals(names, **options)  # type: ignore[arg-type]


def read(parser: Parser, known: tuple[str, ...]) -> tuple[tuple[Name, ...], dict[str, object]]:
    """Take fields and options, whichever comes first."""
    names: list[Name] = []
    options: dict[str, object] = {}
    while not parser.at_end():
        option = parser.option(*known)
        if option in {"row", "col"}:
            options[option] = parser.boolean()
        elif option is not None:
            options[option] = parser.take().value if parser.peek().kind is Kind.STRING else parser.field().name
        else:
            names.append(parser.field())
            parser.op(",")
    return tuple(names), options
