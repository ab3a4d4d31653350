"""Mathematical functions (manual: functions/math).

Whole numbers stay whole where the manual says so; what has no real value (`sqrt(-1)`, `acos(2)`) is null. `round` and
`truncate` work on the decimal form of a number, so `round(0.285, 2)` is 0.29.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import coerce, operators
from treering.query.arguments import takes
from treering.query.coerce import INSTANTS, INTEGERS, NUMBERS, sql_cast
from treering.query.function import Function, Typed
from treering.query.template import call, literal, sql, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.function import Context

_NO_LOGARITHM = "CAST(error('cannot take the logarithm of zero or of a negative number') AS DOUBLE)"
_REAL = {
    "cbrt": "cbrt(:x)",
    "cos": "cos(:x)",
    "cosh": "cosh(:x)",
    "degrees": "degrees(:x)",
    "radians": "radians(:x)",
    "rint": "round_even(:x, 0)",
    "sin": "sin(:x)",
    "sinh": "sinh(:x)",
    "tan": "tan(:x)",
    "exp": "exp(:x)",
    "expm1": "CASE WHEN abs(:x) < 1e-5 THEN :x + :x * :x / 2 ELSE exp(:x) - 1 END",
    "acos": "CASE WHEN abs(:x) <= 1 THEN acos(:x) END",
    "asin": "CASE WHEN abs(:x) <= 1 THEN asin(:x) END",
    "cot": "1 / nullif(tan(:x), 0)",
    "log2": "CASE WHEN :x > 0 THEN log2(:x) END",
    "sqrt": "CASE WHEN :x >= 0 THEN sqrt(:x) END",
    "ln": f"CASE WHEN :x <= 0 THEN {_NO_LOGARITHM} ELSE ln(:x) END",
    "log10": f"CASE WHEN :x <= 0 THEN {_NO_LOGARITHM} ELSE log10(:x) END",
}


def _double(value: Typed) -> Typed:
    return Typed(sql_cast(value.sql, Type.DOUBLE), Type.DOUBLE)


def _real(template: str, x: Typed) -> Typed:
    return typed(Type.DOUBLE, template, x=_double(x))


def _same(function: str, x: Typed) -> Typed:
    return call(function, x.type, x)


def _power(x: Typed, y: Typed) -> Typed:
    power = typed(Type.DOUBLE, "power(:x, :y)", x=_double(x), y=_double(y))
    return typed(Type.DOUBLE, "CASE WHEN NOT isnan(:p) THEN :p END", p=power)


def _log(x: Typed, y: Typed | None = None) -> Typed:
    if y is None:
        return _real(_REAL["ln"], x)
    template = f"CASE WHEN :b <= 0 OR :x <= 0 THEN {_NO_LOGARITHM} WHEN :b <> 1 THEN ln(:x) / ln(:b) END"
    return typed(Type.DOUBLE, template, b=_double(x), x=_double(y))


def _atan(y: Typed, x: Typed | None = None) -> Typed:
    if x is None:
        return _real("atan(:x)", y)
    return typed(Type.DOUBLE, "atan2(:y, :x)", y=_double(y), x=_double(x))


def _decimal(function: str, x: Typed, digits: Typed | None = None) -> Typed:
    """Round or cut at a decimal place; a constant place works on the decimal form, another on the binary one."""
    if digits is not None and digits.value is None:
        return coerce.null(x.type)
    place = literal(0) if digits is None else sql_cast(digits.sql, Type.INT)
    plain = call(function, x.type, x, place)
    if x.type in INTEGERS:
        known = digits is None or (isinstance(digits.value, int) and digits.value >= 0)
        return Typed(x.sql, x.type) if known else call(function, x.type, _double(x), place)
    if digits is not None and not isinstance(digits.value, int):
        return plain
    shown = sql_cast(sql_cast(x.sql, Type.DOUBLE), "DECIMAL(38,15)", safe=True)
    exact = call(function, Type.DOUBLE, shown, place)
    return typed(x.type, "coalesce(:e, :p)", e=exact, p=plain)


def _sum(*args: Typed) -> Typed:
    return functools.reduce(lambda a, b: operators.arithmetic("+", a, b), args)


def _average(*args: Typed) -> Typed:
    return typed(Type.DOUBLE, ":s / :n", s=_double(_sum(*args)), n=literal(len(args)))


def _extreme(function: str, args: Sequence[Typed], context: Context) -> Typed:
    """Return the greatest or least argument, nulls left out. A text is greater than any number.

    Instants beside values of another type are compared as texts.
    """
    if len({arg.type in INSTANTS for arg in args}) > 1:
        args = [Typed(coerce.text_of(arg), Type.STRING) if arg.type in INSTANTS else arg for arg in args]
    numbers = [arg for arg in args if arg.type in NUMBERS]
    texts = [arg for arg in args if arg.type not in NUMBERS]
    kind = coerce.common([arg.type for arg in numbers]) or Type.DOUBLE
    if not texts:
        return call(function, kind, *numbers)
    if coerce.common([arg.type for arg in texts]) not in {Type.STRING, Type.UNDEFINED} or not numbers:
        other = coerce.common([arg.type for arg in args])
        if other is None:
            raise UserError("max and min compare values of one type, or numbers with texts")
        return call(
            function, other, *(sql_cast(coerce.implicit(arg, other, context.now_ns).sql, other) for arg in args)
        )
    if function == "least" and any(isinstance(arg.value, (int, float)) for arg in numbers):
        return call(function, kind, *numbers)
    found = [call(function, Type.STRING, *texts), Typed(coerce.text_of(call(function, kind, *numbers)), Type.STRING)]
    return call("coalesce", Type.STRING, *(found if function == "greatest" else reversed(found)))


def _conv(x: Typed, source: Typed, target: Typed) -> Typed:
    for base in (source, target):
        if isinstance(base.value, int) and not 2 <= base.value <= 36:
            raise UserError(f"conv takes a base from 2 to 36, not {base.value}")
    if x.type is not Type.STRING and x.type not in INTEGERS:
        raise UserError(f"conv takes a text or a whole number, not a {x.type}")
    bases = [sql_cast(base.sql, Type.BIGINT) for base in (source, target)]
    return call("ppl_conv", Type.STRING, sql_cast(x.sql, Type.STRING), *bases)


def _rand(seed: Typed | None = None) -> Typed:
    """A number from 0 to 1; with a seed the same ones each time, in the order of the rows."""
    if seed is None:
        return typed(Type.DOUBLE, "random()")
    return call("ppl_seeded", Type.DOUBLE, sql_cast(seed.sql, Type.INT), sql("row_number() OVER ()"))


def _arithmetic(sign: str, name: str) -> Function:
    return takes(name, "number number", lambda a, b: operators.arithmetic(sign, a, b))


def _add(first: Typed, second: Typed) -> Typed:
    """A number cannot be added to a text here, as `+` does."""
    if {first.type, second.type} & set(NUMBERS) and Type.STRING in {first.type, second.type}:
        raise UserError(f"add takes two numbers, not {first.type} and {second.type}")
    return operators.arithmetic("+", first, second)


FUNCTIONS: dict[str, Function] = {
    "abs": takes("abs", "number", lambda x: _same("abs", x)),
    "ceil": takes("ceil", "number", lambda x: _same("ceil", x)),
    "ceiling": takes("ceiling", "number", lambda x: _same("ceil", x)),
    "floor": takes("floor", "number", lambda x: _same("floor", x)),
    "sign": takes("sign", "number", lambda x: _same("sign", x)),
    "signum": takes("signum", "number", lambda x: _same("sign", x)),
    "atan": takes("atan", "number number", _atan, least=1),
    "atan2": takes("atan2", "number number", _atan),
    "pow": takes("pow", "number number", _power),
    "power": takes("power", "number number", _power),
    "log": takes("log", "number number", _log, least=1),
    "round": takes("round", "number integer", lambda x, n=None: _decimal("round", x, n), least=1),
    "truncate": takes("truncate", "number integer", lambda x, n=None: _decimal("trunc", x, n), least=1),
    "conv": takes("conv", "any integer integer", _conv),
    "crc32": takes("crc32", "text", lambda x: call("ppl_crc32", Type.BIGINT, x)),
    "e": takes("e", "", lambda: typed(Type.DOUBLE, "exp(1.0)")),
    "pi": takes("pi", "", lambda: typed(Type.DOUBLE, "pi()")),
    "rand": takes("rand", "integer", _rand, least=0),
    "add": takes("add", "any any", _add),
    "subtract": _arithmetic("-", "subtract"),
    "multiply": _arithmetic("*", "multiply"),
    "divide": _arithmetic("/", "divide"),
    "mod": _arithmetic("%", "mod"),
    "modulus": _arithmetic("%", "modulus"),
    "sum": takes("sum", "number*", _sum),
    "avg": takes("avg", "number*", _average),
    "max": takes("max", "any*", lambda *args, context: _extreme("greatest", args, context)),
    "min": takes("min", "any*", lambda *args, context: _extreme("least", args, context)),
}


def _named(name: str, template: str) -> Function:
    return takes(name, "number", lambda x: _real(template, x))


FUNCTIONS.update({name: _named(name, template) for name, template in _REAL.items() if name not in FUNCTIONS})
