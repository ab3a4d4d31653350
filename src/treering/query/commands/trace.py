"""`trace`: the spans and log records of a trace, a row each, in the order of its tree.

It starts a query. `depth` is 0 for roots; `selfInNanos` is the time of a span that none of its children covers; log
records stand under their span, with their level as `name`. At most 10,000 spans and as many log records.

Syntax:
    trace <id> [spans=<stream>] [logs=<stream>]

Arguments:
    id: the trace's id
    spans: the streams that hold spans; spans if not said
    logs: the streams that hold log records; logs if not said

Example:
    trace 4bf92f3577b34da6a3ce929d0e0e4736 | where error
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, gathering, lexer
from treering.query.commands.search import stream_name, streams
from treering.query.commands.where import Where
from treering.query.function import Typed
from treering.query.lexer import Kind, Mode
from treering.query.relation import nested
from treering.query.scope import column_value
from treering.query.syntax import Binary, Literal, Name
from treering.query.template import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("trace",)
# What makes it the command where a search could stand: one word with a digit, or a text between quotes.
OPENS = re.compile(
    r"trace\s+(?:(?:'[^']*'|\"[^\"]*\"|[\w.-]*\d[\w.-]*)\s*(?:$|[|\]])|\S+\s+(?:spans|logs)\s*=)", re.IGNORECASE
)
MOST = 10_000
SPANS, LOGS = ("spans",), ("logs",)
RESULT = {
    "depth": Type.INT,
    "kind": Type.STRING,
    "service": Type.STRING,
    "name": Type.STRING,
    "startTime": Type.TIMESTAMP,
    "durationInNanos": Type.BIGINT,
    "selfInNanos": Type.BIGINT,
    "error": Type.BOOLEAN,
    "spanId": Type.STRING,
    "parentSpanId": Type.STRING,
    "body": Type.STRING,
}
_SERVICE = ("serviceName", "resource.attributes.service.name")
_OF_SPANS = {
    "span": ("spanId",), "parent": ("parentSpanId",), "name": ("name",), "service": _SERVICE,
    "start": ("startTime", "@timestamp"), "end": ("endTime",), "duration": ("durationInNanos",),
    "status": ("status.code",), "message": ("status.message",),
}  # fmt: skip
_OF_LOGS = {
    "span": ("spanId",), "level": ("severityText",), "number": ("severityNumber",), "service": _SERVICE,
    "start": ("time", "@timestamp"), "message": ("body",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace's id and the streams that are looked through."""

    identifier: str
    spans: tuple[str, ...] = SPANS
    logs: tuple[str, ...] = LOGS
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"trace {lexer.quote(self.identifier)}"]
        parts += [f"spans={', '.join(map(stream_name, self.spans))}"] if self.spans != SPANS else []
        parts += [f"logs={', '.join(map(stream_name, self.logs))}"] if self.logs != LOGS else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the rows; a stream that is not there has none."""
        del relation
        spans = self._listed(self.spans, _OF_SPANS, compiler)
        logs = self._listed(self.logs, _OF_LOGS, compiler)
        if spans is None and logs is None:
            names = ", ".join([*self.spans, *self.logs])
            raise UserError(f"no stream of {names} has trace ids", where=compiler.where(self.place))
        cells = [found if found is not None else literal("[]") for found in (spans, logs)]
        tree = exp.Anonymous(this="ppl_trace", expressions=cells)
        found = exp.Select(expressions=[exp.alias_(tree, "found", copy=False)])
        return gathering.rows_of(found, RESULT, compiler)

    def _listed(
        self, names: tuple[str, ...], fields: dict[str, tuple[str, ...]], compiler: Compiler
    ) -> exp.Expression | None:
        try:
            relation = compiler.scan(names, self.place)
        except UserError:
            return None
        if compiler.column(relation, "traceId") is None:
            compiler.sources.pop()
            return None
        condition = Binary("=", Name("traceId"), Literal(self.identifier, "string"))
        relation = Where(condition).lower(relation, compiler)
        members: list[exp.Expression] = []
        for member, choices in fields.items():
            members += [literal(member), _value(relation, choices, compiler)]
        record = exp.Anonymous(this="json_object", expressions=members)
        relation = relation.limited(MOST)
        listed = exp.Anonymous(this="to_json", expressions=[exp.Anonymous(this="list", expressions=[record])])
        cell = exp.Coalesce(this=coerce.sql_cast(listed, "VARCHAR"), expressions=[literal("[]")])
        return exp.Subquery(this=exp.Select(expressions=[cell]).from_(nested(relation.sql), copy=False))


def _value(relation: Relation, choices: tuple[str, ...], compiler: Compiler) -> exp.Expression:
    """Return the first of the fields that has a value, times as nanoseconds."""
    found: list[exp.Expression] = []
    for name in choices:
        column = compiler.column(relation, name)
        if column is None:
            continue
        value = column_value(column)
        if name in {"startTime", "endTime", "time", "@timestamp"}:
            if value.type is Type.STRING:
                value = Typed(coerce.sql_cast(value.sql, Type.TIMESTAMP, safe=True), Type.TIMESTAMP)
            found += [coerce.instant_ns(value)] if value.type is Type.TIMESTAMP else []
        elif name in {"durationInNanos", "severityNumber"}:
            found.append(coerce.sql_cast(value.sql, "BIGINT", safe=True))
        else:
            found.append(coerce.sql_cast(value.sql, "VARCHAR"))
    if not found:
        return exp.Null()
    return found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=found[1:])


def parse(parser: Parser) -> Trace:
    """Read what follows `trace`."""
    if not parser.starting:
        parser.fail("trace can only come first")
    start = parser.peek(Mode.SEARCH).start
    if parser.peek(Mode.SEARCH).kind not in {Kind.WORD, Kind.STRING}:
        parser.fail("expected the id of a trace", mode=Mode.SEARCH)
    identifier = parser.take(Mode.SEARCH).value
    found: dict[str, tuple[str, ...]] = {"spans": SPANS, "logs": LOGS}
    while option := parser.option("spans", "logs"):
        found[option] = streams(parser)
    return Trace(identifier, found["spans"], found["logs"], (start, parser.last_end))
