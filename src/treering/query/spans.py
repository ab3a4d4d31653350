"""Buckets: `span(field, 5m)`, of numbers and of time, as the rounding of OpenSearch places them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, instants
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.syntax import Name, Node, Span
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.parser import Parser
    from treering.query.scope import Scope

_FIXED_NS = {
    "us": 10**3,
    "ms": 10**6,
    "cs": 10**7,
    "ds": 10**8,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_MONTHS = {"M": 1, "q": 3, "y": 12}
_SMALL = {"us": "us", "cs": "cs", "ds": "ds", "microsecond": "us", "centisecond": "cs", "decisecond": "ds"}
_WEEK_NS = 7 * _FIXED_NS["d"]
_MONDAY_NS = -3 * _FIXED_NS["d"]  # 1969-12-29


def parse(parser: Parser) -> Span:
    """Take `span(field, size)` or `span(size)` with `span` still to come."""
    start = parser.peek().start
    parser.expect_word("span")
    parser.expect_op("(")
    field: Node | None = None
    if parser.peek().kind not in {Kind.NUMBER, Kind.SPAN}:
        field = parser.field()
        parser.expect_op(",")
    amount, unit = size(parser)
    parser.expect_op(")")
    return Span(field, amount, unit, place=(start, parser.last_end))


def size(parser: Parser) -> tuple[str, str]:
    """Take a bucket's size: a number, alone or with a unit of time. Raises `UserError` for an unknown unit."""
    found = parser.peek()
    if found.kind is Kind.NUMBER:
        parser.take()
        following = parser.peek()
        if following.kind is Kind.NAME and canonical(following.value) and found.value.isdecimal():
            parser.take()
            return found.value, following.value
        return found.value.rstrip("dD") if found.value[-1] in "dD" else found.value, "d" if found.value[
            -1
        ] in "dD" else ""
    if found.kind is not Kind.SPAN:
        parser.fail("expected the size of a span, such as 5m or 10")
    number, unit = re.fullmatch(r"([\d.]+)(.*)", found.value).groups()  # type: ignore[union-attr]
    if canonical(unit) is None:
        parser.fail("expected a unit of time: ms, s, m, h, d, w, M, q or y")
    parser.take()
    return number, unit


def length(parser: Parser, example: str) -> tuple[str, str]:
    """Take a length of time above zero. Raises `UserError` for any other, naming `example`."""
    found = size(parser)
    if not found[1] or float(found[0]) <= 0:
        parser.fail(f"expected a length of time such as {example} before this")
    return found


def canonical(unit: str) -> str | None:
    """Return the canonical name of a unit of time, or None."""
    return _SMALL.get(unit.lower().removesuffix("s") if len(unit) > 2 else unit) or instants.unit(unit)


def length_ns(amount: str, unit: str) -> float:
    """Return a span's usual length in nanoseconds; months count 30 days."""
    name = canonical(unit) or "s"
    if name == "w":
        return float(amount) * _WEEK_NS
    return float(amount) * (_FIXED_NS.get(name) or _MONTHS[name] * 30 * _FIXED_NS["d"])


def bucket(scope: Scope, node: Span) -> Typed:
    """Return the start of the bucket in which the field's value lies. Raises `UserError` when field and size differ."""
    value = scope.typed(node.field if node.field is not None else Name("@timestamp", place=node.place))
    if not node.unit:
        if value.type in coerce.INSTANTS:
            raise UserError(f"a span of a {value.type} needs a unit of time, such as 5m")
        return _marked(_number(value, node.amount), value, _whole(node.amount), 0)
    if value.type is Type.STRING:
        value = Typed(sql_cast(value.sql, Type.TIMESTAMP, safe=True), Type.TIMESTAMP)
    if value.type not in coerce.INSTANTS:
        raise UserError(f"a span of time needs a field of time, not {value.type}")
    unit, amount = canonical(node.unit) or "", float(node.amount)
    # Months are made of days.
    step = _FIXED_NS["d"] if unit in _MONTHS else round(amount * (_WEEK_NS if unit == "w" else _FIXED_NS[unit]))
    return _marked(_time(value, amount, unit), value, step, _MONDAY_NS if unit == "w" else 0)


def _whole(amount: str) -> int:
    return int(amount) if amount.isdecimal() else 0


def _marked(found: Typed, value: Typed, step: int, origin: int) -> Typed:
    """Say of which steps the buckets of a field are made (`treering.query.groups`)."""
    if step > 0 and isinstance(value.sql, exp.Column) and value.type is not Type.TIME:
        found.sql.meta["bucket"] = (step, origin % step)
    return found


def _number(value: Typed, amount: str) -> Typed:
    if value.type is Type.STRING:
        value = Typed(sql_cast(value.sql, Type.DOUBLE, safe=True), Type.DOUBLE)
    if value.type not in coerce.NUMBERS:
        raise UserError(f"a span of numbers needs a field of numbers, not {value.type}")
    if float(amount) <= 0:
        raise UserError("the size of a span must be greater than zero")
    whole = amount.isdecimal() and value.type in coerce.INTEGERS
    kind = value.type if whole else Type.DOUBLE
    step = exp.Literal.number(amount)
    ratio = exp.Paren(this=exp.Div(this=sql_cast(value.sql, Type.DOUBLE), expression=step, typed=False))
    floor = exp.Anonymous(this="floor", expressions=[ratio])
    return Typed(sql_cast(exp.Mul(this=floor, expression=step.copy()), kind), kind)


def _time(value: Typed, amount: float, unit: str) -> Typed:
    if amount <= 0:
        raise UserError("the size of a span must be greater than zero")
    if unit in _MONTHS:
        if value.type is Type.TIME:
            raise UserError("a time of day has no months")
        # A cast to a date would round the last nanoseconds of a day up.
        day = _time(value, 1, "d") if value.type is Type.TIMESTAMP else value
        return _months(day, max(1, round(amount * _MONTHS[unit])))
    step = round(amount * (_WEEK_NS if unit == "w" else _FIXED_NS[unit]))
    stamp = coerce.instant_ns(value)
    origin = _MONDAY_NS if unit == "w" else 0
    if origin:
        stamp = exp.Paren(this=exp.Sub(this=stamp, expression=exp.Literal.number(origin)))
    size = exp.Literal.number(step)
    # The remainder is made positive so that instants before 1970 round down too.
    once = exp.Anonymous(this="mod", expressions=[stamp, size])
    rest = exp.Anonymous(
        this="mod", expressions=[exp.Paren(this=exp.Add(this=once, expression=size.copy())), size.copy()]
    )
    start: exp.Expression = exp.Paren(this=exp.Sub(this=stamp.copy(), expression=rest))
    if origin:
        start = exp.Add(this=start, expression=exp.Literal.number(origin))
    return Typed(coerce.from_ns(start, value.type), value.type)


def _months(value: Typed, count: int) -> Typed:
    date = sql_cast(value.sql, "DATE")
    year = exp.Anonymous(this="year", expressions=[date])
    month = exp.Anonymous(this="month", expressions=[date.copy()])
    index = exp.Sub(
        this=exp.Add(this=exp.Mul(this=year, expression=exp.Literal.number(12)), expression=month),
        expression=exp.Literal.number(1 + 1970 * 12),
    )
    floor = exp.Anonymous(
        this="floor",
        expressions=[exp.Div(this=exp.Paren(this=index), expression=exp.Literal.number(float(count)), typed=False)],
    )
    months = sql_cast(exp.Mul(this=floor, expression=exp.Literal.number(count)), "INTEGER")
    steps = exp.Anonymous(this="to_months", expressions=[months])
    start = exp.Add(this=sql_cast(exp.Literal.string("1970-01-01"), "DATE"), expression=steps)
    return Typed(sql_cast(exp.Paren(this=start), value.type), value.type)
