"""The documents of a search: how many match, and one page of them in order."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, pushdown
from treering.query.dsl.instants import MILLISECOND, formatted
from treering.query.dsl.leaves import constant
from treering.query.dsl.relations import matching
from treering.query.logic import any_of
from treering.query.relation import Order, aliased, nested
from treering.query.types import SQL, Type
from treering.stage.store import ResultColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.query.dsl.relations import Matching, Schema
    from treering.query.dsl.request import Request, SortKey
    from treering.query.lucene import Query
    from treering.stage.store import Query as StoreQuery

    Run = Callable[[StoreQuery, int], Sequence[tuple[Any, ...]]]

_PLACE = (ResultColumn("_index", "string"), ResultColumn("_seq", "bigint"), ResultColumn("_id", "string"))
_STORED = frozenset({"_doc", "_score", "_shard_doc"})


@dataclass(frozen=True, slots=True)
class Hit:
    """One document: its stream, `_seq` and `_id`, and the values it was sorted by."""

    stream: str
    seq: int
    id: str
    sort: tuple[Any, ...] = ()


class Hits:
    """Counts and lists the documents that match, through `run`, which answers a store's query with rows."""

    def __init__(self, streams: Sequence[str], schema: Schema, now_ns: int, run: Run) -> None:
        """Search `streams`; `schema` answers for them."""
        self._streams = streams
        self._schema = schema
        self._now_ns = now_ns
        self._run = run

    def _matching(self, query: Query) -> Matching:
        return matching(self._streams, query, self._schema, self._now_ns)

    def count(self, query: Query) -> int:
        """Return how many documents match."""
        found = self._matching(query)
        select = exp.Select(expressions=[aliased(exp.Count(this=exp.Star()), "n")])
        rows = self._run(found.finished(select.from_(nested(found.relation.sql)), [ResultColumn("n", "bigint")]), 1)
        return int(rows[0][0])

    def page(self, request: Request) -> list[Hit]:
        """Return the documents of one page; without a sort in the order in which they were stored."""
        if not request.size:
            return []
        found = self._matching(request.query)
        if request.post is not None:
            found.relation = found.relation.where(found.where(request.post))
        if request.until is not None:
            assert found.relation.sequence is not None
            until = exp.LTE(this=found.relation.sequence.raw, expression=exp.Literal.number(request.until))
            found.relation = found.relation.where(until)
        keys = [_Key(found, key) for key in request.sort]
        if request.after is not None:
            found.relation = found.relation.where(_beyond(keys, request.after))
        elif (first := keys[0] if keys else None) is not None and first.order is not None and self._plain(request):
            pushdown.newest(_ordered(found, first.order), request.size + request.start)
        select = self._select(found, keys, request)
        shown = [*_PLACE, *(ResultColumn(f"k{index}", "undefined") for index in range(len(keys)))]
        rows = self._run(found.finished(select, shown), request.size)
        return [_hit(row, keys) for row in rows]

    @staticmethod
    def _plain(request: Request) -> bool:
        """Whether nothing but the query decides which documents are on the page."""
        return request.post is None and request.until is None

    def _select(self, found: Matching, keys: Sequence[_Key], request: Request) -> exp.Select:
        sequence = found.relation.sequence
        assert sequence is not None
        metadata = found.relation.metadata
        chosen = [
            aliased(metadata["_index"].raw, "_index"),
            aliased(sequence.raw, "_seq"),
            aliased(metadata["_id"].raw, "_id"),
            *(aliased(key.shown, f"k{index}") for index, key in enumerate(keys)),
        ]
        select = exp.Select(expressions=chosen).from_(nested(found.relation.sql), copy=False)
        last = exp.Ordered(this=sequence.raw, desc=False, nulls_first=False)
        select = select.order_by(*(key.ordered for key in keys), last, copy=False)
        return select.limit(request.size, copy=False).offset(request.start, copy=False)


def _ordered(found: Matching, order: Order) -> Any:
    """Return the relation with its order, so that the newest rows suffice where that is what is asked for."""
    from dataclasses import replace

    return replace(found.relation.ordered([order]), plain=True)


def _hit(row: tuple[Any, ...], keys: Sequence[_Key]) -> Hit:
    stream, seq, name, *values = row
    return Hit(stream, seq, name, tuple(key.answered(value) for key, value in zip(keys, values, strict=True)))


class _Key:
    """One sort key over the matching records: its SQL, and how its values are told to clients and read back."""

    def __init__(self, found: Matching, key: SortKey) -> None:
        self.key = key
        self.order: Order | None = None
        column = None if key.field in _STORED else found.column(key.field)
        if column is None:
            sequence = found.relation.sequence
            assert sequence is not None
            self.type, self.nanos = Type.BIGINT, False
            # An unmapped field is null in every record; `_doc` and `_score` keep the order of storing.
            self._sql = sequence.raw if key.field in _STORED else coerce.sql_cast(exp.Null(), Type.BIGINT)
            return
        if SQL[column.type] == "JSON" or column.type in coerce.DOCUMENTS:
            raise UserError(f"sorting by [{key.field[:80]}] is not supported: it holds objects")
        self.type = column.type
        self.nanos = column.field is not None and column.field.type == "date_nanos"
        value = found.value(key.field)
        assert value is not None
        self._sql = coerce.instant_ns(value) if column.type in coerce.INSTANTS else value.sql
        self.order = Order(column, key.descending, not key.missing_last)

    @property
    def shown(self) -> exp.Expression:
        """The key's value as an output column."""
        return self._sql.copy()

    @property
    def ordered(self) -> exp.Ordered:
        """The key as SQL orders by it."""
        return exp.Ordered(this=self._sql.copy(), desc=self.key.descending, nulls_first=not self.key.missing_last)

    def answered(self, value: Any) -> Any:
        """Return the value as `sort` of a hit shows it: dates in milliseconds, `date_nanos` in nanoseconds."""
        if value is None or self.type not in coerce.INSTANTS:
            return value
        if self.key.form:
            return formatted(value, self.key.form)
        return value if self.nanos else value // MILLISECOND

    def after(self, value: Any) -> exp.Expression:
        """Return the condition that the key lies beyond `value`."""
        if value is None:
            return exp.false()
        compare: Any = exp.LT if self.key.descending else exp.GT
        limit = self._literal(value)
        if self._told_in_millis and not self.key.descending:
            # What was told as a millisecond may have been any instant of it.
            compare, limit = exp.GTE, exp.Add(this=limit, expression=exp.Literal.number(MILLISECOND))
        beyond: exp.Expression = compare(this=self._sql.copy(), expression=limit)
        if self.key.missing_last:
            beyond = exp.Paren(
                this=exp.Or(this=beyond, expression=exp.Is(this=self._sql.copy(), expression=exp.Null()))
            )
        return beyond

    def same(self, value: Any) -> exp.Expression:
        """Return the condition that the key is `value`."""
        if value is None:
            return exp.Is(this=self._sql.copy(), expression=exp.Null())
        if self._told_in_millis:
            low = self._literal(value)
            high = exp.Add(this=low.copy(), expression=exp.Literal.number(MILLISECOND))
            above = exp.GTE(this=self._sql.copy(), expression=low)
            return exp.And(this=above, expression=exp.LT(this=self._sql.copy(), expression=high))
        return exp.EQ(this=self._sql.copy(), expression=self._literal(value))

    @property
    def _told_in_millis(self) -> bool:
        return self.type in coerce.INSTANTS and not self.nanos and not self.key.form

    def _literal(self, value: Any) -> exp.Expression:
        if self.type in coerce.INSTANTS:
            if isinstance(value, str):
                from treering.query import instants

                value = instants.bound(value, 0, up=False)
            elif isinstance(value, int) and not self.nanos:
                value *= MILLISECOND
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise UserError("search_after takes the sort values of the last hit")
        return constant(value)


def _beyond(keys: Sequence[_Key], after: Sequence[Any]) -> exp.Expression:
    """Return the condition on documents that come after one with these keys."""
    parts: list[exp.Expression] = []
    for index, (key, value) in enumerate(zip(keys, after, strict=True)):
        before = [keys[at].same(after[at]) for at in range(index)]
        parts.append(functools.reduce(lambda a, b: exp.And(this=a, expression=b), [*before, key.after(value)]))
    return any_of(parts)
