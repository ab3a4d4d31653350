"""What a function takes: each argument brought to the kind it needs, or refused by name.

The rules are those of the Calcite engine of opensearch-project/sql (`CoercionUtils`): a text becomes a number as a
double and a date or time where one is needed; a number never becomes a text by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.coerce import INSTANTS, INTEGERS, NUMBERS, sql_cast
from treering.query.function import Context, Function, Lambda, Typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-\d{2}")
_NEEDS = {
    "number": "a number",
    "integer": "a whole number",
    "text": "a text",
    "words": "a text",
    "address": "an address",
    "boolean": "a condition",
    "datetime": "a date, a time or a timestamp",
    "timestamp": "a timestamp",
    "day": "a date",
    "clock": "a time",
    "daytime": "a time",
    "time": "a time",
    "array": "an array",
    "any": "a value",
}


def argument(function: str, kind: str, value: Any, context: Context) -> Typed:
    """Return `value` as `kind` (a key of the table above). Raises `UserError` when it cannot be one."""
    if isinstance(value, Lambda):
        raise UserError(f"{function} takes {_NEEDS[kind]} here, not a lambda")
    found: Typed | None = value if kind == "any" else _converted(kind, value, context)
    if found is None:
        raise UserError(f"{function} takes {_NEEDS[kind]} here, not a value of type {value.type}")
    return found


# The types that each kind takes as they are; a value of unknown type becomes the first of them.
_TYPES: dict[str, tuple[Type, ...]] = {
    "number": (Type.DOUBLE, *NUMBERS),
    "integer": (Type.INT, *INTEGERS),
    "text": (Type.STRING,),
    "words": (Type.STRING,),
    "address": (Type.STRING,),
    "boolean": (Type.BOOLEAN,),
    "array": (Type.ARRAY,),
}
# The types of which a kind takes the text that is printed for them.
_PRINTED = {
    "text": (Type.BINARY,),
    "words": (Type.BINARY, Type.IP, *INSTANTS),
    "address": (Type.IP,),
}


def _converted(kind: str, value: Typed, context: Context) -> Typed | None:
    if kind in _TEXT_AS:
        return _instant(kind, value, context)
    source = value.type
    if kind == "number" and source in {Type.STRING, Type.UNDEFINED}:
        return Typed(sql_cast(value.sql, Type.DOUBLE, safe=True), Type.DOUBLE)
    if source is Type.UNDEFINED:
        target = _TYPES[kind][0]
        return Typed(sql_cast(value.sql, target), target, None)
    if source in _PRINTED.get(kind, ()):
        return Typed(coerce.text_of(value), Type.STRING)
    if kind == "boolean" and source is Type.STRING:
        return coerce.cast(value, Type.BOOLEAN, context.now_ns)
    return value if source in _TYPES[kind] else None


# What a text becomes. The first four kinds leave an instant of any type as it is.
_TEXT_AS = {
    "datetime": Type.TIMESTAMP,
    "day": Type.DATE,
    "clock": Type.TIME,
    "daytime": Type.TIME,
    "timestamp": Type.TIMESTAMP,
    "time": Type.TIME,
}


def _instant(kind: str, value: Typed, context: Context) -> Typed | None:
    target = _TEXT_AS[kind]
    if value.type is target or (kind in {"datetime", "day", "clock", "daytime"} and value.type in INSTANTS):
        return value
    if value.type is Type.UNDEFINED:
        return Typed(sql_cast(value.sql, target, safe=True), target)
    if value.type is not Type.STRING and value.type not in INSTANTS:
        return None
    if kind == "time" and value.type is not Type.STRING:
        return None
    if kind == "daytime" and isinstance(value.value, str) and _DATE.fullmatch(value.value):
        return coerce.implicit(value, Type.DATE, context.now_ns)
    return coerce.implicit(value, target, context.now_ns)


def takes(name: str, kinds: str, build: Callable[..., Typed], least: int | None = None) -> Function:
    """Return the function `name`; `kinds` are those of its arguments, in order, the last repeated after `*`.

    `build` gets the converted arguments; with a keyword `context` in its signature it gets that too. `least` is how
    many arguments it needs when the last ones may be left out.
    """
    words = kinds.split()
    repeated = bool(words) and words[-1].endswith("*")
    words = [word.rstrip("*") for word in words]
    wants_context = (
        "context" in build.__code__.co_varnames[: build.__code__.co_argcount + build.__code__.co_kwonlyargcount]
    )

    def lower(args: Sequence[Any], context: Context) -> Typed:
        found = [argument(name, words[min(i, len(words) - 1)], arg, context) for i, arg in enumerate(args)]
        return build(*found, context=context) if wants_context else build(*found)

    return Function(len(words) if least is None else least, None if repeated else len(words), lower)
