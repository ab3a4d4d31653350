"""Rows in their order: numbering them, and aggregates over the rows around each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, hashorder
from treering.query.function import Typed
from treering.query.relation import Column, Order, Relation, aliased, unique
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.query.aggregates import Aggregate
    from treering.query.compiler import Compiler

# What can be asked of the rows around a row (manual: cmd/streamstats, cmd/eventstats).
NAMES = frozenset(
    "count sum avg min max distinct_count earliest latest stddev_samp stddev_pop var_samp var_pop".split()
)
_AGGREGATES = frozenset(
    "sum avg count_if arg_min arg_max stddev_samp stddev_pop var_samp var_pop first last quantile_disc list".split()
)


def numbered(relation: Relation, compiler: Compiler) -> tuple[Relation, Column]:
    """Return the relation with the number of each row in its order, from 1."""
    number = exp.Window(this=exp.RowNumber(), order=_order(relation))
    column = Column(compiler.fresh(), Type.BIGINT)
    wrapped = relation.wrapped(aliased(number, column.ref))
    return replace(relation, sql=wrapped, plain=False), column


def ranked(relation: Relation, compiler: Compiler) -> tuple[Relation, exp.Expression]:
    """Return the relation and what its rows come by: their stored order where it has one, else their number."""
    if relation.sequence is not None:
        return relation, relation.sequence.raw
    relation, column = numbered(relation, compiler)
    return relation, column.raw


def _order(relation: Relation) -> exp.Order | None:
    keys = relation.keys()
    return exp.Order(expressions=keys) if keys else None


def shuffled(relation: Relation) -> Relation:
    """Return the relation as one whose stored order the engine has lost."""
    return replace(relation, shuffled=relation.sequence is not None, plain=False)


def placed(names: Iterable[str], relation: Relation) -> list[str]:
    """Return names of fields in the order of the columns, as the engine keeps the keys of a partition."""
    places = {name: index for index, name in enumerate(relation.columns)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def by_groups(relation: Relation, keys: Sequence[Typed], compiler: Compiler) -> Relation:
    """Return the rows group by group, groups in the order of a hash table; nothing reads it where a sort follows."""
    place = hashorder.of_partitions(keys) if keys else None
    if place is None:
        return relation
    relation, number = ranked(relation, compiler)
    first = window([key.sql for key in keys])
    first.set("this", exp.Min(this=number))
    refs = [compiler.fresh(), compiler.fresh()]
    sql = relation.wrapped(aliased(place, refs[0]), aliased(first, refs[1]))
    order = tuple(Order(Column(ref, Type.BIGINT)) for ref in refs)
    return replace(relation, sql=sql, order=(*order, *relation.order), unasked=True)


def value(aggregate: Aggregate, relation: Relation, compiler: Compiler, window: exp.Window) -> Typed:
    """Return an aggregate over the rows that `window` (without a function) spans.

    Raises `UserError` for one that only groups have.
    """
    if aggregate.name not in NAMES:
        where = compiler.where(aggregate.place)
        raise UserError(f"{aggregate.name} works on groups, not on rows: use it with stats", where=where)
    found = aggregates.lower(aggregate, relation, compiler)
    sql = found.sql
    if aggregate.name == "distinct_count":  # of nothing: null here, 0 in stats
        sql = exp.Nullif(this=sql, expression=exp.Literal.number(0))
    return replace(found, sql=over(sql, window))


def values(found: Sequence[Aggregate], relation: Relation, compiler: Compiler, window: exp.Window) -> dict[str, Typed]:
    """Return the aggregates by name; a name that a column has already gets a number, and the column stays."""
    named: dict[str, Typed] = {}
    for each in found:
        named[unique(each.column, {*relation.columns, *named})] = value(each, relation, compiler, window)
    return named


def over(sql: exp.Expression, window: exp.Window) -> exp.Expression:
    """Return an expression whose aggregates work on the rows of a window."""

    def visit(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Window):
            return node
        if _aggregates(node):
            spanned = window.copy()
            spanned.set("this", node.copy())
            return spanned
        for key, part in list(node.args.items()):
            if isinstance(part, exp.Expression):
                node.set(key, visit(part))
            elif isinstance(part, list):
                node.set(key, [visit(item) if isinstance(item, exp.Expression) else item for item in part])
        return node

    return visit(sql.copy())


def _aggregates(node: exp.Expression) -> bool:
    if isinstance(node, exp.Count | exp.Min | exp.Max | exp.Filter):
        return True
    return isinstance(node, exp.Anonymous) and str(node.this) in _AGGREGATES


def window(
    partition: Sequence[exp.Expression] = (),
    order: exp.Expression | None = None,
    *,
    kind: str = "ROWS",
    back: int | None = None,
    until: int = 0,
) -> exp.Window:
    """Return a window without a function: rows of one partition, from `back` before (None: the first) to `until`."""
    found = exp.Window(partition_by=[part.copy() for part in partition])
    if order is None:
        return found
    found.set("order", exp.Order(expressions=[exp.Ordered(this=order.copy(), nulls_first=True)]))
    ends = {
        "start": "UNBOUNDED" if back is None else exp.Literal.number(back),
        "start_side": "PRECEDING",
        "end": "CURRENT ROW" if until == 0 else exp.Literal.number(until),
        "end_side": None if until == 0 else "PRECEDING",
    }
    found.set("spec", exp.WindowSpec(kind=kind, **ends))
    return found
