"""`stats <aggregate>, … [by <field>, … , span(…)]`: one row per group, groups in ascending order, null first.

Syntax:
    stats [bucket_nullable=true|false] <aggregate>, … [by <field>, … , span(<field>, <size>)]

Arguments:
    aggregate: count(), sum(f), avg(f), p95(f), dc(f) and the like, each with as <name>
    by: what makes a group: fields, span(field, size)
    bucket_nullable: false to leave groups without a key out

Example:
    source=logs | stats count() as n, p95(durationInNanos) by span(@timestamp, 5m), serviceName
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from sqlglot import exp

from treering.query import aggregates, automatic, coerce, hashorder, lexer, listed, printer, ranged, spans, windows
from treering.query.aggregates import Aggregate
from treering.query.function import Typed
from treering.query.relation import Column, Order, Relation, aliased, computed, unique
from treering.query.scope import Scope, column_value
from treering.query.syntax import Name, Node, Span
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser

NAMES = ("stats",)


@dataclass(frozen=True, slots=True)
class Group:
    """What rows are grouped by, and the name of its column."""

    node: Node
    column: str

    def print(self) -> str:
        """Return the key as PPL."""
        text = printer.expression(self.node)
        if isinstance(self.node, Name) and self.node.name == self.column:
            return text
        return text if text == self.column else f"{text} as {lexer.name(self.column)}"


@dataclass(frozen=True, slots=True)
class Stats:
    """The aggregates and the keys; without `bucket_nullable`, rows with a null key are left out."""

    aggregates: tuple[Aggregate, ...]
    groups: tuple[Group, ...] = ()
    bucket_nullable: bool = True

    def print(self) -> str:
        """Return the command as PPL."""
        option = "" if self.bucket_nullable else "bucket_nullable=false "
        return f"stats {option}{printed(self.aggregates, self.groups)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Group the rows: aggregates first, then the keys, a span before other keys."""
        groups = sorted(self.groups, key=lambda group: not isinstance(group.node, Span))
        indexed = relation.indexed and not any(each.name in aggregates.LISTS for each in self.aggregates)
        values = [
            (each.column, aggregates.lower(each, relation, compiler, indexed=indexed)) for each in self.aggregates
        ]
        keys = [(group.column, _key(group.node, relation, compiler)) for group in groups]
        indexed = indexed and not any(key.type in coerce.DOCUMENTS for _, key in keys)
        if indexed:
            relation, items = listed.apart(relation, [group.node for group in groups], compiler)
            keys = [(name, items.get(place, value)) for place, (name, value) in enumerate(keys)]
        late = [isinstance(group.node, Span) for group in groups]
        required = [
            index
            for index, group in enumerate(groups)
            if not self.bucket_nullable or (isinstance(group.node, Span) and group.node.unit)
        ]
        if not indexed and keys:
            result = _hashed(relation, compiler, values, keys, required, late)
            if result is not None:
                return result
        numbers = [_ranged(group.node, relation, compiler) if indexed else None for group in groups]
        if indexed:
            relation, keys, automatics = automatic.apart(relation, groups, keys, numbers, compiler)
            late = [span or own for span, own in zip(late, automatics, strict=True)]
        return _grouped(relation, compiler, values, keys, required, numbers, late)


def _grouped(
    relation: Relation, compiler: Compiler, values: list[tuple[str, Typed]], keys: list[tuple[str, Typed]],
    required: list[int], numbers: list[Column | None], late: list[bool],
) -> Relation:  # fmt: skip
    """Return the groups that the index makes, in ascending order or by the ranges of `numbers`."""
    relation, keys = ranged.bounded(relation, keys, numbers)
    lows = ranged.least(numbers)
    result = grouped(relation, compiler, [*values, *lows], keys, required)
    columns = list(result.columns.items())
    starts = [column for _, column in columns[len(values) : len(values) + len(lows)]]
    kept = dict([*columns[: len(values)], *columns[len(values) + len(lows) :]])
    ends = [order.column for order in result.order]
    result = replace(result, columns=kept)
    result = ranged.ordered(result, _turned(ends, late), _turned(numbers, late), starts, compiler)
    return replace(result, unasked=True)


_T = TypeVar("_T")


def _turned(parts: Sequence[_T], late: Sequence[bool]) -> list[_T]:
    """Return the parts with the late ones behind: a span stands first but orders last, and so do automatic buckets."""
    return [part for turn in (False, True) for part, own in zip(parts, late, strict=True) if own is turn]


def _key(node: Node, relation: Relation, compiler: Compiler) -> Typed:
    column = compiler.column(relation, node.name) if isinstance(node, Name) else None
    return hashorder.printed(Scope(relation, compiler).typed(node), column)


def _ranged(node: Node, relation: Relation, compiler: Compiler) -> Column | None:
    column = compiler.column(relation, node.name) if isinstance(node, Name) else None
    return column.ranged if column is not None else None


_FIRST = "first row"


def _hashed(
    relation: Relation,
    compiler: Compiler,
    values: list[tuple[str, Typed]],
    keys: list[tuple[str, Typed]],
    required: list[int],
    late: list[bool],
) -> Relation | None:
    """Return the groups in the order of a hash table of their keys, spans `late`; None when a key has no hash."""
    relation, number = windows.ranked(relation, compiler)
    first = Typed(exp.Min(this=number), Type.BIGINT)
    found = grouped(relation, compiler, [*values, (_FIRST, first)], keys, required)
    columns = dict(found.columns)
    earliest = columns.pop(_FIRST)
    ends = list(columns.values())[len(values) :]
    return hashed(replace(found, columns=columns), _turned(ends, late), earliest, compiler)


def hashed(relation: Relation, keys: Sequence[Column], first: Column, compiler: Compiler) -> Relation | None:
    """Return groups in the order of a hash table of their keys, those of one bucket by `first`; None without hashes."""
    total = exp.Window(this=exp.Count(this=exp.Star()))
    place = hashorder.bucket([column_value(key) for key in keys], total, start=1)
    if place is None:
        return None
    ref = compiler.fresh()
    order = (Order(Column(ref, Type.BIGINT)), Order(first))
    return replace(relation, sql=relation.wrapped(aliased(place, ref)), order=order, unasked=True)


def printed(aggregates: Sequence[Aggregate], groups: Sequence[Group]) -> str:
    """Return aggregates and what rows are grouped by as PPL."""
    by = f" by {', '.join(group.print() for group in groups)}" if groups else ""
    return f"{', '.join(each.print() for each in aggregates)}{by}"


def grouped(
    relation: Relation,
    compiler: Compiler,
    values: list[tuple[str, Typed]],
    keys: list[tuple[str, Typed]],
    required: list[int],
    having: exp.Expression | None = None,
) -> Relation:
    """Return one row per combination of `keys`, of which those at `required` are not null, with `values`.

    `having` is a condition on the rows of a group.
    """
    columns: dict[str, Column] = {}
    selected: list[exp.Expression] = []
    order: list[Order] = []
    taken = {name for name, _ in keys}
    values = [(f"{name}_0" if name in taken else name, value) for name, value in values]
    for index, (name, value) in enumerate([*values, *keys]):
        ref = compiler.fresh()
        selected.append(aliased(value.sql, ref))
        column = computed(ref, value)
        columns[unique(name, columns)] = column
        if index >= len(values):
            order.append(Order(column))
    aggregates.share_percentiles(selected)
    source = relation.wrapped()
    for index in required:
        source = source.where(aggregates.present(keys[index][1].sql), copy=False)
    select = exp.Select(expressions=selected)
    select.set("from_", source.args.get("from_"))
    select.set("where", source.args.get("where"))
    if keys:
        places = [exp.Literal.number(len(values) + index + 1) for index in range(len(keys))]
        select.set("group", exp.Group(expressions=places))
    if having is not None:
        select.set("having", exp.Having(this=having))
    return Relation(select, columns, tuple(order), plain=False, implicit=False)


def parse(parser: Parser) -> Stats:
    """Read what follows `stats`."""
    nullable = True
    while option := parser.option("bucket_nullable", "partitions", "allnum", "delim"):
        if option == "bucket_nullable":
            nullable = parser.boolean()
        else:
            parser.take()
    found = aggregates.parse_list(parser)
    groups = parse_groups(parser) if parser.word("by") else ()
    if parser.option("dedup_splitvalues"):
        parser.boolean()
    return Stats(found, groups, nullable)


def parse_groups(parser: Parser) -> tuple[Group, ...]:
    """Take the keys after `by`, with or without commas between."""
    groups = [_group(parser)]
    while parser.op(",") or not (parser.at_end() or parser.peek().is_word("dedup_splitvalues")):
        groups.append(_group(parser))
    return tuple(groups)


def _group(parser: Parser) -> Group:
    if parser.peek().is_word("span") and parser.next_is("("):
        start = parser.peek().start
        node: Node = spans.parse(parser)
        # The engine names the column after the text without its spaces.
        column = "".join(parser.text[start : parser.last_end].split())
    else:
        node = parser.field()
        column = node.name
    if parser.word("as"):
        column = parser.field().name
    return Group(node, column)
