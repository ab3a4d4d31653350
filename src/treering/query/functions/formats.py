"""Dates as text in chosen formats, and back; time zones (manual: functions/datetime)."""

from __future__ import annotations

import re

from treering.core.errors import UserError
from treering.query import moments
from treering.query.arguments import takes
from treering.query.coerce import INSTANTS, INTEGERS, NUMBERS, sql_cast
from treering.query.function import Context, Function, Typed
from treering.query.template import call, literal, typed
from treering.query.types import Type

_ISO_DATE, _ISO_TIME = "%Y-%m-%d", "%H:%i:%s"
_FORMATS = {
    ("date", "usa"): "%m.%d.%Y",
    ("date", "jis"): _ISO_DATE,
    ("date", "iso"): _ISO_DATE,
    ("date", "eur"): "%d.%m.%Y",
    ("date", "internal"): "%Y%m%d",
    ("time", "usa"): "%h:%i:%s %p",
    ("time", "jis"): _ISO_TIME,
    ("time", "iso"): _ISO_TIME,
    ("time", "eur"): "%H.%i.%s",
    ("time", "internal"): "%H%i%s",
    **{(kind, name): f"{_ISO_DATE} %H.%i.%s" for kind in ("timestamp", "datetime") for name in ("usa", "eur")},
    **{(kind, name): f"{_ISO_DATE} {_ISO_TIME}" for kind in ("timestamp", "datetime") for name in ("jis", "iso")},
    **{(kind, "internal"): "%Y%m%d%H%i%s" for kind in ("timestamp", "datetime")},
}
# The letters of MySQL's formats, the runs of Java's and the letters of C's that the engine itself can write.
_MYSQL = {letter: f"%{letter}" for letter in "abdfHjmpSyY"} | {"c": "%m", "h": "%I", "I": "%I", "i": "%M", "M": "%B"}
_MYSQL |= {"s": "%S", "T": "%H:%M:%S", "W": "%A", "e": "%-d", "k": "%-H", "l": "%-I", "r": "%I:%M:%S %p"}
_JAVA = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S"}
_C = {letter: f"%{letter}" for letter in "HIMpSAadjbBmyY"} | {"F": "%Y-%m-%d", "T": "%H:%M:%S", "X": "%H:%M:%S"}
_MYSQL_TOKEN = re.compile(r"%(.)|([aydmshiHIMYDSEL])\2*|[^%]", re.DOTALL)
_C_TOKEN = re.compile(r"%(.)|[^%]", re.DOTALL)


def _mysql(form: str) -> str | None:
    """Return a MySQL format as the engine's own `strftime` takes it, or None where it has not all parts of it."""
    parts = []
    for found in _MYSQL_TOKEN.finditer(form):
        known = _MYSQL.get(found[1]) if found[1] else _JAVA.get(found[0]) if found[2] else found[0]
        if known is None:
            return None
        parts.append(known)
    # A percent sign that begins nothing is itself; only Python writes it.
    return None if _bare_percent(form) else "".join(parts)


def _bare_percent(form: str) -> bool:
    return form.replace("%%", "").endswith("%")


def _c(form: str) -> str | None:
    """Return a C format as the engine's own `strftime` takes it, or None where it has not all parts of it."""
    parts = [_C.get(found[1]) if found[1] else found[0] for found in _C_TOKEN.finditer(form)]
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) and not _bare_percent(form) else None


def _date_format(value: Typed, form: Typed, context: Context) -> Typed:
    own = _mysql(form.value) if isinstance(form.value, str) else None
    if own is not None:
        return typed(Type.STRING, "strftime(:t, :f)", t=moments.stamp(value, context), f=literal(own))
    return call("ppl_date_format", Type.STRING, moments.ns(value, context), form)


def _time_format(value: Typed, form: Typed) -> Typed:
    return call("ppl_time_format", Type.STRING, moments.day_ns(value), form)


def _str_to_date(text: Typed, form: Typed, context: Context) -> Typed:
    return moments.from_ns(call("ppl_str_to_date", Type.BIGINT, text, form, moments.big(context.now_ns)))


def _strftime(value: Typed, form: Typed, context: Context) -> Typed:
    """A number is Unix seconds, or milliseconds from 10^11 on; so is a text with a number."""
    if value.type in INSTANTS:
        own = _c(form.value) if isinstance(form.value, str) else None
        if own is not None:
            return typed(Type.STRING, "strftime(:t, :f)", t=moments.stamp(value, context), f=literal(own))
        ns = moments.ns(value, context)
        seconds = typed(Type.BIGINT, "(:n - ((:n % 1000000000) + 1000000000) % 1000000000) // 1000000000", n=ns)
        nanos = typed(Type.BIGINT, "((:n % 1000000000) + 1000000000) % 1000000000", n=ns)
        return call("ppl_strftime", Type.STRING, seconds, nanos, form)
    if value.type not in NUMBERS and value.type not in {Type.STRING, Type.UNDEFINED}:
        raise UserError(f"strftime takes an instant or a number of seconds, not a value of type {value.type}")
    if value.type in INTEGERS:
        return _strftime_whole(value, form)
    number = Typed(sql_cast(value.sql, Type.DOUBLE, safe=True), Type.DOUBLE)
    number = typed(Type.DOUBLE, "CASE WHEN abs(:x) >= 1e11 THEN :x / 1000 ELSE :x END", x=number)
    kept = typed(Type.DOUBLE, "CASE WHEN abs(:x) < 1e12 THEN :x END", x=number)
    seconds = typed(Type.BIGINT, "floor(:x)", x=kept)
    nanos = typed(Type.BIGINT, "trunc((:x - floor(:x)) * 1e9)", x=kept)
    return call("ppl_strftime", Type.STRING, seconds, nanos, form)


def _strftime_whole(value: Typed, form: Typed) -> Typed:
    x = typed(Type.BIGINT, ":x", x=value)
    milliseconds = typed(Type.BIGINT, "CASE WHEN abs(:x) >= 100000000000 THEN :x ELSE :x * 1000 END", x=x)
    nanos = typed(Type.BIGINT, "((:m % 1000 + 1000) % 1000) * 1000000", m=milliseconds)
    seconds = typed(Type.BIGINT, "(:m - :n // 1000000) // 1000", m=milliseconds, n=nanos)
    return call("ppl_strftime", Type.STRING, seconds, nanos, form)


def _from_unixtime(value: Typed, form: Typed | None = None, *, context: Context) -> Typed:
    """Null before 1970 and from the year 2262 on, where 64 bits of nanoseconds end."""
    x = Typed(sql_cast(value.sql, Type.DOUBLE), Type.DOUBLE)
    template = (
        "CASE WHEN :x BETWEEN 0 AND 9223372035 THEN make_timestamp_ns("
        "CAST(floor(:x) AS BIGINT) * 1000000000 + CAST(trunc((:x - floor(:x)) * 1e9) AS BIGINT)) END"
    )
    found = typed(Type.TIMESTAMP, template, x=x)
    return found if form is None else _date_format(found, form, context)


def _get_format(kind: Typed, name: Typed) -> Typed:
    found = _FORMATS.get((str(kind.value).lower(), str(name.value).lower()))
    if found is None:
        return typed(Type.STRING, "NULL")
    return Typed(literal(found), Type.STRING, found)


def _convert_tz(value: Typed, source: Typed, target: Typed, context: Context) -> Typed:
    if value.type is Type.STRING:
        ns = call("ppl_datetime", Type.BIGINT, value, literal(""))
    elif value.type in INSTANTS or value.type is Type.UNDEFINED:
        ns = moments.ns(value, context)
    else:
        raise UserError(f"convert_tz takes a timestamp, not a value of type {value.type}")
    return moments.from_ns(call("ppl_convert_tz", Type.BIGINT, ns, source, target))


def _datetime(value: Typed, zone: Typed | None = None, *, context: Context) -> Typed:
    if value.type is Type.STRING:
        return moments.from_ns(call("ppl_datetime", Type.BIGINT, value, literal("") if zone is None else zone))
    if value.type not in INSTANTS and value.type is not Type.UNDEFINED:
        raise UserError(f"datetime takes a text or a timestamp, not a value of type {value.type}")
    if zone is None:
        return moments.stamp(value, context)
    return moments.from_ns(call("ppl_convert_tz", Type.BIGINT, moments.ns(value, context), literal("+00:00"), zone))


FUNCTIONS: dict[str, Function] = {
    "date_format": takes("date_format", "datetime text", _date_format),
    "time_format": takes("time_format", "clock text", _time_format),
    "str_to_date": takes("str_to_date", "text text", _str_to_date),
    "strftime": takes("strftime", "any text", _strftime),
    "from_unixtime": takes("from_unixtime", "number text", _from_unixtime, least=1),
    "get_format": takes("get_format", "text text", _get_format),
    "convert_tz": takes("convert_tz", "any text text", _convert_tz),
    "datetime": takes("datetime", "any text", _datetime, least=1),
}
