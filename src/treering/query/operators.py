"""Arithmetic, comparison and text patterns over typed values."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import addresses, coerce, regexes
from treering.query.coerce import DOCUMENTS, INTEGERS, NUMBERS, operand, sql_cast
from treering.query.function import Typed
from treering.query.required import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

# Shorter literals are in too many texts for looking them up first to save anything.
_SHORTEST = 4
_SIGNS: dict[str, Any] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul}
_COMPARE: dict[str, Any] = {"=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}


def arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    """Return `left sign right`. Whole numbers divide to whole numbers; division by zero is null."""
    if sign == "+" and left.type is Type.STRING and right.type is Type.STRING:
        return Typed(exp.DPipe(this=left.sql, expression=right.sql), Type.STRING)
    a, b = _number(sign, left), _number(sign, right)
    kind = coerce.common([a.type, b.type]) or Type.DOUBLE
    if sign in {"/", "%"}:
        return _division(sign, a, b, kind)
    if kind in INTEGERS:
        # One size wider, so that two INTs never overflow; a BIGINT that does is an error of the query.
        wide = Type.BIGINT
        return Typed(_SIGNS[sign](this=sql_cast(a.sql, wide), expression=sql_cast(b.sql, wide)), wide)
    return Typed(_SIGNS[sign](this=operand(a.sql), expression=operand(b.sql)), kind)


def _division(sign: str, a: Typed, b: Typed, kind: Type) -> Typed:
    divisor = exp.Nullif(this=b.sql, expression=exp.Literal.number(0))
    if sign == "%":
        return Typed(exp.Anonymous(this="mod", expressions=[a.sql, divisor]), kind)
    if kind in INTEGERS:
        return Typed(exp.Anonymous(this="divide", expressions=[a.sql, divisor]), kind)
    return Typed(exp.Paren(this=exp.Div(this=sql_cast(a.sql, Type.DOUBLE), expression=divisor, typed=False)), kind)


def _number(sign: str, value: Typed) -> Typed:
    if value.type in NUMBERS:
        return value
    if value.type in {Type.STRING, Type.UNDEFINED}:
        return Typed(sql_cast(value.sql, Type.DOUBLE, safe=True), Type.DOUBLE)
    raise UserError(f"{sign!r} works on numbers, not on {value.type}")


def negative(value: Typed) -> Typed:
    """Return `-value`."""
    number = _number("-", value)
    return Typed(exp.Neg(this=operand(number.sql)), number.type)


def compare(sign: str, left: Typed, right: Typed, now_ns: int) -> Typed:
    """Return the comparison, after both sides took a common type. Raises `UserError` when they have none."""
    a, b = comparable(left, right, now_ns)
    if sign == "!=" and a.type is Type.BOOLEAN and Type.BOOLEAN is left.type and isinstance(right.value, bool):
        # As the index answers: not true is false or missing.
        return Typed(exp.NullSafeNEQ(this=operand(a.sql), expression=operand(b.sql)), Type.BOOLEAN)
    if a.type is Type.IP and sign not in {"=", "!="}:
        a, b = (Typed(addresses.key(side.sql), Type.STRING) for side in (a, b))
    return Typed(_COMPARE[sign](this=operand(a.sql), expression=operand(b.sql)), Type.BOOLEAN)


def comparable(left: Typed, right: Typed, now_ns: int) -> tuple[Typed, Typed]:
    """Return both values as one type that can be compared."""
    target = _meet(left.type, right.type)
    return coerce.implicit(left, target, now_ns), coerce.implicit(right, target, now_ns)


def _meeting(left: Type, right: Type) -> Type | None:
    if left is right:
        return left
    for one, other in ((left, right), (right, left)):
        if one is Type.UNDEFINED:
            return other
        if other is Type.STRING:
            return Type.DOUBLE if one in NUMBERS else Type.STRING if one in DOCUMENTS else one
    return coerce.common([left, right])


def member(value: Typed, items: Sequence[Typed], now_ns: int) -> Typed:
    """Return `value in (items)`."""
    for item in items:
        if (value.type in NUMBERS) != (item.type in NUMBERS) and Type.UNDEFINED not in {value.type, item.type}:
            raise UserError(f"the items of in must be of one type with {value.type}, not {item.type}")
    target = functools.reduce(_meet, [item.type for item in items], value.type)
    listed = [coerce.implicit(item, target, now_ns).sql for item in items]
    return Typed(exp.In(this=operand(coerce.implicit(value, target, now_ns).sql), expressions=listed), Type.BOOLEAN)


def between(value: Typed, low: Typed, high: Typed, now_ns: int) -> Typed:
    """Return `value between low and high`, both included."""
    for end in (low, high):
        if (value.type in NUMBERS) != (end.type in NUMBERS) and Type.UNDEFINED not in {value.type, end.type}:
            raise UserError(f"both ends of between must be of one type with {value.type}, not {end.type}")
    target = _meet(_meet(value.type, low.type), high.type)
    parts = [operand(coerce.implicit(part, target, now_ns).sql) for part in (value, low, high)]
    return Typed(exp.Between(this=parts[0], low=parts[1], high=parts[2]), Type.BOOLEAN)


def _meet(left: Type, right: Type) -> Type:
    target = _meeting(left, right)
    if target is None:
        raise UserError(f"cannot compare {left} with {right}")
    return target


def like(value: Typed, pattern: Typed, *, case_sensitive: bool = False) -> Typed:
    """Return whether the text has the form of a pattern with `%` and `_`; a backslash takes their meaning away."""
    for part in (value, pattern):
        if part.type not in {Type.STRING, Type.UNDEFINED}:
            raise UserError(f"like works on texts, not on {part.type}", hint="cast it to string first")
    node = exp.Like if case_sensitive else exp.ILike
    test = node(this=_text(value), expression=_text(pattern))
    return Typed(exp.Escape(this=test, expression=exp.Literal.string("\\")), Type.BOOLEAN)


def contains(value: Typed, part: Typed) -> Typed:
    """Return whether the text has this part, whatever the case."""
    if not isinstance(part.value, str):
        raise UserError("contains takes a quoted text on its right")
    return like(value, coerce.string("%" + re.sub(r"([%_\\])", r"\\\1", part.value) + "%"))


def regexp(value: Typed, pattern: Typed) -> Typed:
    """Return whether a part of the text matches the regular expression."""
    if not isinstance(pattern.value, str):
        return Typed(searched(_text(value), _text(pattern), None), Type.BOOLEAN)
    form = coerce.string(regexes.check(pattern.value)).sql
    if regexes.beyond_re2(pattern.value):
        return Typed(exp.Anonymous(this="ppl_regex_match", expressions=[_text(value), form]), Type.BOOLEAN)
    return Typed(searched(_text(value), form, pattern.value), Type.BOOLEAN)


def searched(text: exp.Expression, form: exp.Expression, pattern: Any) -> exp.Expression:
    """Return whether a regular expression is found; texts without its literal part, if it has one, are not asked."""
    found = exp.Anonymous(this="regexp_matches", expressions=[text, form])
    part = literal(pattern) if isinstance(pattern, str) else ""
    if len(part) < _SHORTEST or part == pattern:
        return found
    has = exp.Anonymous(this="contains", expressions=[text.copy(), exp.Literal.string(part)])
    return exp.Paren(this=exp.And(this=has, expression=found))


def _text(value: Typed) -> exp.Expression:
    return operand(coerce.text_of(value))


def truth(value: Typed, what: str) -> exp.Expression:
    """Return a condition's SQL. Raises `UserError` when the value is not a boolean."""
    if value.type is Type.UNDEFINED or value.value is None:
        return sql_cast(value.sql, Type.BOOLEAN)
    if value.type is not Type.BOOLEAN:
        raise UserError(f"{what} needs a condition, not a {value.type}")
    return value.sql
