"""`graphLookup <stream> start=<field or values> edge=<from>--><to> [options] as <name>`: records reached step by step.

Records of the stream whose `to` is a start value, then those whose `to` is the `from` of these, `maxDepth` times;
`<->` goes both ways. The answer is an array of records in each row.

Syntax:
    graphlookup <stream> start=<field or values> edge=<from>--><to> [<option>=<value> …] as <name>

Arguments:
    stream: where the records are
    start: a field of the rows, or values
    edge: the fields that lead from a record to the next; <-> both ways
    maxdepth: how many steps after the first, 0 if not said
    depthfield: a member that says after how many steps
    supportarray: true where the fields hold lists
    batchmode: true for one search from all rows together
    filter: a condition on the records
    as: the name of the column

Example:
    source=services | graphlookup services start=calls edge=calls-->name maxdepth=3 as chain
    graphlookup services start='gateway' edge=calls-->name maxdepth=3 as chain
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, coerce, expressions, lexer, output, printer
from treering.query.commands.head import positive
from treering.query.commands.search import stream_name, streams
from treering.query.function import Typed
from treering.query.native.graph import Edge
from treering.query.relation import Column, Relation, aliased, nested
from treering.query.scope import Scope
from treering.query.syntax import Literal, Name
from treering.query.template import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Node, Place

NAMES = ("graphlookup",)
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Graphlookup:
    """The stream, where to start, the edge, which records count, and whether all rows start one search together."""

    names: tuple[str, ...]
    start: Name | tuple[Literal, ...]
    edge: Edge
    column: str
    condition: Node | None = None
    batch: bool = False
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        start = [self.start] if isinstance(self.start, Name) else self.start
        arrow = "<->" if self.edge.both else "-->"
        parts = [
            f"graphlookup {', '.join(map(stream_name, self.names))}",
            f"start={', '.join(map(printer.expression, start))}",
            f"edge={lexer.name(self.edge.source)} {arrow} {lexer.name(self.edge.target)}",
        ]
        parts += [f"maxdepth={self.edge.most}"] if self.edge.most else []
        parts += [f"depthfield={lexer.name(self.edge.depth)}"] if self.edge.depth else []
        parts += ["supportarray=true"] if self.edge.arrays else []
        parts += ["batchmode=true"] if self.batch else []
        parts += [f"filter=({printer.expression(self.condition)})"] if self.condition is not None else []
        return " ".join([*parts, f"as {lexer.name(self.column)}"])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the array to each row; from values written out, or all rows together, there is one row."""
        lookup = compiler.scan(self.names, self.place)
        scope = Scope(lookup, compiler)
        for name in (self.edge.source, self.edge.target):
            scope.column(Name(name, place=self.place))
        if self.condition is not None:
            lookup = lookup.where(scope.condition(self.condition, "filter"))
        records = _all(lookup.limited(MOST), output.visible(lookup))
        if not isinstance(self.start, Name):
            values = literal(json.dumps([_plain(value) for value in self.start]))
            found = Column(compiler.fresh(), Type.ARRAY, Type.STRUCT)
            select = exp.Select(expressions=[aliased(self._search(values, records).sql, found.ref)])
            return Relation(select, {self.column: found}, plain=False, implicit=False)
        if not (relation.columns or relation.metadata):
            where = compiler.where(self.start.place)
            raise UserError("a field to start from needs a search before", hint="or start from 'values'", where=where)
        column = Scope(relation, compiler).column(self.start)
        text = exp.Anonymous(this="to_json", expressions=[aggregates.printed(Typed(column.raw, column.type))])
        if self.batch:
            return self._together(relation, compiler, text, records)
        values = coerce.sql_cast(exp.Coalesce(this=text, expressions=[literal("[]")]), "VARCHAR")
        return compiler.extended(relation, {self.column: self._search(values, records)})

    def _together(
        self, relation: Relation, compiler: Compiler, text: exp.Expression, records: exp.Expression
    ) -> Relation:
        assert isinstance(self.start, Name)  # the caller looked
        starts = exp.Anonymous(this="list", expressions=[text])
        values = coerce.sql_cast(exp.Anonymous(this="to_json", expressions=[starts]), "VARCHAR")
        values = exp.Coalesce(this=values, expressions=[literal("[]")])
        rows, first, second = _all(relation, output.visible(relation)), compiler.fresh(), compiler.fresh()
        assert isinstance(rows, exp.Subquery)
        select = rows.this
        cells = [aliased(select.expressions[0], first), aliased(values, second)]
        select.set("expressions", cells)
        columns = {self.start.name: Column(first, Type.ARRAY, Type.STRUCT)}
        grouped = Relation(select, columns, plain=False, implicit=False)
        searched = self._search(Column(second, Type.STRING).raw, records)
        return compiler.extended(grouped, {self.column: searched})

    def _search(self, values: exp.Expression, records: exp.Expression) -> Typed:
        edge = literal(json.dumps(asdict(self.edge)))
        # Not copied: the scan inside is filled in at the end.
        found = exp.Anonymous(this="ppl_graph", expressions=[values, coerce.sql_cast(records, "VARCHAR"), edge])
        return Typed(coerce.sql_cast(found, Type.ARRAY), Type.ARRAY, element=Type.STRUCT)


def _plain(value: Literal) -> object:
    if value.kind == "integer":
        return int(value.value)
    return float(value.value) if value.kind in {"decimal", "double", "float"} else value.value


def _all(relation: Relation, shown: object) -> exp.Expression:
    """Return all rows as one JSON list of objects, without the members that are null."""
    members: list[exp.Expression] = []
    for name, column in dict(shown).items():  # type: ignore[call-overload]
        members += [literal(name), aggregates.printed(Typed(column.raw, column.type))]
    whole = exp.Anonymous(this="json_object", expressions=members)
    record = exp.Anonymous(this="json_merge_patch", expressions=[literal("{}"), whole])
    keys = relation.keys()
    ordered = exp.Order(this=record, expressions=keys) if keys else record
    listed = exp.Anonymous(this="to_json", expressions=[exp.Anonymous(this="list", expressions=[ordered])])
    cell = exp.Coalesce(this=listed, expressions=[coerce.sql_cast(literal("[]"), "JSON")])
    return exp.Subquery(this=exp.Select(expressions=[cell]).from_(nested(relation.sql), copy=False))


def parse(parser: Parser) -> Graphlookup:
    """Read what follows `graphLookup`."""
    begin = parser.peek().start
    names = streams(parser)
    place = (begin, parser.last_end)
    if not parser.option("start"):
        parser.fail("expected start=")
    start = _start(parser)
    if not parser.option("edge"):
        parser.fail("expected edge=")
    source = parser.field().name
    both = parser.op("<") is not None
    if not both:
        parser.expect_op("-")
    parser.expect_op("->")
    target = parser.field().name
    options: dict[str, object] = {}
    condition: Node | None = None
    while option := parser.option("maxdepth", "depthfield", "supportarray", "batchmode", "usepit", "filter"):
        if option == "maxdepth":
            options[option] = positive(parser, "the depth")
        elif option == "depthfield":
            options[option] = parser.field().name
        elif option == "filter":
            parser.expect_op("(")
            condition = expressions.expression(parser)
            parser.expect_op(")")
        else:
            options[option] = parser.boolean()
    parser.expect_word("as")
    edge = Edge(
        source,
        target,
        int(str(options.get("maxdepth", 0))),
        str(options.get("depthfield", "")),
        both,
        options.get("supportarray") is True,
    )
    return Graphlookup(names, start, edge, parser.field().name, condition, options.get("batchmode") is True, place)


def _start(parser: Parser) -> Name | tuple[Literal, ...]:
    found = expressions.value(parser)
    if isinstance(found, Name):
        return found
    values = [found]
    while parser.op(","):
        values.append(expressions.value(parser))
    literals = [value for value in values if isinstance(value, Literal)]
    if len(literals) < len(values):
        raise UserError("start= takes a field or values written out", where=parser.where(values[-1].place))
    return tuple(literals)
