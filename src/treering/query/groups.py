"""Groups that a store may make instead of handing out rows, and the SQL that goes on from them.

A group has one value of each of some fields, instants and numbers rounded down to steps, and partial aggregates: how
many rows, sums, least and greatest values. What the query computes of the rows is computed of such groups instead, be
they finer than its own: counts become sums of counts. Aggregates over expressions and counts of different values are
computed of groups by the fields they need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from sqlglot import exp

from treering.query import chain, coerce
from treering.query.relation import named
from treering.query.types import Type, type_of
from treering.stage.condition import ANYTHING, Condition, Constant, Either, Every, Known, Negated, every
from treering.stage.store import GroupKey, Groups, Metric

if TYPE_CHECKING:
    from treering.query.relation import Source

ROWS = " rows"
_PARTS = frozenset({"expressions", "from_", "where", "group", "having"})
_GROUPED = frozenset({Type.STRING, Type.BOOLEAN, Type.IP, *coerce.NUMBERS})
_MOST_KEYS = 8
_MOST_NODES = 2_000
# Functions of single values that stand around aggregates.
_SCALAR = frozenset(
    {"divide", "mod", "floor", "trunc", "list_sort", "list_slice", "to_json", "epoch", "to_months", "epoch_ns"}
    | {"make_timestamp_ns", "round"}
)


class _Unfit(Exception):  # noqa: N818  it says what is so
    """The rows themselves are needed."""


class Offer(Sequence[Groups]):
    """What `offered` finds, looked for when somebody asks: most stores read rows."""

    def __init__(self, select: exp.Select, sources: Sequence[Source]) -> None:
        """Look in `select` over `sources` when asked."""
        self._select, self._sources = select, tuple(sources)
        self._found: tuple[Groups, ...] | None = None

    def _all(self) -> tuple[Groups, ...]:
        if self._found is None:
            self._found = offered(self._select, self._sources)
        return self._found

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())

    @overload
    def __getitem__(self, place: int) -> Groups: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Groups]: ...

    def __getitem__(self, place: int | slice) -> Groups | Sequence[Groups]:
        """Return one of them."""
        return self._all()[place]


def offered(select: exp.Select, sources: Sequence[Source]) -> tuple[Groups, ...]:
    """Return what of a query can be answered by groups; each is marked in `select` where its SQL can stand."""
    found: list[Groups] = []
    for node in list(select.find_all(exp.Select)):
        if not _is_grouping(node):
            continue
        below = chain.levels(chain.inside(node), sources)
        if below is None or _count(select, below[0]) != 1:
            continue
        try:
            groups = _Maker(below[0], f"g{len(found)}").groups(node, below[1])
        except _Unfit:
            continue
        node.meta["groups"] = groups.table
        found.append(groups)
    return tuple(found)


def _count(select: exp.Select, source: Source) -> int:
    return sum(table.name == source.name for table in select.find_all(exp.Table))


def _is_grouping(select: exp.Select) -> bool:
    if not {name for name, value in select.args.items() if value} <= _PARTS:
        return False
    if select.args.get("group"):
        return True
    return bool(select.expressions) and all(_aggregates(part) for part in select.expressions)


def _aggregates(node: exp.Expression) -> bool:
    return any(_is_aggregate(part) for part in node.walk())


def _is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.AggFunc | exp.Filter):
        return True
    return isinstance(node, exp.Anonymous) and node.name.lower() in {"count_if", "sum", "avg", "any_value"}


@dataclass
class _Maker:
    """Makes the groups of one SELECT; `keys` maps fields to their steps, None being the value itself."""

    source: Source
    table: str
    keys: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    env: dict[str, exp.Expression] = field(default_factory=dict)

    def groups(self, select: exp.Select, below: Sequence[exp.Select]) -> Groups:
        self.metrics[ROWS] = Metric(ROWS, "rows")
        conditions = self._enter(below)
        group = select.args.get("group")
        ordinals = [part.name for part in group.expressions] if group is not None else []
        if not all(map(str.isdecimal, ordinals)) or not all(isinstance(part, exp.Alias) for part in select.expressions):
            raise _Unfit
        places = {int(name) - 1 for name in ordinals}
        wheres = [self._inlined(where.this) for where in [select.args.get("where")] if where is not None]
        made: dict[int, exp.Expression] = {}
        for place in places:
            made[place] = self._inlined(select.expressions[place].this)
            self._need(made[place])
        if group is not None and not self.keys:
            raise _Unfit
        for place, part in enumerate(select.expressions):
            if place not in places:
                made[place] = self._combined(part.this)
        having = select.args.get("having")
        above = self._combined(having.this) if having is not None else None
        kept, sure = self._sifted(conditions)
        for where in (*wheres, *kept):
            self._need(where)
        sql = exp.Select(
            expressions=[exp.alias_(made[n], part.alias, quoted=True) for n, part in enumerate(select.expressions)]
        ).from_(exp.Table(this=exp.Identifier(this=self.table, quoted=True)), copy=False)
        for where in (*wheres, *kept):
            sql = sql.where(where, copy=False)
        if group is not None:
            sql.set("group", group.copy())
        if above is not None:
            sql.set("having", exp.Having(this=above))
        keys = tuple(GroupKey(name, *(step or (None, 0))) for name, step in self.keys.items())
        return Groups(self.source.name, self.table, keys, tuple(self.metrics.values()), every(sure), sql)

    def _enter(self, below: Sequence[exp.Select]) -> list[exp.Expression]:
        """Learn what each SQL column is in terms of the scan's fields; returns the conditions on the way."""
        conditions: list[exp.Expression] = []
        for level in below:
            if (where := level.args.get("where")) is not None:
                conditions.append(where.this)
            aliases = [part for part in level.expressions if isinstance(part, exp.Alias)]
            if level is self.source.select:
                self.env = {part.alias: part.this for part in aliases}
                continue
            if not any(isinstance(part, exp.Star) for part in level.expressions):
                raise _Unfit
            for part in aliases:
                self.env[part.alias] = part.this
        # Definitions are put together only when they are needed: most of a record is not.
        return conditions

    def _inlined(self, node: exp.Expression, depth: int = 0) -> exp.Expression:
        """Return an expression over the scan's own fields."""
        if depth > _MOST_KEYS * 4 or node.find(exp.Query) is not None:
            raise _Unfit

        def step(part: exp.Expression) -> exp.Expression:
            if not isinstance(part, exp.Column):
                return part
            held = self.env.get(part.name)
            if held is None or part.args.get("table") is not None:
                raise _Unfit
            if self._is_stored(part):
                return held.copy()
            return self._inlined(held, depth + 1)

        copied = node.copy()
        for part in copied.walk():
            if "bucket" in part.meta and not all(map(self._is_stored, part.find_all(exp.Column))):
                del part.meta["bucket"]
        found = copied.transform(step)
        if sum(1 for _ in found.walk()) > _MOST_NODES:
            raise _Unfit
        return found

    def _is_stored(self, column: exp.Column) -> bool:
        held = self.env.get(column.name)
        return isinstance(held, exp.Column) and held.name == self.source.used.get(column.name)

    # Keys

    def _need(self, node: exp.Expression) -> None:
        """Group by the fields of an expression; times and numbers in steps where it needs no more."""
        for name, step in _fields(node):
            self._key(name, step)

    def _key(self, name: str, step: tuple[int, int] | None) -> None:
        kind = self._type(name)
        if name in self.keys:
            step = _finer(self.keys[name], step)
        if step is None and kind not in _GROUPED:
            raise _Unfit
        self.keys[name] = step
        if len(self.keys) > _MOST_KEYS:
            raise _Unfit

    def _has(self, node: exp.Expression) -> bool:
        return all(
            name in self.keys and _finer(self.keys[name], step) == self.keys[name] for name, step in _fields(node)
        )

    def _type(self, name: str) -> Type:
        held = self.source.schema.get(name)
        if held is None or held.holds_lists:
            raise _Unfit
        return type_of(held)

    def _sifted(self, conditions: Sequence[exp.Expression]) -> tuple[list[exp.Expression], list[Condition]]:
        """Part the conditions on rows into those that groups can be asked, and those that the store has to know."""
        kept: list[exp.Expression] = []
        sure: list[Condition] = []
        for condition in conditions:
            meaning = self._meaning(condition)
            try:
                inlined = self._inlined(condition)
                if meaning is not None and not self._has(inlined):
                    raise _Unfit
            except _Unfit:
                if meaning is None:
                    raise
                sure.append(meaning)
            else:
                kept.append(inlined)
        return kept, sure

    def _meaning(self, condition: exp.Expression) -> Condition | None:
        for sql, meaning in zip(self.source.conditions, self.source.filters, strict=True):
            if sql == condition:
                return meaning if _is_known(meaning) else None
        return None

    # Aggregates

    def _combined(self, node: exp.Expression) -> exp.Expression:
        """Return what a query computes of rows, computed of groups."""

        def step(part: exp.Expression) -> exp.Expression:
            if _is_aggregate(part):
                return self._aggregate(part)
            foreign = isinstance(part, exp.Anonymous) and part.name.lower() not in _SCALAR
            if foreign or isinstance(part, exp.Column | exp.Window | exp.Query | exp.Lambda):
                raise _Unfit
            return part

        return node.copy().transform(step)

    def _aggregate(self, node: exp.Expression) -> exp.Expression:  # noqa: PLR0911  one branch per function
        match node:
            case exp.Count(this=exp.Star()):
                return _total(named(ROWS))
            case exp.Count(this=exp.Distinct()) | exp.Filter():
                return self._unchanged(node)
            case exp.Count():
                return self._present(self._inlined(node.this))
            case exp.Min() | exp.Max():
                return self._edge(node)
            case exp.Anonymous() if node.name.lower() == "count_if":
                condition = self._inlined(node.expressions[0])
                self._need(condition)
                return _total(exp.Case(ifs=[exp.If(this=condition, true=named(ROWS))]))
            case exp.Anonymous() if node.name.lower() in {"sum", "avg"}:
                return self._sum(node)
            case exp.Anonymous() if node.name.lower() == "any_value":
                inlined = self._inlined(node)
                if not self._has(inlined):
                    raise _Unfit
                return inlined
            case _:
                raise _Unfit

    def _unchanged(self, node: exp.Expression) -> exp.Expression:
        """Different values are the same ones however often they come."""
        if isinstance(node, exp.Filter) and (node.find(exp.Distinct) is None or node.find(exp.Ordered) is not None):
            raise _Unfit
        inlined = self._inlined(node)
        self._need(inlined)
        return inlined

    def _present(self, value: exp.Expression) -> exp.Expression:
        name = _plain(value)
        if name is not None and name not in self.keys:
            return _total(self._metric("count", name))
        self._need(value)
        known = exp.Not(this=exp.Paren(this=exp.Is(this=coerce.operand(value), expression=exp.Null())))
        return _total(exp.Case(ifs=[exp.If(this=known, true=named(ROWS))]))

    def _edge(self, node: exp.Expression) -> exp.Expression:
        value = self._inlined(node.this)
        name = _plain(value)
        word = "min" if isinstance(node, exp.Min) else "max"
        if name is not None and name not in self.keys and self._type(name) in coerce.NUMBERS:
            return type(node)(this=self._metric(word, name))
        self._need(value)
        return type(node)(this=value)

    def _sum(self, node: exp.Anonymous) -> exp.Expression:
        value = self._inlined(node.expressions[0])
        inner = value.this if isinstance(value, exp.Cast) and not isinstance(value, exp.TryCast) else value
        name = _plain(inner)
        if name is None or self._type(name) not in coerce.NUMBERS:
            raise _Unfit
        total = exp.Anonymous(this="sum", expressions=[self._metric("sum", name)])
        if node.name.lower() == "sum":
            return total
        count = exp.Anonymous(this="sum", expressions=[self._metric("count", name)])
        parts = [coerce.sql_cast(part, Type.DOUBLE) for part in (total, count)]
        return exp.Paren(this=exp.Div(this=parts[0], expression=parts[1], typed=False))

    def _metric(self, word: str, name: str) -> exp.Column:
        self._type(name)
        column = f" {word} {name}"
        self.metrics[column] = Metric(column, word, name)
        return named(column)


def _total(value: exp.Expression) -> exp.Expression:
    found = exp.Anonymous(this="sum", expressions=[value])
    return coerce.sql_cast(exp.Coalesce(this=found, expressions=[exp.Literal.number(0)]), "BIGINT")


def _plain(node: exp.Expression) -> str | None:
    return node.name if isinstance(node, exp.Column) else None


def _fields(node: exp.Expression) -> list[tuple[str, tuple[int, int] | None]]:
    """Return the fields of an expression, with step and origin where it only needs to know the bucket."""
    bucket: Any = node.meta.get("bucket")
    columns = {column.name for column in node.find_all(exp.Column)} if bucket is not None else set()
    if bucket is not None and len(columns) == 1:
        return [(columns.pop(), bucket)]
    if isinstance(node, exp.Column):
        return [(node.name, None)]
    return [found for child in node.iter_expressions() for found in _fields(child)]


def _finer(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return steps that are parts of both."""
    if one is None or other is None:
        return None
    step = math.gcd(one[0], other[0], one[1] - other[1])
    return step, one[1] % step


def _is_known(condition: Condition) -> bool:
    match condition:
        case Constant():
            return condition != ANYTHING
        case Every() | Either():
            return all(map(_is_known, condition.parts))
        case Negated() | Known():
            return _is_known(condition.part)
        case _:
            return True
