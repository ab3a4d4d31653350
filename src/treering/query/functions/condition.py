"""Conditions and choices (manual: functions/condition)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, instants, operators
from treering.query.arguments import takes
from treering.query.function import Context, Function, Typed
from treering.query.template import call, literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence


def meeting(values: Sequence[Typed]) -> Type | None:
    """Return the type that a choice between values has, or None when they have none in common."""
    return coerce.common([value.type for value in values if value.value is not None])


def choice(values: Sequence[Typed], kind: Type, context: Context) -> list[exp.Expression]:
    """Return the values as one type, ready to stand beside each other in CASE or COALESCE."""
    return [coerce.sql_cast(coerce.implicit(value, kind, context.now_ns).sql, kind) for value in values]


def _isnull(value: Typed) -> Typed:
    return Typed(exp.Is(this=coerce.operand(value.sql), expression=exp.Null()), Type.BOOLEAN)


def _isnotnull(value: Typed) -> Typed:
    return Typed(exp.Not(this=exp.Paren(this=_isnull(value).sql)), Type.BOOLEAN)


def _blank(template: str, value: Typed) -> Typed:
    if value.type is not Type.STRING:
        return _isnull(value)
    return typed(Type.BOOLEAN, template, x=value)


def _isblank(value: Typed) -> Typed:
    if value.type in {Type.BOOLEAN, Type.IP, *coerce.NUMBERS}:
        raise UserError(f"isblank takes a text here, not a value of type {value.type}")
    return _blank("coalesce(regexp_full_match(:x, '\\s*'), TRUE)", value)


def _coalesce(*values: Typed, context: Context) -> Typed:
    kind = meeting(values)
    if kind is None:
        kind = Type.STRING
    return call("coalesce", kind, *choice(values, kind, context))


def _ifnull(first: Typed, second: Typed | None = None, *, context: Context) -> Typed:
    if second is None:
        return first
    kind = meeting([first, second])
    if kind is None:
        raise UserError(f"ifnull takes two values of one type, not {first.type} and {second.type}")
    return call("coalesce", kind, *choice([first, second], kind, context))


def _nullif(first: Typed, second: Typed, context: Context) -> Typed:
    if meeting([first, second]) is None:
        raise UserError(f"nullif takes two values of one type, not {first.type} and {second.type}")
    same = operators.compare("=", first, second, context.now_ns)
    return typed(first.type, "CASE WHEN :s THEN NULL ELSE :x END", s=same, x=first)


def _if(test: Typed, yes: Typed, no: Typed, context: Context) -> Typed:
    kind = meeting([yes, no])
    if kind is None:
        raise UserError(f"if takes two values of one type, not {yes.type} and {no.type}")
    first, second = choice([yes, no], kind, context)
    element = yes.element or no.element
    found = typed(kind, "CASE WHEN :t THEN :a ELSE :b END", t=test, a=first, b=second)
    return Typed(found.sql, kind, element=element)


def _bound(template: str, modifier: Typed, stamp: Typed, context: Context) -> Typed:
    if not isinstance(modifier.value, str):
        raise UserError("earliest and latest take a time modifier written as a text, such as '-1d@d'")
    moment = instants.modifier(modifier.value, context.now_ns)
    if moment is None:
        raise UserError(
            f"{modifier.value!r} is not a time modifier", hint="write '-1d@d', 'now' or '2026-01-31 10:00:00'"
        )
    bound = typed(Type.TIMESTAMP, "make_timestamp_ns(:n)", n=coerce.sql_cast(literal(moment), Type.BIGINT))
    return typed(Type.BOOLEAN, template, b=bound, t=stamp)


def _earliest(modifier: Typed, stamp: Typed, context: Context) -> Typed:
    return _bound(":b <= :t", modifier, stamp, context)


def _latest(modifier: Typed, stamp: Typed, context: Context) -> Typed:
    return _bound(":b >= :t", modifier, stamp, context)


FUNCTIONS: dict[str, Function] = {
    "isnull": takes("isnull", "any", _isnull),
    "isnotnull": takes("isnotnull", "any", _isnotnull),
    "ispresent": takes("ispresent", "any", _isnotnull),
    "isempty": takes("isempty", "any", lambda x: _blank(":x IS NULL OR :x = ''", x)),
    "isblank": takes("isblank", "any", _isblank),
    "ifnull": takes("ifnull", "any any", _ifnull, least=1),
    "nullif": takes("nullif", "any any", _nullif),
    "coalesce": Function(1, None, takes("coalesce", "any*", _coalesce).lower, lenient=True),
    "if": takes("if", "boolean any any", _if),
    "earliest": takes("earliest", "text timestamp", _earliest),
    "latest": takes("latest", "text timestamp", _latest),
}
