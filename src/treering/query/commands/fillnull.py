"""`fillnull with <value> [in <field>, …]`, `fillnull using <field> = <value>, …`, `fillnull value=<value> [<field> …]`.

Null values become another value, of the field's kind: a text for texts, a number for numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, expressions, output, printer
from treering.query.function import Typed
from treering.query.relation import aliased, computed
from treering.query.scope import Scope, column_value
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name, Node

NAMES = ("fillnull",)


@dataclass(frozen=True, slots=True)
class Fillnull:
    """Fields with what their nulls become; `value` alone is for all fields."""

    pairs: tuple[tuple[Name, Node], ...] = ()
    value: Node | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        if self.value is not None:
            return f"fillnull with {printer.expression(self.value)}"
        pairs = ", ".join(f"{printer.expression(name)} = {printer.expression(value)}" for name, value in self.pairs)
        return f"fillnull using {pairs}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Replace the columns where they stand; a field that is not there is passed over."""
        if self.value is not None:
            wanted = dict.fromkeys(output.visible(relation), self.value)
        else:
            wanted = {name.name: value for name, value in self.pairs}
            if len(wanted) < len(self.pairs):
                where = compiler.where(self.pairs[-1][0].place)
                raise UserError("fillnull names a field twice", where=where)
        columns, added = dict(relation.columns), []
        for name, node in wanted.items():
            column = compiler.column(relation, name)
            if column is None:
                continue
            found = _filled(name, column, node, Scope(relation, compiler))
            ref = compiler.fresh()
            added.append(aliased(found.sql, ref))
            columns[name] = computed(ref, found)
        return replace(relation, sql=relation.wrapped(*added), columns=columns, plain=False) if added else relation


def _filled(name: str, column: Column, node: Node, scope: Scope) -> Typed:
    value, by = column_value(column), scope.typed(node)
    kind = coerce.common([value.type, by.type]) if _alike(value.type, by.type) else None
    if kind is None:
        raise UserError(
            f"fillnull cannot put a value of type {by.type} into {name!r}, which is {value.type}",
            hint="name the fields, or cast one of them",
            where=scope.compiler.where(node.place),
        )
    now = scope.compiler.now_ns
    parts = [coerce.implicit(part, kind, now) for part in (value, by)]
    return Typed(exp.Coalesce(this=parts[0].sql, expressions=[parts[1].sql]), kind, element=value.element)


def _alike(left: Type, right: Type) -> bool:
    """Whether both are numbers, texts or instants written as texts, or of one type."""
    texts = {*coerce.INSTANTS, Type.STRING}
    families = (set(coerce.NUMBERS), texts)
    return left is right or Type.UNDEFINED in {left, right} or any({left, right} <= set(family) for family in families)


def parse(parser: Parser) -> Fillnull:
    """Read what follows `fillnull`."""
    word = parser.expect_word("with", "using", "value")
    if word == "using":
        return Fillnull(_pairs(parser))
    if word == "value":
        parser.expect_op("=")
    value = expressions.value(parser)
    if parser.word("in") if word == "with" else not parser.at_end():
        return Fillnull(tuple((name, value) for name in parser.names()))
    return Fillnull((), value)


def _pairs(parser: Parser) -> tuple[tuple[Name, Node], ...]:
    pairs: list[tuple[Name, Node]] = []
    while True:
        name = parser.field()
        parser.expect_op("=")
        pairs.append((name, expressions.value(parser)))
        if not parser.op(","):
            return tuple(pairs)
