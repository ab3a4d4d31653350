"""Conditions of a query that token indexes can decide, put into the table of a scan in a form that reads no texts.

A condition that a query demands of its rows may contain `leaves`, tests of texts whose meaning is known as a
`treering.stage.condition`. Where an index knows a leaf's rows, they stand beside the segments' rows as a column; where
it only knows some of them, the test itself is made for the others that may satisfy it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from arro3.core import Array, Table
from sqlglot import exp

from treering.query.copying import copied
from treering.store.duckdb.matching import MAYBE, SURE
from treering.store.duckdb.relation import named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import Scan
    from treering.store.duckdb.lookup import Lookup
    from treering.store.duckdb.manifest import Segment
    from treering.store.duckdb.matching import Memory

S = TypeVar("S", bound=exp.Expr)
# With more rows left to look at than this share of those that blocks leave, an index saves too little.
WORTH_IT = 0.7
# When blocks leave fewer rows than this share, looking at those is cheaper than passing through all of them.
FEW = 0.3
DEMAND, LEAF = "demand", "leaf"


@dataclass(frozen=True, slots=True)
class Demand:
    """A condition over a scan's columns, and by segment file the codes of its rows for each leaf (None: of no use).

    A code is SURE where a row satisfies the leaf, MAYBE where it may, 0 where it does not; so many rows are `doubtful`.
    """

    sql: exp.Expr
    known: Mapping[str, tuple[Any, ...]]
    doubtful: int

    def state(self, item: Segment) -> tuple[tuple[bool, bool], ...]:
        """Return for each leaf whether some rows of the segment satisfy it, and whether others may."""
        return tuple((bool((held == SURE).any()), bool((held == MAYBE).any())) for held in self.known[item.file])


@dataclass(frozen=True, slots=True)
class Decided:
    """Conditions over segments, and the table with a row for each of theirs whose columns they also ask, if any."""

    demands: tuple[exp.Expr, ...]
    table: Table | None
    columns: tuple[str, ...]


def over(demands: Sequence[Demand], items: Sequence[Segment]) -> Decided:
    """Return the demands on the rows of segments that are alike in what is known of them."""
    columns: dict[str, Any] = {}
    conditions = tuple(_over(demand, items, columns) for demand in demands)
    table = Table.from_pydict({name: Array.from_numpy(held) for name, held in columns.items()}) if columns else None
    return Decided(conditions, table, tuple(columns))


def _over(demand: Demand, items: Sequence[Segment], columns: dict[str, Any]) -> exp.Expr:
    states = [demand.state(item) for item in items]
    places = {id(leaf): place for place, leaf in enumerate(leaves(demand.sql))}

    def known(node: exp.Expr) -> exp.Expr | None:
        """Return what stands for a leaf."""
        if (place := places.get(id(node))) is None:
            return None
        sure, maybe = (any(state[place][kind] for state in states) for kind in (0, 1))
        if not sure and not maybe:
            return exp.false()
        name = f" hit {len(columns)}"
        columns[name] = np.concatenate([demand.known[item.file][place] for item in items])
        parts = [_equals(name, SURE)] if sure else []
        if maybe:
            parts.append(exp.and_(_equals(name, MAYBE), exp.Paren(this=copied(node)), copy=False))
        return exp.Paren(this=exp.or_(*parts, copy=False))

    return exp.Paren(this=copied(demand.sql, known))


def _equals(name: str, code: int) -> exp.Expr:
    return exp.EQ(this=named(name), expression=exp.Literal.number(code))


def leaves(sql: exp.Expr) -> list[exp.Expr]:
    """Return the outermost nodes of a condition whose meaning is known and whose null counts as false there."""
    found: list[exp.Expr] = []
    pending = [sql]
    while pending:
        node = pending.pop()
        if LEAF in node.meta:
            found.append(node)
        elif isinstance(node, exp.And | exp.Or | exp.Paren) or _is_known(node):
            pending += [child for child in node.iter_expressions() if isinstance(child, exp.Expr)]
        elif isinstance(node, exp.Not) and _is_known(node.this):
            pending.append(node.this)
    return found


def _is_known(node: object) -> bool:
    """Whether the node is `coalesce(…, false)`."""
    if not isinstance(node, exp.Coalesce) or len(node.expressions) != 1:
        return False
    last = node.expressions[0]
    return isinstance(last, exp.Boolean) and not last.this


def without(sql: S, settled: Collection[str]) -> S:
    """Return SQL without the conditions that tables take care of."""
    if not settled:
        return copied(sql)
    return copied(sql, lambda node: exp.true() if node.meta.get(DEMAND) in settled else None)


def decided(
    scan: Scan, pairs: Sequence[tuple[Segment, int]], schema: StreamSchema, lookup: Lookup, memory: Memory
) -> list[Demand]:
    """Return the conditions of `scan` of which indexes know enough; `pairs` are segments and their rows to look at."""
    total, everything = sum(rows for _, rows in pairs), sum(item.rows for item, _ in pairs)
    found: list[Demand] = []
    if total <= FEW * everything:
        return found
    for sql in scan.demands:
        meanings = [leaf.meta[LEAF].condition for leaf in leaves(sql)]
        known = {item.file: tuple(lookup.codes(item, each, schema, memory) for each in meanings) for item, _ in pairs}
        left = sum(max(int((held == MAYBE).sum()) for held in codes) for codes in known.values()) if meanings else total
        if left <= WORTH_IT * total:
            found.append(Demand(sql, known, left))
    return found
