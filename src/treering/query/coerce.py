"""Values and their types: literals, the common type of several values, and implicit and explicit conversion.

Rules as the Calcite engine of opensearch-project/sql applies them: a text meets a number as a double, a text meets an
instant as an instant, what cannot be converted is null.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.model.times import format_ns, rfc3339_ns
from treering.query.copying import copied
from treering.query.function import Typed
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Iterable

INTEGERS = (Type.TINYINT, Type.SMALLINT, Type.INT, Type.BIGINT)
NUMBERS = (*INTEGERS, Type.FLOAT, Type.DOUBLE)
INSTANTS = (Type.TIMESTAMP, Type.DATE, Type.TIME)
TEXTS = (Type.STRING, Type.IP, Type.BINARY, Type.UNDEFINED)
DOCUMENTS = (Type.STRUCT, Type.ARRAY, Type.GEO_POINT)
CAST_TYPES = {
    "int": Type.INT,
    "long": Type.BIGINT,
    "float": Type.FLOAT,
    "double": Type.DOUBLE,
    "string": Type.STRING,
    "boolean": Type.BOOLEAN,
    "date": Type.DATE,
    "time": Type.TIME,
    "timestamp": Type.TIMESTAMP,
    "ip": Type.IP,
    "json": Type.STRING,
}
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")
_FORMS = {
    Type.DATE: "yyyy-MM-dd",
    Type.TIME: "HH:mm:ss[.SSSSSSSSS]",
    Type.TIMESTAMP: "yyyy-MM-dd HH:mm:ss[.SSSSSSSSS]",
}


@functools.cache
def _data_type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="duckdb")


def data_type(name: str) -> exp.DataType:
    """Return the SQL type of one of our names for types; reading each takes as long as a line of a query."""
    return copied(_data_type(name))


def sql_cast(value: exp.Expression, kind: Type | str, *, safe: bool = False) -> exp.Expression:
    """Return `value` cast to the SQL type of `kind`; with `safe`, NULL where that fails."""
    target = data_type(SQL[kind] if isinstance(kind, Type) else kind)
    return (exp.TryCast if safe else exp.Cast)(this=value, to=target)


def null(kind: Type = Type.UNDEFINED) -> Typed:
    """Return NULL of a type."""
    return Typed(sql_cast(exp.Null(), kind), kind, None)


def string(value: str) -> Typed:
    """Return a text literal."""
    return Typed(exp.Literal.string(value), Type.STRING, value)


def number(text: str, kind: str) -> Typed:
    """Return a numeric literal from its digits; `kind` as in `syntax.Literal`. Whole numbers are INT where they fit."""
    negative = text.startswith("-")
    literal: exp.Expression = exp.Literal.number(text.removeprefix("-"))
    if negative:
        literal = exp.Neg(this=literal)
    if kind == "integer":
        value = int(text)
        if not -(2**63) <= value < 2**63:
            raise UserError(f"{text} does not fit into 64 bits", hint="write it with a fraction, as in 1.0")
        fits = Type.INT if -(2**31) <= value < 2**31 else Type.BIGINT
        return Typed(sql_cast(literal, fits) if negative or fits is Type.BIGINT else literal, fits, value)
    if kind == "float":
        return Typed(sql_cast(literal, Type.FLOAT), Type.FLOAT, float(text))
    if kind == "decimal" and len(text) <= 30:
        return Typed(literal, Type.DOUBLE, Decimal(text))
    return Typed(sql_cast(literal, Type.DOUBLE), Type.DOUBLE, float(text))


def instant(text: str, kind: Type) -> Typed:
    """Return a date, time or timestamp written as text. Raises `UserError` when it names none."""
    body = text.strip()
    if kind is Type.TIME:
        if _TIMESTAMP.fullmatch(body) and ":" in body:
            body = re.split("[ T]", body)[1]
        good = _TIME.fullmatch(body) is not None
    else:
        good = _TIMESTAMP.fullmatch(body) is not None
    if not good or not _exists(body, kind):
        raise UserError(f"{kind}:{text} in unsupported format, please use {_FORMS[kind]!r}")
    if kind is Type.TIMESTAMP and re.search(r"(Z|[+-]\d{2}:?\d{2})$", body[10:]):
        moment = rfc3339_ns(body)
        body = format_ns(moment)[:-1].replace("T", " ") if moment is not None else body
    body = body[:10] if kind is Type.DATE else body
    return Typed(sql_cast(exp.Literal.string(body.replace(",", ".")), kind), kind, text)


def address(text: str) -> Typed:
    """Return an IP address written as text. Raises `UserError` when it is none."""
    from treering.query import addresses

    try:
        canonical = addresses.canonical(text)
    except ValueError:
        raise UserError(f"{text!r} is no IP address") from None
    return Typed(exp.Literal.string(canonical), Type.IP, canonical)


def _exists(text: str, kind: Type) -> bool:
    """Whether day and hour are within their ranges."""
    from datetime import date, time

    try:
        if kind is not Type.TIME:
            date(*(int(part) for part in re.split("[ T]", text)[0].split("-")))
        clock = text if kind is Type.TIME else [*re.split("[ T]", text), ""][1]
        if clock:
            hour, minute, second = ([int(part) for part in re.findall(r"\d+", clock.split(".")[0])] + [0, 0])[:3]
            time(hour, minute, second)
    except ValueError:
        return False
    return True


def today(now_ns: int) -> str:
    """Return the date of an instant in UTC as text."""
    return format_ns(now_ns)[:10]


def common(types: Iterable[Type]) -> Type | None:
    """Return the type that all values can take without loss of meaning, or None."""
    found = [kind for kind in dict.fromkeys(types) if kind is not Type.UNDEFINED]
    if not found:
        return Type.UNDEFINED
    if len(found) == 1:
        return found[0]
    if all(kind in NUMBERS for kind in found):
        widest = max(found, key=NUMBERS.index)
        return Type.DOUBLE if widest is Type.FLOAT and Type.BIGINT in found else widest
    if all(kind in {Type.DATE, Type.TIMESTAMP, Type.TIME} for kind in found):
        return Type.TIMESTAMP
    if all(kind in TEXTS for kind in found):
        return Type.STRING
    return None


def implicit(value: Typed, target: Type, now_ns: int) -> Typed:
    """Return `value` as `target`, as a comparison or a common type needs it; NULL where a row cannot be converted."""
    source = value.type
    if source is target:
        return value
    if source in NUMBERS and target in NUMBERS:
        sql = _single(value.sql) if source is Type.FLOAT and target is Type.DOUBLE else value.sql
        return Typed(sql_cast(sql, target), target, value.value)
    if target in INSTANTS and isinstance(value.value, str) and source is Type.STRING:
        return instant(value.value, target)
    if target is Type.IP and isinstance(value.value, str):
        return address(value.value)
    return cast(value, target, now_ns)


def cast(value: Typed, target: Type, now_ns: int) -> Typed:  # noqa: C901, PLR0911  one rule per pair of types
    """Return `cast(value as target)`: NULL where a row's value has no such form."""
    source, sql = value.type, value.sql
    if source is target or source is Type.UNDEFINED:
        return Typed(sql if source is target else sql_cast(sql, target, safe=True), target, value.value, value.element)
    if target is Type.STRING:
        return Typed(text_of(value), Type.STRING)
    if target in INTEGERS:
        return Typed(_to_integer(value, target), target)
    if target is Type.FLOAT and (source in NUMBERS or source is Type.STRING):
        # A float travels as the double of its shortest form.
        return Typed(sql_cast(sql_cast(sql_cast(sql, "REAL", safe=True), "VARCHAR"), target), target)
    if target is Type.DOUBLE and source is Type.FLOAT:
        return Typed(sql_cast(_single(sql), target), target)
    if target is Type.BOOLEAN and source is Type.STRING:
        return Typed(_to_boolean(sql), target)
    if target is Type.BOOLEAN and source in NUMBERS:
        return Typed(exp.NEQ(this=sql, expression=exp.Literal.number(0)), target)
    if target is Type.TIMESTAMP and source is Type.TIME:
        day = exp.Literal.string(today(now_ns) + " ")
        return Typed(sql_cast(exp.DPipe(this=day, expression=sql_cast(sql, "VARCHAR")), target), target)
    if target in {Type.DATE, Type.TIMESTAMP, Type.TIME} and source in NUMBERS:
        raise UserError(f"cannot convert {source} to {target}")
    if target is Type.IP:
        return Typed(text_of(value), Type.IP)
    return Typed(sql_cast(sql, target, safe=True), target)


def _single(value: exp.Expression) -> exp.Expression:
    return sql_cast(value, "REAL")


def _to_boolean(text: exp.Expression) -> exp.Expression:
    word = exp.Lower(this=exp.Anonymous(this="trim", expressions=[text]))
    branches = [
        exp.If(
            this=exp.In(this=word.copy(), expressions=[exp.Literal.string(w) for w in words]), true=exp.Boolean(this=to)
        )
        for words, to in ((("true", "1"), True), (("false", "0"), False))
    ]
    return exp.Case(ifs=branches)


def _to_integer(value: Typed, target: Type) -> exp.Expression:
    if value.type in {Type.FLOAT, Type.DOUBLE}:
        return sql_cast(exp.Anonymous(this="trunc", expressions=[value.sql]), target, safe=True)
    if value.type is Type.STRING:
        digits = exp.Anonymous(this="regexp_matches", expressions=[value.sql, exp.Literal.string(r"^\s*[+-]?\d+\s*$")])
        return exp.Case(ifs=[exp.If(this=digits, true=sql_cast(value.sql.copy(), target, safe=True))])
    return sql_cast(value.sql, target, safe=True)


def text_of(value: Typed) -> exp.Expression:
    """Return the text that PPL prints for a value."""
    sql = value.sql
    if value.type in TEXTS or value.type in DOCUMENTS:
        return sql_cast(sql, "VARCHAR") if value.type is not Type.STRING else sql
    if value.type is Type.BOOLEAN:
        return exp.Upper(this=sql_cast(sql, "VARCHAR"))
    if value.type in {Type.FLOAT, Type.DOUBLE} and not isinstance(value.value, Decimal):
        return sql_cast(sql, "VARCHAR")
    return sql_cast(sql, "VARCHAR")


def operand(sql: exp.Expression) -> exp.Expression:
    """Return `sql` so that it can stand beside an operator: in parentheses unless it is one unit."""
    return (
        exp.Paren(this=sql)
        if isinstance(sql, exp.Binary | exp.Unary | exp.Predicate | exp.Escape)
        and not isinstance(sql, exp.Paren | exp.Dot)
        else sql
    )


def explicit(value: Typed, target: Type, now_ns: int) -> Typed:
    """Return `cast(value as target)`. Raises `UserError` when a literal has no such form."""
    if target in INSTANTS and isinstance(value.value, str) and value.type is Type.STRING:
        return instant(value.value, target)
    if target is Type.IP:
        if isinstance(value.value, str):
            return address(value.value)
        if value.type not in TEXTS:
            raise UserError(f"cannot convert {value.type} to ip: only texts and addresses can be one")
    return cast(value, target, now_ns)


def instant_ns(value: Typed) -> exp.Expression:
    """Return a date, time or timestamp as nanoseconds: since the epoch, or since midnight."""
    if value.type is Type.TIME:
        stamp = exp.DPipe(this=exp.Literal.string("1970-01-01 "), expression=sql_cast(value.sql, "VARCHAR"))
        return exp.Anonymous(this="epoch_ns", expressions=[sql_cast(stamp, Type.TIMESTAMP)])
    return exp.Anonymous(this="epoch_ns", expressions=[sql_cast(value.sql, Type.TIMESTAMP)])


def from_ns(number: exp.Expression, kind: Type) -> exp.Expression:
    """Return the date, time or timestamp of so many nanoseconds."""
    stamp = exp.Anonymous(this="make_timestamp_ns", expressions=[number])
    return stamp if kind is Type.TIMESTAMP else sql_cast(stamp, kind)
