"""Aggregate functions: how they are written, and their SQL over the rows of a group."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import addresses, coerce, expressions, lexer, listed, printer
from treering.query.coerce import NUMBERS, sql_cast
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import METADATA
from treering.query.scope import Scope
from treering.query.syntax import Name, Node, Place
from treering.query.template import literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

_ALIASES = {
    "c": "count",
    "dc": "distinct_count",
    "distinct_count_approx": "distinct_count",
    "mean": "avg",
    "stddev": "stddev_samp",
    "stdev": "stddev_samp",
    "variance": "var_samp",
    "var": "var_samp",
    "percentile_approx": "percentile",
}
_STATISTICS = {"stddev_samp", "stddev_pop", "var_samp", "var_pop"}
RATES = {"per_second": 1, "per_minute": 60, "per_hour": 3600, "per_day": 86_400}
NAMES = frozenset(
    {"count", "sum", "avg", "min", "max", "distinct_count", "percentile", "median", "take", "first", "last"}
    | {"earliest", "latest", "list", "values"}
    | _STATISTICS
    | set(_ALIASES)
    | set(RATES)
)
_SHORTCUT = re.compile(r"(?:percentile|perc|p)(\d+(?:\.\d+)?)", re.IGNORECASE)
TAKEN, LISTED = 10, 100
_SECOND = frozenset({"percentile", "take", "earliest", "latest"})
_QUANTILE = "quantile_disc"
# The index cannot make these: with one of them, all aggregates of a command are computed row by row.
LISTS = frozenset({"list", "values"})


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate function; `name` is canonical, `column` the name of its column in the answer.

    `condition` is that of `count(eval(…))`; `second` is the number of `percentile` and `take`, or the time field of
    `earliest` and `latest`.
    """

    name: str
    argument: Node | None
    column: str
    condition: Node | None = None
    second: Node | None = None
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the function as PPL, with its column's name where that is not its own text."""
        if self.condition is not None:
            inner = f"eval({printer.expression(self.condition)})"
        else:
            inner = ", ".join(printer.expression(arg) for arg in (self.argument, self.second) if arg is not None)
        text = f"{self.name}({inner})"
        return text if text == self.column else f"{text} as {lexer.name(self.column)}"


def parse(parser: Parser) -> Aggregate:
    """Take an aggregate function and its optional `as` name."""
    following = parser.peek()
    start, name = following.start, following.value.lower()
    shortcut = _SHORTCUT.fullmatch(name)
    if following.kind is not Kind.NAME or (name not in NAMES and not (shortcut and parser.next_is("("))):
        parser.fail("expected an aggregate function", known=sorted(NAMES), hint="such as count() or avg(field)")
    parser.take()
    canonical = _ALIASES.get(name, name) if name in NAMES else "percentile"
    argument = condition = second = None
    if parser.op("("):
        argument, condition, second = _arguments(parser, canonical)
    elif canonical != "count":
        parser.fail("expected '('")
    if shortcut and name not in NAMES:
        from treering.query.syntax import Literal

        second = Literal(
            shortcut[1], "integer" if shortcut[1].isdecimal() else "decimal", place=(start, parser.last_end)
        )
    column = parser.text[start : parser.last_end]
    place = (start, parser.last_end)
    if argument is None and canonical != "count":
        raise UserError(f"{name} takes a field or an expression", where=parser.where(place))
    if second is not None and canonical not in _SECOND:
        raise UserError(f"{name} takes one field or expression", where=parser.where(place))
    if parser.word("as"):
        column = parser.pattern().name
        if column in METADATA:
            raise UserError(f"{column} is a metadata field and cannot name a column", where=parser.where(place))
    return Aggregate(canonical, argument, column, condition, second, place)


def _arguments(parser: Parser, name: str) -> tuple[Node | None, Node | None, Node | None]:
    argument = condition = second = None
    if parser.peek().is_op("*", ")"):
        parser.op("*")
    elif name == "count" and parser.peek().is_word("eval") and parser.next_is("("):
        parser.take()
        parser.take()
        condition = expressions.expression(parser)
        parser.expect_op(")")
    else:
        argument = expressions.expression(parser)
        if parser.op(","):
            second = expressions.value(parser)
            if parser.op(","):
                expressions.value(parser)  # a percentile's compression: ours is exact
    parser.expect_op(")")
    return argument, condition, second


def parse_list(parser: Parser) -> tuple[Aggregate, ...]:
    """Take aggregate functions with commas between."""
    found = [parse(parser)]
    while parser.op(",") or (parser.peek().kind is Kind.NAME and parser.peek().value.lower() in NAMES):
        found.append(parse(parser))
    return tuple(found)


def lower(aggregate: Aggregate, relation: Relation, compiler: Compiler, *, indexed: bool = False) -> Typed:
    """Return the aggregate over the rows of a group. Raises `UserError` for a value it cannot work on.

    With `indexed` it answers for no values as OpenSearch's index does: a sum and a percentile are 0, what was taken is
    an empty list; else they are null.
    """
    try:
        each = listed.aggregate(aggregate.name, aggregate.argument, relation, compiler, indexed=indexed)
        return each or _lower(aggregate, relation, compiler, indexed=indexed)
    except UserError as error:
        where = error.where or compiler.where(aggregate.place)
        raise UserError(error.message, hint=error.hint, where=where) from error


def _lower(aggregate: Aggregate, relation: Relation, compiler: Compiler, *, indexed: bool) -> Typed:  # noqa: C901, PLR0911  one branch per function
    scope = Scope(relation, compiler)
    name = aggregate.name
    if aggregate.condition is not None:
        condition = scope.condition(aggregate.condition, "eval")
        counted = exp.Anonymous(this="count_if", expressions=[condition])
        return Typed(exp.Coalesce(this=counted, expressions=[exp.Literal.number(0)]), Type.BIGINT)
    if aggregate.argument is None:
        return Typed(exp.Count(this=exp.Star()), Type.BIGINT)
    value = compiler.aggregated(scope, aggregate.argument)
    match name:
        case "count":
            return Typed(exp.Count(this=value.sql), Type.BIGINT)
        case "distinct_count":
            return Typed(exp.Count(this=exp.Distinct(expressions=[value.sql])), Type.BIGINT)
        case "sum":
            return _sum(value, indexed=indexed)
        case "avg":
            return _average(value)
        case "min" | "max":
            if value.type is Type.IP:
                edge = exp.Anonymous(this=f"arg_{name}", expressions=[value.sql, addresses.key(value.sql.copy())])
                return Typed(edge, value.type)
            node = exp.Min if name == "min" else exp.Max
            return Typed(node(this=value.sql), value.type)
        case "percentile" | "median":
            return _percentile(value, aggregate, indexed=indexed)
        case "first" | "last" | "earliest" | "latest":
            return _edge(aggregate, value, relation, scope)
        case "take" | "list" | "values":
            return _collected(aggregate, value, relation, indexed=indexed)
        case _:
            return _spread(name, value)


def _numeric(value: Typed, what: str) -> exp.Expression:
    if value.type in NUMBERS:
        return value.sql
    if value.type in {Type.STRING, Type.UNDEFINED}:
        return sql_cast(value.sql, Type.DOUBLE, safe=True)
    raise UserError(f"{what} works on numbers, not on {value.type}")


def _spread(name: str, value: Typed) -> Typed:
    if name not in _STATISTICS:
        raise UserError(f"{name} works only in timechart")
    return Typed(exp.Anonymous(this=name, expressions=[_numeric(value, name)]), Type.DOUBLE)


def _sum(value: Typed, *, indexed: bool) -> Typed:
    kind = Type.BIGINT if value.type in coerce.INTEGERS else Type.DOUBLE
    total: exp.Expression = exp.Anonymous(this="sum", expressions=[_numeric(value, "sum")])
    if indexed:
        total = exp.Coalesce(this=total, expressions=[exp.Literal.number(0)])
    return Typed(sql_cast(total, kind), kind)


def _average(value: Typed) -> Typed:
    return Typed(exp.Anonymous(this="avg", expressions=[sql_cast(_numeric(value, "avg"), Type.DOUBLE)]), Type.DOUBLE)


def _percentile(value: Typed, aggregate: Aggregate, *, indexed: bool) -> Typed:
    percent = 50.0
    if aggregate.name == "percentile":
        if aggregate.second is None:
            raise UserError("percentile takes a field and a number from 0 to 100")
        percent = _number(aggregate.second)
        if value.type is Type.STRING:
            raise UserError("percentile works on numbers, not on string")
    if not 0 <= percent <= 100:
        raise UserError(f"a percentile lies between 0 and 100, not at {percent:g}")
    # The engine's digest takes the item at floor(n * fraction); quantile_disc takes the one before where that is whole.
    fraction = min(1.0, percent / 100 + 1e-12)
    sql = value.sql if value.type in NUMBERS else sql_cast(_numeric(value, "percentile"), Type.DOUBLE)
    kind = value.type if value.type in NUMBERS else Type.DOUBLE
    found: exp.Expression = exp.Anonymous(this=_QUANTILE, expressions=[sql, exp.Literal.number(repr(fraction))])
    if indexed and value.type is not Type.STRING:
        found = exp.Coalesce(this=found, expressions=[exp.Literal.number(0)])
    return Typed(found, kind)


def share_percentiles(selected: Sequence[exp.Expression]) -> None:
    """Have several percentiles of one value found together, so that the values are collected once."""
    by_value: dict[exp.Expr, list[exp.Anonymous]] = {}
    for part in selected:
        for node in part.find_all(exp.Anonymous):
            if node.name == _QUANTILE:
                by_value.setdefault(node.expressions[0], []).append(node)
    for value, nodes in by_value.items():
        if len(nodes) < 2:
            continue
        listed = exp.Array(expressions=[node.expressions[1].copy() for node in nodes])
        for place, node in enumerate(nodes, 1):
            together = exp.Anonymous(this=_QUANTILE, expressions=[value.copy(), listed.copy()])
            node.replace(exp.Anonymous(this="list_extract", expressions=[together, exp.Literal.number(place)]))


def _number(node: Node) -> float:
    from treering.query.syntax import Literal

    if isinstance(node, Literal) and node.kind in {"integer", "decimal", "double", "float"}:
        return float(node.value)
    raise UserError("expected a number written out")


def _edge(aggregate: Aggregate, value: Typed, relation: Relation, scope: Scope) -> Typed:
    """The value of the first or last row as stored, null included, or of the first or last row by time that has one."""
    least = aggregate.name in {"first", "earliest"}
    if aggregate.name in {"earliest", "latest"}:
        stamp = scope.typed(aggregate.second or Name("@timestamp", place=aggregate.place))
        function = "arg_min" if least else "arg_max"
        return Typed(
            exp.Anonymous(this=function, expressions=[value.sql, stamp.sql]), value.type, element=value.element
        )
    keys = [exp.Ordered(this=relation.sequence.raw, nulls_first=True)] if relation.sequence else relation.keys()
    function = "first" if least else "last"
    return Typed(_ordered(function, value.sql, keys), value.type, element=value.element)


def _ordered(function: str, value: exp.Expression, keys: list[exp.Ordered]) -> exp.Expression:
    argument = exp.Order(this=value, expressions=keys) if keys else value
    return exp.Anonymous(this=function, expressions=[argument])


def present(value: exp.Expression) -> exp.Expression:
    """Return that a value is not null."""
    return exp.Not(this=exp.Paren(this=exp.Is(this=coerce.operand(value.copy()), expression=exp.Null())))


def _collected(aggregate: Aggregate, value: Typed, relation: Relation, *, indexed: bool) -> Typed:
    """A list of values: the first ones, the first as texts, or the different texts in order."""
    if value.type in coerce.DOCUMENTS or (aggregate.name == "take" and value.type is Type.IP):
        raise UserError(f"{aggregate.name} cannot collect values of type {value.type}")
    keys = [exp.Ordered(this=relation.sequence.raw, nulls_first=True)] if relation.sequence else relation.keys()
    if aggregate.name == "take":
        count = TAKEN if aggregate.second is None else int(_number(aggregate.second))
        element = value.type
        item = printed(value)
    else:
        count, element, item = LISTED, Type.STRING, coerce.text_of(value)
        if value.type is Type.BOOLEAN:
            item = sql_cast(value.sql, "VARCHAR")
    if indexed and aggregate.name == "take":
        return replace(_taken(_ordered("list", item, keys), count), element=element)
    if aggregate.name == "values":
        items: exp.Expression = exp.Anonymous(this="list", expressions=[exp.Distinct(expressions=[item])])
    else:
        items = _ordered("list", item, keys)
    items = exp.Filter(this=items, expression=exp.Where(this=present(value.sql)))
    if aggregate.name == "values":
        items = exp.Anonymous(this="list_sort", expressions=[items])
    else:
        bounds = [items, exp.Literal.number(1), exp.Literal.number(max(0, count))]
        items = exp.Anonymous(this="list_slice", expressions=bounds)
    return Typed(exp.Anonymous(this="to_json", expressions=[items]), Type.ARRAY, element=element)


def _taken(rows: exp.Expression, count: int) -> Typed:
    """What the index takes: the values of the first rows without nulls; nothing where the first row of all has none."""
    template = """to_json(CASE WHEN len(:r) > 0 THEN CASE WHEN list_extract(:r, 1) IS NULL THEN []
        ELSE list_filter(list_slice(:r, 1, :n), v -> v IS NOT NULL) END END)"""
    return typed(Type.ARRAY, template, r=rows, n=literal(max(0, count)))


def printed(value: Typed) -> exp.Expression:
    """Return a value as an item of a JSON list: instants as PPL prints them, the rest as they are."""
    if value.type in coerce.INSTANTS:
        return coerce.text_of(value)
    return value.sql
