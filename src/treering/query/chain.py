"""The way of a query's rows from their scan: whether each step only added columns or left rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce
from treering.query.copying import below
from treering.query.types import Type
from treering.stage.store import SortKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.relation import Column, Order, Relation, Source

_PARTS = frozenset({"expressions", "from_", "where"})
_AROUND = (exp.Window, exp.Unnest, exp.Explode, exp.Query, exp.AggFunc)
_SORTED = frozenset({Type.STRING, Type.TIMESTAMP, Type.BOOLEAN, *coerce.NUMBERS})


def levels(select: exp.Expression | None, sources: Sequence[Source]) -> tuple[Source, list[exp.Select]] | None:
    """Return the scan that a SELECT reads, and the SELECTs between from the innermost on; None where rows change.

    A row of the scan is at most one row of the SELECT, and depends on no other row.
    """
    found: list[exp.Select] = []
    while isinstance(select, exp.Select):
        found.append(select)
        if not {name for name, value in select.args.items() if value} <= _PARTS or _looks_around(select):
            return None
        for source in sources:
            if select is source.select:
                return source, found[::-1]
        select = inside(select)
    return None


def inside(select: exp.Select) -> exp.Expression | None:
    """Return the SELECT from which a SELECT reads, if it is one alone."""
    origin = select.args.get("from_")
    return origin.this.this if origin is not None and isinstance(origin.this, exp.Subquery) else None


def _looks_around(select: exp.Select) -> bool:
    """Whether an expression reads other rows or makes several of one."""
    parts = [*select.expressions, *([select.args["where"]] if select.args.get("where") else [])]
    return any(
        isinstance(node, _AROUND) or (isinstance(node, exp.Anonymous) and node.name.lower() == "unnest")
        for part in parts
        for node in below(part)
    )


def limit(relation: Relation, count: int, per: Sequence[Column] = ()) -> None:
    """Tell the scan that only the first rows are needed, when nothing but known conditions came between.

    With `per`, of each combination of values.
    """
    source = relation.sequence.source if relation.sequence is not None else None
    if source is None or source.first is not None or relation.shuffled:
        return
    found = levels(relation.sql, [source])
    keys = [_key(order.column, source, order) for order in relation.order]
    groups = [_key(column, source) for column in per]
    if found is None or None in keys or None in groups:
        return
    demands = [where.this for level in found[1] if (where := level.args.get("where"))]
    if all(condition in source.conditions for condition in demands):
        source.first, source.keys = count, tuple(key for key in keys if key is not None)
        source.per = tuple(key.field for key in groups if key is not None)


def only_once(select: exp.Select, sources: Sequence[Source]) -> None:
    """Take back what was told to scans whose rows the query needs for something else too."""
    told = [source for source in sources if source.first is not None]
    names = [node.name for node in below(select) if isinstance(node, exp.Table)] if told else []
    for source in told:
        if names.count(source.name) != 1:
            source.first, source.keys, source.per = None, (), ()


def _key(column: Column, source: Source, order: Order | None = None) -> SortKey | None:
    plain = column.source is source and column.field is not None and not column.many and not column.path
    if not plain or column.type not in _SORTED or column.stored in source.composed or column.stored == "_index":
        return None
    return SortKey(column.stored) if order is None else SortKey(column.stored, order.descending, order.nulls_first)
