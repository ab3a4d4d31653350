"""`anomalies`: what each value of a series should have been.

For a series, a row per bucket as `timechart` and `stats … by span(…)` make them; each row gets `expected`, `lower`,
`upper`, `score` (deviations from what is expected) and `anomalous`. What is expected is a running median and, where
three seasons are there, the median of the same hour, day or week. A change that lasts longer than 24 buckets is a new
level.

Syntax:
    anomalies <field> [by <field>, …] [time=<field>] [season=auto|none|<span>] [sensitivity=<n>]

Arguments:
    field: the numbers of the series
    by: fields that tell series apart
    time: the field of time; the first one if not said
    season: the length after which the series repeats, such as 24h; auto tries a week, a day and an hour
    sensitivity: how many robust deviations are out of bounds, 3.5 if not said

Example:
    source=logs | timechart span=5m count() | anomalies `count()` | where anomalous
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import coerce, gathering, printer, spans
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope, column_value
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Place

NAMES = ("anomalies",)
SENSITIVITY = "3.5"
RESULTS = {
    "expected": Type.DOUBLE,
    "lower": Type.DOUBLE,
    "upper": Type.DOUBLE,
    "score": Type.DOUBLE,
    "anomalous": Type.BOOLEAN,
}


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The field, what tells series apart, the field of time (None: the first one), and "auto", "none" or a length."""

    name: Name
    by: tuple[Name, ...] = ()
    time: Name | None = None
    season: tuple[str, str] = ("auto", "")
    sensitivity: str = SENSITIVITY
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"anomalies {printer.expression(self.name)}"]
        parts += [f"by {', '.join(map(printer.expression, self.by))}"] if self.by else []
        parts += [f"time={printer.expression(self.time)}"] if self.time is not None else []
        parts += [f"season={''.join(self.season)}"] if self.season[0] != "auto" else []
        parts += [f"sensitivity={self.sensitivity}"] if self.sensitivity != SENSITIVITY else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the columns."""
        scope = Scope(relation, compiler)
        value = scope.typed(self.name)
        if value.type not in coerce.NUMBERS:
            raise UserError(
                f"anomalies needs a field of numbers, not {value.type}", where=compiler.where(self.name.place)
            )
        value = replace(value, sql=coerce.sql_cast(value.sql, Type.DOUBLE))
        settings = {"season_ns": self._season_ns(), "sensitivity": float(self.sensitivity)}
        by = [scope.typed(name) for name in self.by]
        arguments = [self._time(relation, compiler), value]
        return gathering.applied(relation, compiler, "ppl_baseline", arguments, json.dumps(settings), RESULTS, by)

    def _time(self, relation: Relation, compiler: Compiler) -> Typed:
        if self.time is not None:
            found = Scope(relation, compiler).typed(self.time)
            if found.type is Type.TIMESTAMP:
                return found
            raise UserError(f"{self.time.name} holds no times", where=compiler.where(self.time.place))
        for column in relation.columns.values():
            if column.type is Type.TIMESTAMP and not column.many:
                return column_value(column)
        hint = "make one with timechart, or name its field with time="
        raise UserError("anomalies needs a series over time", hint=hint, where=compiler.where(self.place))

    def _season_ns(self) -> int:
        if self.season[0] in {"auto", "none"}:
            return -1 if self.season[0] == "auto" else 0
        return round(spans.length_ns(*self.season))


def parse(parser: Parser) -> Anomalies:
    """Read what follows `anomalies`."""
    start = parser.peek().start
    found = Anomalies(parser.field())
    options = ("time", "season", "sensitivity")
    if parser.word("by"):
        found = replace(found, by=parser.names(*options))
    while option := parser.option(*options):
        match option:
            case "time":
                found = replace(found, time=parser.field())
            case "season":
                word = parser.word("auto", "none")
                found = replace(found, season=(word, "") if word else _length(parser))
            case _:
                found = replace(found, sensitivity=_number(parser))
    return replace(found, place=(start, parser.last_end))


def _length(parser: Parser) -> tuple[str, str]:
    if parser.peek().kind not in {Kind.SPAN, Kind.NUMBER}:
        parser.fail("expected auto, none or a length of time such as 24h")
    found = spans.size(parser)
    if not found[1]:
        parser.fail("expected a unit of time before this")
    return found


def _number(parser: Parser) -> str:
    following = parser.peek()
    if following.kind is not Kind.NUMBER or not following.value.replace(".", "", 1).isdecimal():
        parser.fail("expected a number of deviations such as 3.5")
    if float(following.value) <= 0:
        parser.fail("expected a number above 0")
    return parser.take().value
