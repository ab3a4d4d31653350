"""`fillnull with <value> [in <field>, …]`, `using <field> = <value>, …`, `value=<value> [<field> …]`: no nulls.

Syntax:
    fillnull with <value> [in <field>, …]
    fillnull using <field> = <value>, …
    fillnull value=<value> [<field> …]

Arguments:
    value: what stands for null
    field: the columns; all if not said

Example:
    source=logs | fillnull with 0 in durationInNanos
    source=logs | fillnull using durationInNanos = 0, severityText = 'none'
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
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Node

NAMES = ("fillnull",)


@dataclass(frozen=True, slots=True)
class Fillnull:
    """Fields with their values; or one value for all shown fields."""

    pairs: tuple[tuple[Name, Node], ...] = ()
    every: Node | None = None
    lenient: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        if self.every is not None:
            return f"fillnull with {printer.expression(self.every)}"
        if self.lenient:
            names = ", ".join(printer.expression(name) for name, _ in self.pairs)
            return f"fillnull value={printer.expression(self.pairs[0][1])} {names}"
        return "fillnull using " + ", ".join(
            f"{printer.expression(name)} = {printer.expression(value)}" for name, value in self.pairs
        )

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Replace the columns in their places."""
        scope = Scope(relation, compiler)
        nodes: dict[str, tuple[Typed, Node]] = {}
        if self.every is not None:
            shown = output.visible(relation)
            nodes = {name: (column_value(column), self.every) for name, column in shown.items()}
        for name, value in self.pairs:
            if not (self.lenient and compiler.column(relation, name.name) is None):
                nodes[name.name] = (scope.typed(name), value)
        columns, added = dict(relation.columns), []
        for key, (current, node) in nodes.items():
            found = _filled(key, current, scope.typed(node), compiler, node)
            ref = compiler.fresh()
            added.append(aliased(found.sql, ref))
            columns[key] = computed(ref, found)
        return replace(relation, sql=relation.wrapped(*added), columns=columns, plain=False)


def _filled(name: str, current: Typed, value: Typed, compiler: Compiler, node: Node) -> Typed:
    kind = coerce.common([current.type, value.type])
    if value.type is Type.STRING and current.type in coerce.INSTANTS:
        kind = Type.STRING
    if current.type is Type.IP and value.type is not Type.IP:
        kind = None
    numbers = [found.type in coerce.NUMBERS for found in (current, value)]
    if kind is None or (numbers[0] != numbers[1] and Type.UNDEFINED not in {current.type, value.type}):
        raise UserError(
            f"a null of {name!r} ({current.type}) cannot be replaced by a {value.type}",
            where=compiler.where(node.place),
        )
    parts = [coerce.cast(each, kind, compiler.now_ns).sql for each in (current, value)]
    return Typed(exp.Coalesce(this=parts[0], expressions=parts[1:]), kind)


def parse(parser: Parser) -> Fillnull:
    """Read what follows `fillnull`."""
    if parser.option("value"):
        value = expressions.value(parser)
        if parser.at_end():
            return Fillnull(every=value)
        return Fillnull(tuple((name, value) for name in parser.names()), lenient=True)
    if parser.expect_word("with", "using") == "with":
        value = expressions.value(parser)
        if not parser.word("in"):
            return Fillnull(every=value)
        return Fillnull(tuple((name, value) for name in parser.names()))
    pairs = [_pair(parser)]
    while parser.op(","):
        pairs.append(_pair(parser))
    return Fillnull(tuple(pairs))


def _pair(parser: Parser) -> tuple[Name, Node]:
    name = parser.field()
    parser.expect_op("=")
    return name, expressions.value(parser)
