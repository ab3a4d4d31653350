"""`sort [<count>] [+|-] <field> [asc|desc], …`: order the rows; nulls first when ascending, last when descending.

Arguments:
    count: how many rows at most
    +: ascending, which is so if not said
    -: descending
    field: a field, or auto(f), num(f), str(f), ip(f) to say as what

Example:
    source=logs | sort - durationInNanos, serviceName | head 3
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import chain, coerce, printer, pushdown
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Order, aliased, computed
from treering.query.scope import Scope, column_value
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("sort",)
FORMS = ("auto", "str", "num", "ip")


@dataclass(frozen=True, slots=True)
class Key:
    """A field to sort by; `form` is "", "auto", "str", "num" or "ip"."""

    name: Name
    descending: bool = False
    form: str = ""

    def print(self) -> str:
        """Return the key as PPL."""
        name = printer.expression(self.name)
        return ("- " if self.descending else "") + (f"{self.form}({name})" if self.form else name)


@dataclass(frozen=True, slots=True)
class Sort:
    """The keys, the first one strongest, and how many rows are kept (0: all)."""

    keys: tuple[Key, ...]
    count: int = 0

    def print(self) -> str:
        """Return the command as PPL."""
        return f"sort {f'{self.count} ' if self.count else ''}{', '.join(key.print() for key in self.keys)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Put the keys before the order the rows already have."""
        orders: list[Order] = []
        plain = relation.plain
        for key in self.keys:
            column = Scope(relation, compiler).column(key.name)
            if key.form in {"", "auto"} and not column.many:
                orders.append(Order(column, key.descending, not key.descending))
                continue
            value = _formed(column_value(column), key.form)
            ref = compiler.fresh()
            relation = replace(relation, sql=relation.wrapped(aliased(value.sql, ref)))
            orders.append(Order(computed(ref, value), key.descending, not key.descending))
        before = relation.order
        relation = replace(relation.ordered([*orders, *before]), plain=plain)
        if not self.count:
            return replace(relation, sorted=(relation.sql, relation.columns, before))
        pushdown.newest(relation, self.count)
        chain.limit(relation, self.count)
        return relation.limited(self.count)


def _formed(value: Typed, form: str) -> Typed:
    match form:
        case "num":
            return Typed(coerce.sql_cast(value.sql, Type.DOUBLE, safe=True), Type.DOUBLE)
        case "str":
            return Typed(coerce.text_of(value), Type.STRING)
        case "ip":
            return Typed(_address(coerce.text_of(value)), Type.STRING)
        case _:
            return value


def _address(text: exp.Expression) -> exp.Expression:
    """Pad the numbers of an address so that texts sort as addresses do."""
    parts = exp.Anonymous(this="string_split", expressions=[text, exp.Literal.string(".")])
    step = exp.column("x")
    padded = exp.Anonymous(this="lpad", expressions=[step, exp.Literal.number(3), exp.Literal.string("0")])
    lambda_ = exp.Lambda(this=padded, expressions=[exp.to_identifier("x")])
    listed = exp.Anonymous(this="list_transform", expressions=[parts, lambda_])
    return exp.Anonymous(this="array_to_string", expressions=[listed, exp.Literal.string(".")])


def parse(parser: Parser) -> Sort:
    """Read what follows `sort`."""
    count = 0
    if parser.peek().kind is Kind.NUMBER or (parser.peek().is_op("-") and _number_after_sign(parser)):
        from treering.query.commands.head import positive

        count = positive(parser, "the number of rows")
    start = parser.peek().start
    found = [_key(parser)]
    while parser.op(","):
        found.append(_key(parser))
    if any(sign for _, sign, _ in found) and any(suffix for _, _, suffix in found):
        place = (start, parser.last_end)
        raise UserError("a sign and asc or desc cannot both be given", where=parser.where(place))
    keys = [key for key, _, _ in found]
    trailing = parser.word("d", "desc")
    if trailing:
        keys = [replace(key, descending=not key.descending) for key in keys]
    return Sort(tuple(keys), count)


def _number_after_sign(parser: Parser) -> bool:
    before = parser.position
    parser.take()
    number = parser.peek().kind is Kind.NUMBER
    parser.position = before
    return number


def _key(parser: Parser) -> tuple[Key, str | None, str | None]:
    """Take a key; with it come the sign before and the word behind that say its direction."""
    sign = parser.op("+", "-")
    form = ""
    if parser.peek().is_word(*FORMS) and parser.next_is("("):
        form = parser.take().value.lower()
        parser.take()
    name = parser.field()
    if form:
        parser.expect_op(")")
    suffix = parser.word("asc", "a", "desc", "d")
    return Key(name, sign == "-" or suffix in {"desc", "d"}, form), sign, suffix
