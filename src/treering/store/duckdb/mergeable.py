"""Queries whose groups can be made of each segment apart and then be put together, and how.

Counts, sums, least and greatest values of the union of disjoint rows follow from those of its parts (the distributive
and algebraic aggregates of Gray et al., "Data Cube", 1997). Segments never change, so what is known of one stays known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.coerce import data_type
from treering.query.copying import copied
from treering.store.duckdb.relation import named

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from treering.stage.store import Query

FILE = " file"  # the column that tells which part a row of partial groups is of
GROUPS = "partial groups"  # the table of all of them
_PLAIN = {"expressions", "from_", "where"}
_GROUPED = _PLAIN | {"group"}
# What may stand around aggregates.
_AROUND = (exp.Alias, exp.Cast, exp.TryCast, exp.Coalesce, exp.Paren, exp.Binary, exp.Literal, exp.DataType, exp.Null)
_NAMED: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.CountIf: "count_if",
    exp.Sum: "sum",
    exp.Min: "min",
    exp.Max: "max",
    exp.Avg: "avg",
}


@dataclass(frozen=True, slots=True)
class Mergeable:
    """The groups of a part of the rows, as columns of keys and of what was counted, and the query over all of them."""

    scan: str
    made: exp.Select
    keys: tuple[str, ...]
    whole: exp.Query


def mergeable(query: Query, aggregates: Collection[str]) -> Mergeable | None:
    """Return how the rows of `query` can be grouped part by part, None when they cannot.

    `aggregates` are the lower-case names of all aggregate functions of the engine.
    """
    if len(query.scans) != 1:
        return None
    ((name, scan),) = query.scans.items()
    tables = [table for table in query.sql.find_all(exp.Table) if table.name == name]
    if scan.newest is not None or len(tables) != 1:
        return None
    found = _grouped(tables[0], aggregates)
    return None if found is None else _split(query.sql, name, *found)


def _grouped(table: exp.Table, aggregates: Collection[str]) -> tuple[exp.Select, int] | None:
    """Return the SELECT that groups the rows of a table, and how many plain ones are between the two."""
    between = 0
    below: exp.Expr = table
    while isinstance(below.parent, exp.From) and isinstance(select := below.parent.parent, exp.Select):
        nodes = [node for part in select.expressions for node in part.find_all(exp.Func, exp.Window, exp.Select)]
        if any(isinstance(node, exp.Window | exp.Select) for node in nodes):
            return None
        if select.args.get("group") or any(_aggregates(node, aggregates) for node in nodes):
            return select, between
        if not _has_only(select, _PLAIN) or not isinstance(select.parent, exp.Subquery):
            return None
        between += 1
        below = select.parent
    return None


def _aggregates(node: exp.Expr, aggregates: Collection[str]) -> bool:
    named = isinstance(node, exp.Anonymous) and node.name.lower() in aggregates
    return named or isinstance(node, exp.AggFunc)


def _has_only(select: exp.Select, names: set[str]) -> bool:
    return all(name in names or not value for name, value in select.args.items())


def _split(sql: exp.Query, scan: str, select: exp.Select, between: int) -> Mergeable | None:
    places = _places(select)
    # A query inside a condition reads rows of its own.
    if places is None or not _has_only(select, _GROUPED) or len(list(select.find_all(exp.Select))) != between + 1:
        return None
    metrics: list[exp.Expr] = []
    keys: list[exp.Expr] = []
    shown: list[exp.Expr] = []
    for place, part in enumerate(select.expressions):
        if place in places:
            value = part.this if isinstance(part, exp.Alias) else part
            shown.append(exp.alias_(named(f"k{len(keys)}"), part.alias_or_name, quoted=True))
            keys.append(exp.alias_(copied(value), f"k{len(keys)}", quoted=True))
        elif (merged := _merged(part, metrics)) is not None:
            shown.append(merged)
        else:
            return None
    over = exp.Select(expressions=shown)
    over.set("from_", exp.From(this=exp.to_table(GROUPS, quoted=True)))
    if places:
        over.set("group", exp.Group(expressions=[exp.Literal.number(place + 1) for place in places]))
    whole = copied(sql, lambda node: over if node is select else None)
    names = tuple(key.this.sql(dialect="duckdb") for key in keys)
    return Mergeable(scan, _made(select, keys, metrics), names, whole)


def _places(select: exp.Select) -> list[int] | None:
    """Return the places of the columns that rows are grouped by."""
    group = select.args.get("group")
    if group is None:
        return []
    if any(value for name, value in group.args.items() if name != "expressions"):
        return None
    if not all(isinstance(key, exp.Literal) and key.is_int for key in group.expressions):
        return None
    return [int(key.name) - 1 for key in group.expressions]


def _made(select: exp.Select, keys: Sequence[exp.Expr], metrics: Sequence[exp.Expr]) -> exp.Select:
    """Return the SELECT of the groups of parts, with the part as one more key."""
    inner = copied(select.args["from_"].this)
    for step in inner.find_all(exp.Select):
        if not any(isinstance(part, exp.Star) for part in step.expressions):
            step.append("expressions", named(FILE))
    columns = [exp.alias_(part, f"m{place}", quoted=True) for place, part in enumerate(metrics)]
    made = exp.Select(expressions=[named(FILE), *keys, *columns])
    made.set("from_", exp.From(this=inner))
    if (where := select.args.get("where")) is not None:
        made.set("where", copied(where))
    made.set("group", exp.Group(expressions=[exp.Literal.number(place + 1) for place in range(len(keys) + 1)]))
    return made


def _merged(part: exp.Expr, metrics: list[exp.Expr]) -> exp.Expr | None:
    """Return a column over the groups of all parts; what it needs of each is added to `metrics`."""
    fits = True

    def known(node: exp.Expr) -> exp.Expr | None:
        nonlocal fits
        found = _aggregate(node, metrics)
        if found is None and not isinstance(node, _AROUND) and not _is_name(node):
            fits = False
        return found

    merged = copied(part, known)
    return merged if fits else None


def _is_name(node: exp.Expr) -> bool:
    return isinstance(node, exp.Identifier)


def _aggregate(node: exp.Expr, metrics: list[exp.Expr]) -> exp.Expr | None:
    kind = node.name.lower() if isinstance(node, exp.Anonymous) else _NAMED.get(type(node), "")
    if kind not in _NAMED.values() or node.find(exp.Distinct, exp.Order, exp.Filter) is not None:
        return None

    def one(function: str, value: exp.Expr) -> exp.Expression:
        metrics.append(value)
        return exp.Anonymous(this=function, expressions=[named(f"m{len(metrics) - 1}")])

    if kind in {"count", "count_if"}:
        return _total(one("sum", copied(node)), "BIGINT")
    if kind != "avg":
        return one(kind, copied(node))
    (value,) = node.expressions if isinstance(node, exp.Anonymous) else (node.this,)
    total = one("sum", exp.Anonymous(this="sum", expressions=[exp.cast(copied(value), "DOUBLE")]))
    count = one("sum", exp.Count(this=copied(value)))
    return exp.Paren(this=exp.Div(this=total, expression=exp.Nullif(this=count, expression=exp.Literal.number(0))))


def _total(value: exp.Expression, kind: str) -> exp.Expression:
    whole = exp.Coalesce(this=value, expressions=[exp.Literal.number(0)])
    return exp.Cast(this=whole, to=data_type(kind))
