"""`… | timechart … | timewrap <span> [align=end|now] [series=relative|short]`: periods beside each other.

Each period is a column, the oldest first, named after its distance from the search's end; periods without data are left
out of the answer (manual: cmd/timewrap).

Arguments:
    span: the length of a period
    align: end for periods that end with the search, or now
    series: relative for names such as 1day_before, short for s0, s1

Example:
    source=logs earliest=-3d latest=now | timechart span=1h count() | timewrap 1day
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, spans
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Order, aliased, named
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("timewrap",)
MOST = 200  # periods
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "M": "month", "q": "quarter", "y": "year"}
_MONTHS = {"M": 1, "q": 3, "y": 12}
_HINT = "bound it before: where @timestamp >= '…' and @timestamp <= '…'"


@dataclass(frozen=True, slots=True)
class Timewrap:
    """The period, whether periods are counted from now, and whether columns have short names."""

    amount: int
    unit: str
    now: bool = False
    short: bool = False
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        name = _UNITS[self.unit]
        text = f"timewrap {self.amount}{name}" + (" align=now" if self.now else "")
        return text + (" series=short" if self.short else "")

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group by the place in the period, with a column per period."""
        shown = list(relation.columns.items())
        if len(shown) != 2 or shown[0][1].type is not Type.TIMESTAMP:
            hint = "put it after a timechart without by"
            raise UserError("timewrap needs a time and one aggregate", hint=hint, where=compiler.where(self.place))
        (time_name, time), (name, value) = shown
        end, first, last = self._bounds(compiler)
        stamp = coerce.instant_ns(Typed(time.raw, time.type))
        distance, place = compiler.fresh(), compiler.fresh()
        parts = [aliased(self._distance(stamp, end), distance), aliased(self._place(stamp), place)]
        relation = replace(relation, sql=relation.wrapped(*parts))
        cells = []
        for index in range(last, first - 1, -1):
            cell = sql("max(CASE WHEN :i = :n THEN :x END)", i=named(distance), n=literal(index), x=value.raw)
            cells.append((self._name(name, index), Typed(cell, value.type)))
        when = Typed(coerce.from_ns(named(place), Type.TIMESTAMP), Type.TIMESTAMP)
        found = grouped(relation, compiler, cells, [(time_name, when)], [])
        items = list(found.columns.items())
        optional = [(key, replace(column, optional=True)) for key, column in items[:-1]]
        return replace(found.ordered([Order(items[-1][1])]), columns=dict([items[-1], *optional]))

    def _bounds(self, compiler: Compiler) -> tuple[int, int, int]:
        """Return the end that periods are counted from, and the least and greatest distance there can be."""
        source = compiler.sources[0] if compiler.sources else None
        low, high = (source.start_ns, source.end_ns) if source is not None else (None, None)
        end = compiler.now_ns if self.now or high is None else high - 1
        length = spans.length_ns(str(self.amount), self.unit)
        if low is None:
            raise UserError(
                "timewrap needs to know where the search begins", hint=_HINT, where=compiler.where(self.place)
            )
        latest = end if high is None else max(end, high - 1)
        first = min(0, int((end - latest) / length) - 1) if self.now else 0
        last = int((end - low) / length) + 2
        if last - first > MOST:
            message = f"timewrap makes {MOST} periods at most, and {last - first} may lie within these bounds"
            raise UserError(message, where=compiler.where(self.place))
        return end, first, last

    def _period(self, stamp: exp.Expression) -> exp.Expression:
        """Return the number of the period in which an instant lies."""
        if (months := _MONTHS.get(self.unit)) is not None:
            date = sql("make_timestamp_ns(:t)", t=stamp)
            return sql("divide(year(:d) * 12 + month(:d) - 1, :n)", d=date, n=literal(months * self.amount))
        return sql("CAST(floor(:t / :n) AS BIGINT)", t=stamp, n=literal(self._length()))

    def _length(self) -> int:
        return round(spans.length_ns(str(self.amount), self.unit))

    def _distance(self, stamp: exp.Expression, end: int) -> exp.Expression:
        latest = sql("max(:t) OVER ()", t=stamp)
        if self.unit in _MONTHS:
            return sql(":e - :p", e=self._period(literal(end)), p=self._period(stamp))
        # Whole periods from the latest bucket, and from there to the end.
        template = "CAST(floor((:l - :t) / :n) + floor((:e - :l) / :n) AS BIGINT)"
        return sql(template, l=latest, t=stamp, e=literal(end), n=literal(self._length()))

    def _place(self, stamp: exp.Expression) -> exp.Expression:
        """Return the instant at the same place in the latest period that has data."""
        latest = sql("max(:t) OVER ()", t=stamp)
        if self.unit not in _MONTHS:
            shift = sql("(:m - :p) * :n", m=self._period(latest), p=self._period(stamp), n=literal(self._length()))
            return exp.Add(this=exp.Paren(this=stamp), expression=exp.Paren(this=shift))
        months = literal(_MONTHS[self.unit] * self.amount)
        date = sql("make_timestamp_ns(:t)", t=stamp)
        step = sql(
            "to_months(CAST((:m - :p) * :n AS INTEGER))", m=self._period(latest), p=self._period(stamp), n=months
        )
        return sql("epoch_ns(CAST(CAST(:d AS TIMESTAMP) + :s AS TIMESTAMP_NS))", d=date, s=step)

    def _name(self, name: str, distance: int) -> str:
        if self.short:
            return f"{name}_s{distance}"
        unit = _UNITS[self.unit]
        count = abs(distance) * self.amount
        if distance == 0:
            return f"{name}_latest_{unit}"
        return f"{name}_{count}{unit}{'s' if count != 1 else ''}_{'before' if distance > 0 else 'after'}"


@functools.cache
def _unit(text: str) -> str | None:
    found = spans.canonical(text)
    return found if found in _UNITS else None


def parse(parser: Parser) -> Timewrap:
    """Read what follows `timewrap`."""
    start = parser.peek().start
    if parser.peek().kind is Kind.NAME and (unit := _unit(parser.peek().value)):
        parser.take()
        amount = "1"
    else:
        amount, unit = spans.size(parser)
        unit = spans.canonical(unit) or ""
    place = (start, parser.last_end)
    if unit not in _UNITS or not amount.isdecimal() or int(amount) < 1:
        raise UserError("timewrap takes a span of time", hint="such as 1day or 2week", where=parser.where(place))
    now = short = False
    while option := parser.option("align", "series"):
        if option == "align":
            now = parser.expect_word("end", "now") == "now"
        else:
            short = parser.expect_word("relative", "short") == "short"
    return Timewrap(int(amount), unit, now, short, place)
