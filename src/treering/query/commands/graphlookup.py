"""`graphlookup <stream> start=<field or values> edge=<from>--><to> [maxdepth=] [depthfield=] [filter=(…)] as <name>`.

The records reached from each row's start value along edges, breadth first, as an array; `<->` goes both ways. With
`batchmode=true` one walk from the values of all rows, as one row. At the beginning of a query the start is written out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, datasets, expressions, lexer, output, printer
from treering.query.coerce import sql_cast
from treering.query.commands.head import positive
from treering.query.datasets import Dataset
from treering.query.function import Typed
from treering.query.relation import Relation, aliased, computed, nested
from treering.query.scope import Scope, column_value
from treering.query.syntax import Literal, Name
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Node, Place

NAMES = ("graphlookup",)
MOST_DEPTH, MOST_RECORDS = 100, 50_000


@dataclass(frozen=True, slots=True)
class Graphlookup:
    """The records, the start, both ends of an edge, and how far the walk goes."""

    dataset: Dataset
    start: tuple[Node, ...]
    source: Name
    target: Name
    column: str
    both: bool = False
    depth: int = 0
    depth_field: str = ""
    batch: bool = False
    condition: Node | None = None
    starts: bool = False
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        start = ", ".join(map(printer.expression, self.start))
        arrow = "<->" if self.both else "-->"
        edge = f"{printer.expression(self.source)}{arrow}{printer.expression(self.target)}"
        parts = [f"graphlookup {self.dataset.print()} start={start} edge={edge}"]
        parts += [f"maxdepth={self.depth}"] if self.depth else []
        parts += [f"depthfield={lexer.name(self.depth_field)}"] if self.depth_field else []
        parts += ["batchmode=true"] if self.batch else []
        parts += [f"filter=({printer.expression(self.condition)})"] if self.condition is not None else []
        return " ".join([*parts, f"as {lexer.name(self.column)}"])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the array, or return it as the only row."""
        records = self._records(compiler)
        if self.starts:
            found = self._walked(_listed(self.start), records)
            ref = compiler.fresh()
            column = computed(ref, found)
            select = exp.Select(expressions=[aliased(found.sql, ref)])
            return Relation(select, {self.column: column}, plain=False, implicit=False)
        scope = Scope(relation, compiler)
        if not self.batch:
            start = sql("to_json(:x)", x=scope.typed(self.start[0]).sql)
            return compiler.extended(relation, {self.column: self._walked(start, records)})
        return self._batch(relation, records, compiler)

    def _batch(self, relation: Relation, records: exp.Expression, compiler: Compiler) -> Relation:
        value = Scope(relation, compiler).typed(self.start[0])
        name = self.start[0].name if isinstance(self.start[0], Name) else "start"
        rows = sql_cast(exp.Anonymous(this="list", expressions=[_object(relation)]), "JSON[]")
        shown, walked = compiler.fresh(), compiler.fresh()
        starts = sql("to_json(list(:x))", x=value.sql)
        found = self._walked(starts, records)
        every = Typed(sql_cast(sql("to_json(:x)", x=rows), Type.ARRAY), Type.ARRAY)
        select = exp.Select(expressions=[aliased(every.sql, shown), aliased(found.sql, walked)])
        select = select.from_(nested(relation.sql), copy=False)
        columns = {name: computed(shown, every), self.column: computed(walked, found)}
        return Relation(select, columns, plain=False, implicit=False)

    def _records(self, compiler: Compiler) -> exp.Expression:
        """Return the records to walk through as one JSON list."""
        table = self.dataset.relation(compiler)
        scope = Scope(table, compiler)
        scope.column(self.source)
        scope.column(self.target)
        if self.condition is not None:
            table = replace(table.where(scope.condition(self.condition, "filter")), plain=False)
        listed = sql("coalesce(to_json(list(:x)), '[]')", x=_object(table))
        limited = table.limited(MOST_RECORDS)
        return exp.Subquery(this=exp.Select(expressions=[listed]).from_(nested(limited.sql), copy=False))

    def _walked(self, start: exp.Expression, records: exp.Expression) -> Typed:
        options = {
            "source": self.source.name, "target": self.target.name, "both": self.both, "depth": self.depth,
            "shown": self.depth_field,
        }  # fmt: skip
        parts = [sql("coalesce(CAST(:x AS VARCHAR), '[]')", x=start), sql_cast(records, "VARCHAR")]
        found = exp.Anonymous(this="ppl_walked", expressions=[*parts, literal(json.dumps(options))])
        return Typed(sql_cast(found, Type.ARRAY), Type.ARRAY)


def _listed(nodes: tuple[Node, ...]) -> exp.Expression:
    """Return values written out as a JSON list."""
    found = [node for node in nodes if isinstance(node, Literal)]
    return literal(json.dumps([int(node.value) if node.kind == "integer" else node.value for node in found]))


def _object(relation: Relation) -> exp.Expression:
    """Return a row as a JSON object of its shown columns."""
    parts: list[exp.Expression] = []
    for name, column in output.visible(relation).items():
        value = column.raw if column.many else column_value(column).sql
        if column.type in coerce.INSTANTS:
            value = coerce.text_of(column_value(column))
        parts += [literal(name), value]
    return exp.Anonymous(this="json_object", expressions=parts)


_OPTIONS = ("start", "edge", "maxdepth", "depthfield", "supportarray", "batchmode", "usepit", "filter")


def parse(parser: Parser) -> Graphlookup:
    """Read what follows `graphlookup`."""
    begin, starts = parser.peek().start, parser.starting
    dataset = datasets.read(parser, several=False)
    found: dict[str, object] = {}
    while option := parser.option(*_OPTIONS):
        match option:
            case "start":
                found["start"] = _start(parser)
            case "edge":
                _edge(parser, found)
            case "maxdepth":
                found["depth"] = min(MOST_DEPTH, positive(parser, "the depth"))
            case "depthfield":
                found["depth_field"] = parser.field().name
            case "batchmode":
                found["batch"] = parser.boolean()
            case "filter":
                found["condition"] = expressions.expression(parser)
            case _:
                parser.boolean()
    parser.expect_word("as")
    column = parser.field().name
    place = (begin, parser.last_end)
    if "start" not in found or "source" not in found:
        raise UserError("graphlookup needs start= and edge=", where=parser.where(place))
    written = all(isinstance(node, Literal) for node in found["start"])  # type: ignore[attr-defined]
    if starts and not written:
        raise UserError("at the beginning of a query start= takes values written out", where=parser.where(place))
    return Graphlookup(dataset, column=column, starts=starts, place=place, **found)  # type: ignore[arg-type]


def _edge(parser: Parser, found: dict[str, object]) -> None:
    found["source"] = parser.field()
    found["both"] = parser.op("<") is not None
    if not found["both"]:
        parser.expect_op("-")
    parser.expect_op("->")
    found["target"] = parser.field()


def _start(parser: Parser) -> tuple[Node, ...]:
    found = [expressions.value(parser)]
    while parser.op(","):
        found.append(expressions.value(parser))
    return tuple(found)
