"""`bin <field> [span=] [minspan=] [bins=] [aligntime=] [start=] [end=] [as <name>]`: ranges of numbers and times.

Widths are chosen as OpenSearch chooses them: powers of ten for numbers, the steps of an auto date histogram for times.

Arguments:
    field: a number or a time
    span: the width of a range: 10, 5m, log10
    minspan: the least width
    bins: how many ranges at most
    aligntime: an instant where a range of time begins; earliest and latest change nothing, as in OpenSearch
    start: the least number that is expected
    end: the greatest number that is expected
    as: the name of the column; the field's own if not said

Example:
    source=logs | bin durationInNanos span=1000000 | stats count() by durationInNanos
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import automatic, coerce, instants, lexer, printer, spans
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Automatic
from treering.query.scope import Scope
from treering.query.syntax import Name, Span
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("bin",)
MIN_BINS, MAX_BINS = 2, 50_000
_EDGES = ("earliest", "latest")  # as if nothing were said, as in OpenSearch
_NO_UNITS = (None, "w", "q", "y")
_LOG = re.compile(r"(\d*\.?\d*)(?:log(\d+\.?\d*|e)|ln)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bin:
    """The field and how wide its ranges are; numbers are kept as their text."""

    name: Name
    span: str = ""
    minspan: str = ""
    bins: int = 0
    aligntime: str = ""
    start: str = ""
    end: str = ""
    alias: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"bin {printer.expression(self.name)}"]
        options = {"span": self.span, "minspan": self.minspan, "bins": str(self.bins or ""), "start": self.start}
        parts += [f"{name}={value}" for name, value in {**options, "end": self.end}.items() if value]
        parts += [f"aligntime={lexer.quote(self.aligntime)}"] if self.aligntime else []
        parts += [f"as {lexer.name(self.alias)}"] if self.alias else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Put the range's text, or the bucket's start, in the field's place."""
        scope = Scope(relation, compiler)
        value = scope.typed(self.name)
        try:
            found = self._time(scope, value) if value.type in coerce.INSTANTS else self._number(value)
        except UserError as error:
            where = error.where or compiler.where(self.name.place)
            raise UserError(error.message, hint=error.hint, where=where) from None
        name = self.alias or self.name.name
        result = compiler.extended(relation, {name: found})
        if value.type in coerce.INSTANTS and self.bins and not self.span:
            named = replace(result.columns[name], automatic=Automatic(value, self.bins))
            result = result.with_columns({**result.columns, name: named})
        # Ranges that depend on all rows are none of the index's.
        depends = value.type not in coerce.INSTANTS and not self.span
        return replace(result, cut=result.cut or depends)

    def _time(self, scope: Scope, value: Typed) -> Typed:
        if self.bins and not self.span:
            return automatic.bucket(value, self.bins)
        amount, unit = _divided(self.span or self.minspan or "1h")
        unit = unit or "h"
        size = Span(self.name, amount, unit, place=self.name.place)
        if spans.canonical(unit) == "M" and value.type is not Type.TIME:
            # Months are named, not begun.
            return Typed(sql("strftime(:x, '%Y-%m')", x=spans.bucket(scope, size).sql), Type.STRING)
        if self.aligntime.lower() in {"", *_EDGES} or spans.canonical(unit) == "d":
            return spans.bucket(scope, size)
        return _aligned(value, spans.length_ns(amount, unit), self._origin(scope.compiler.now_ns))

    def _origin(self, now_ns: int) -> exp.Expression:
        text = self.aligntime.lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return literal(round(float(text) * 1e9))
        moment = instants.modifier(self.aligntime, now_ns)
        if moment is None:
            raise UserError(f"{self.aligntime!r} is no time", hint="earliest, latest, seconds since 1970 or @d+3h")
        return literal(moment)

    def _number(self, value: Typed) -> Typed:
        if value.type not in coerce.NUMBERS and value.type not in {Type.STRING, Type.UNDEFINED}:
            raise UserError(f"bin works on numbers and times, not on {value.type}")
        number = sql_cast(value.sql, Type.DOUBLE, safe=value.type not in coerce.NUMBERS)
        if self.span and (found := _LOG.fullmatch(self.span)):
            return _logarithmic(number, found)
        if self.span:
            amount, unit = _divided(self.span)
            if unit:
                raise UserError("a span of numbers has no unit of time")
            return _ranges(number, exp.Literal.number(amount))
        low, high = (exp.Window(this=exp.Anonymous(this=edge, expressions=[number.copy()])) for edge in ("min", "max"))
        width = self._width(low, high)
        if self._sized:
            return _ranges(number, width)
        # Without any option the ends are printed as fractions.
        start = sql("floor(:x / :w) * :w", x=number, w=width)
        return Typed(sql("CAST(:s AS VARCHAR) || '-' || CAST(:s + :w AS VARCHAR)", s=start, w=width), Type.STRING)

    def _width(self, low: exp.Expression, high: exp.Expression) -> exp.Expression:
        if self.minspan:
            least = float(_divided(self.minspan)[0])
            wide = exp.Literal.number(repr(10.0 ** math.ceil(math.log10(least))))
            power = "CASE WHEN :b > :a THEN CASE WHEN 10 ** floor(log10(:b - :a)) >= :m THEN "
            power += "10 ** floor(log10(:b - :a)) ELSE :w END END"
            return sql(power, a=low, b=high, m=exp.Literal.number(repr(least)), w=wide)
        if self.bins:
            return _optimal(low, high, self.bins)
        if self.start:
            low = sql("least(:a, :b)", a=low, b=_signed(self.start))
        if self.end:
            high = sql("greatest(:a, :b)", a=high, b=_signed(self.end))
        exact = "abs(log10(:b - :a) - floor(log10(:b - :a))) < 1e-10"
        if self.start or self.end:
            template = f"CASE WHEN :b > :a THEN 10 ** (floor(log10(:b - :a)) - CASE WHEN {exact} THEN 1 ELSE 0 END) END"
            return sql(template, a=low, b=high)
        return sql("CASE WHEN :b > :a THEN 10 ** floor(log10(:b - :a)) END", a=low, b=high)

    @property
    def _sized(self) -> bool:
        return bool(self.minspan or self.bins or self.start or self.end)


def _signed(text: str) -> exp.Expression:
    number = exp.Literal.number(text.removeprefix("-"))
    return exp.Neg(this=number) if text.startswith("-") else number


def _divided(text: str) -> tuple[str, str]:
    """Return amount and unit of a span. Raises `UserError` for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", text)
    unit = spans.canonical(found[2]) if found is not None else None
    if found is None or (found[2] and unit in _NO_UNITS):
        raise UserError(f"{text!r} is no span", hint="such as 10, 5m or log10; units are us, ms, cs, ds, s, m, h, d, M")
    if float(found[1]) <= 0:
        raise UserError("the size of a span must be greater than zero")
    return found[1], found[2]


def _optimal(low: exp.Expression, high: exp.Expression, bins: int) -> exp.Expression:
    """The least power of ten that makes no more than `bins` ranges."""
    count = literal(bins)
    width = sql("CASE WHEN :b > :a THEN 10 ** ceil(log10((:b - :a) / :n)) END", a=low, b=high, n=count)
    template = """CASE WHEN ceil((:b - :a) / :w) + CASE WHEN :b % :w = 0 THEN 1 ELSE 0 END > :n
        THEN :w * 10 ELSE :w END"""
    return sql(template, a=low, b=high, w=width, n=count)


def _ranges(number: exp.Expression, width: exp.Expression) -> Typed:
    """Return `start-end` of the range that a number lies in: whole numbers where both ends are."""
    width = sql_cast(width, Type.DOUBLE)
    start = sql("floor(:x / :w) * :w", x=number, w=width)
    whole = sql(
        """CAST(CAST(:s AS BIGINT) AS VARCHAR) || '-' || CAST(CAST(:s + :w AS BIGINT) AS VARCHAR)""", s=start, w=width
    )
    template = """CASE WHEN :w = floor(:w) AND abs(:s - round(:s)) < 1e-10 THEN :whole
        WHEN :w >= 1 THEN printf('%.1f-%.1f', :s, :s + :w) WHEN :w >= 0.1 THEN printf('%.2f-%.2f', :s, :s + :w)
        WHEN :w >= 0.01 THEN printf('%.3f-%.3f', :s, :s + :w) WHEN :w > 0 THEN printf('%.4f-%.4f', :s, :s + :w) END"""
    return Typed(sql(template, s=start, w=width, whole=whole), Type.STRING)


def _logarithmic(number: exp.Expression, found: re.Match[str]) -> Typed:
    factor = float(found[1] or 1)
    base = math.e if found[2] in {None, "e", "E"} else float(found[2])
    if base <= 1 or factor <= 0:
        raise UserError("a logarithmic span needs a base above 1 and a factor above 0", hint="such as log10 or 2log10")
    parts = {"c": exp.Literal.number(repr(factor)), "b": exp.Literal.number(repr(base))}
    step = sql("floor(ln(:x / CAST(:c AS DOUBLE)) / ln(CAST(:b AS DOUBLE)))", x=number, **parts)
    low = sql("CAST(:c AS DOUBLE) * CAST(:b AS DOUBLE) ** :n", n=step, **parts)
    high = sql("CAST(:c AS DOUBLE) * CAST(:b AS DOUBLE) ** (:n + 1)", n=step, **parts)
    template = """CASE WHEN :x > 0 THEN CAST(:l AS VARCHAR) || '-' || CAST(:h AS VARCHAR)
        ELSE 'Invalid' END"""
    return Typed(sql(template, x=number, l=low, h=high), Type.STRING)


def _aligned(value: Typed, step_ns: float, origin: exp.Expression) -> Typed:
    template = ":x - ((:x - :o) % :s + :s) % :s"
    parts = {"x": coerce.instant_ns(value), "o": origin, "s": literal(round(step_ns))}
    return Typed(coerce.from_ns(sql(template, **parts), value.type), value.type)


_OPTIONS = ("span", "minspan", "bins", "aligntime", "start", "end")


def parse(parser: Parser) -> Bin:
    """Read what follows `bin`."""
    name = parser.field()
    found: dict[str, object] = {}
    while option := parser.option(*_OPTIONS):
        start = parser.peek().start
        if option == "bins":
            count = parser.integer("the number of bins")
            if not MIN_BINS <= count <= MAX_BINS:
                where = parser.where((start, parser.last_end))
                raise UserError(
                    f"the number of bins lies between {MIN_BINS} and {MAX_BINS}, not at {count}", where=where
                )
            found[option] = count
        else:
            found[option] = _text(parser)
    alias = parser.field().name if parser.word("as") else ""
    return Bin(name, alias=alias, **found)  # type: ignore[arg-type]


def _text(parser: Parser) -> str:
    sign = parser.op("-") or ""
    following = parser.peek()
    if following.kind not in {Kind.NUMBER, Kind.SPAN, Kind.NAME, Kind.STRING}:
        parser.fail("expected a number, a span or a time")
    parser.take()
    text = sign + following.value
    # 1.11log2 is several words to the lexer.
    while parser.peek().start == parser.last_end and (
        parser.peek().kind in {Kind.NUMBER, Kind.SPAN, Kind.NAME} or parser.peek().is_op(".")
    ):
        text += parser.take().value
    return text
