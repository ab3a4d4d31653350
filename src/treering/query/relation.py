"""What a command works on: a table under construction, the PPL columns in it, and the order of its rows.

The SQL columns of a relation have names of their own (`ref`) that no other column of the query has: `s0.body` for a
field of a scan, `#1`, `#2`, … for what is computed. So selecting, renaming and replacing PPL columns costs no SQL at
all, `SELECT *, … AS "#7"` never meets a name twice, and a subsearch can name the columns of the search around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import addresses
from treering.query.function import Typed
from treering.query.types import Type
from treering.stage.condition import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from treering.model.schema import FieldType, StreamSchema
    from treering.stage.condition import Condition
    from treering.stage.store import SortKey, Tokens

SEQUENCE = "_seq"
METADATA = {
    "_id": Type.STRING,
    "_index": Type.STRING,
    "_score": Type.FLOAT,
    "_maxscore": Type.FLOAT,
    "_sort": Type.BIGINT,
    "_routing": Type.STRING,
}


@dataclass(frozen=True, slots=True)
class Composed:
    """A column of a scan that is no stored field itself: an expression over stored fields and what is joined."""

    sql: exp.Expression
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Another scan, and the table made of it whose rows are joined to a scan's by `keys` (a space before them)."""

    source: Source
    table: exp.Select
    keys: tuple[str, ...]


@dataclass(slots=True)
class Source:
    """A scan being described while the query is lowered: the fields that turn out to be needed, and its bounds.

    `used` maps the SQL column of each needed field to the field; `select` is filled from it at the end. `composed` are
    columns made of several fields or of none, under names that no field has; `joined` is what they need beside the
    scan's own rows, and such a scan `follows` the one it is joined to. `seen` are those of `used` that something else
    needs than a search for the words `sought`, during which `seeking` holds.
    """

    name: str
    streams: tuple[str, ...]
    schema: StreamSchema
    select: exp.Select
    used: dict[str, str] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None
    tokens: list[Tokens] = field(default_factory=list)
    conditions: list[exp.Expression] = field(default_factory=list)
    filters: list[Condition] = field(default_factory=list)
    newest: int | None = None
    first: int | None = None
    keys: tuple[SortKey, ...] = ()
    per: tuple[str, ...] = ()
    composed: dict[str, Composed] = field(default_factory=dict)
    joined: Joined | None = None
    follows: Source | None = None
    seen: set[str] = field(default_factory=set)
    sought: list[Tokens] = field(default_factory=list)
    seeking: bool = False

    def use(self, ref: str, stored: str) -> None:
        """Have the scan read a field as the SQL column `ref`."""
        self.used[ref] = stored
        if not self.seeking:
            self.seen.add(ref)

    def demand(self, condition: exp.Expression, meaning: Condition = ANYTHING) -> None:
        """Take in a condition that every wanted row satisfies, and what it means where that has a form of ours."""
        condition.meta["demand"] = f"{self.name}.{len(self.conditions)}"
        self.conditions.append(condition)
        self.filters.append(meaning)


@dataclass(frozen=True, slots=True)
class Automatic:
    """The time that a column has buckets of, and how many buckets there may be."""

    value: Typed
    bins: int


@dataclass(frozen=True, slots=True)
class Column:
    """A PPL column: the SQL column that carries it and its type.

    `source` is the scan it still comes from unchanged, with `field` the store's field and `stored` its name. With
    `many` the SQL column is JSON although the type is a scalar's: some record has a list there. An
    `optional` column without any value is left out of the answer. `item_of` is the nested field that it is an item of.
    `ranged` is the number whose ranges the column names, `automatic` the time whose buckets it has.
    """

    ref: str
    type: Type
    element: Type | None = None
    source: Source | None = None
    field: FieldType | None = None
    stored: str = ""
    many: bool = False
    path: str = ""
    optional: bool = False
    item_of: FieldType | None = None
    ranged: Column | None = None
    automatic: Automatic | None = None

    @property
    def raw(self) -> exp.Expression:
        """The SQL column, or the member of a JSON column at `path`; using it makes the scan read it."""
        if self.source is not None:
            self.source.use(self.ref, self.stored)
        if self.path:
            # A flat object of texts has whole paths as its names.
            path = self.path.replace('"', "")
            names = [path] if self.element is Type.STRING else path.split(".")
            steps = "".join(f'."{name}"' for name in names)
            return exp.Anonymous(
                this="json_extract_string", expressions=[named(self.ref), exp.Literal.string("$" + steps)]
            )
        return named(self.ref)


@dataclass(frozen=True, slots=True)
class Order:
    """One key of the order of rows."""

    column: Column
    descending: bool = False
    nulls_first: bool = True

    def sql(self) -> exp.Ordered:
        """Return the key as SQL."""
        value = addresses.key(self.column.raw) if self.column.type is Type.IP else self.column.raw
        return exp.Ordered(this=value, desc=self.descending, nulls_first=self.nulls_first)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table with PPL columns.

    `order` empty means the order in which the rows were stored, which the engine keeps by itself; `sequence` is that
    order as a column, for windows and ties, until rows are grouped. `plain` says that only conditions came so far;
    `names` are the streams' names, which may stand before a field; `implicit` that no command has chosen the columns,
    so members of objects are not shown beside them. `shuffled` says that the engine no longer keeps the stored order by
    itself, so it has to be asked for by `sequence`, `unasked` that the order is only how groups come; of it, the first
    `merged` keys are how a left join merges, which it does not where the rows are cut. `sides` are the tables of joins:
    what may stand before a field, and the columns it then names. `cut` says that a command has left rows out by their
    place, `topped` that it did so in an order that was asked for, which no order followed. `sorted` is the table and
    the columns right after a sort, and the order before it.
    """

    sql: exp.Select
    columns: Mapping[str, Column]
    order: tuple[Order, ...] = ()
    sequence: Column | None = None
    metadata: Mapping[str, Column] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    plain: bool = True
    implicit: bool = True
    shuffled: bool = False
    unasked: bool = False
    merged: int = 0
    sides: tuple[tuple[frozenset[str], Mapping[str, Column]], ...] = ()
    cut: bool = False
    topped: bool = False
    sorted: tuple[exp.Select, Mapping[str, Column], tuple[Order, ...]] | None = None

    @property
    def indexed(self) -> bool:
        """Whether OpenSearch's index would aggregate these rows itself: only conditions and values came before."""
        return self.sequence is not None and not self.shuffled and not self.cut

    def find(self, name: str) -> Column | None:
        """Return the column called `name`, metadata fields included."""
        return self.columns.get(name) or self.metadata.get(name)

    def keys(self) -> list[exp.Ordered]:
        """Return the full order of rows as SQL, ties included."""
        keys = [key.sql() for key in self.order]
        if self.sequence is not None:
            keys.append(exp.Ordered(this=self.sequence.raw, nulls_first=True))
        return keys

    def wrapped(self, *extra: exp.Expression) -> exp.Select:
        """Return a SELECT of everything in this relation and `extra` columns."""
        return exp.Select(expressions=[exp.Star(), *extra]).from_(nested(self.sql), copy=False)

    def with_columns(self, columns: Mapping[str, Column]) -> Relation:
        """Return the relation with other PPL columns over the same table."""
        return replace(self, columns=columns, plain=False)

    def where(self, condition: exp.Expression) -> Relation:
        """Return the relation with only the rows that satisfy `condition`."""
        return replace(self, sql=self.wrapped().where(condition, copy=False))

    def ordered(self, order: Sequence[Order]) -> Relation:
        """Return the relation in another order."""
        return replace(self, order=tuple(order), plain=False, unasked=False, merged=0, topped=False)

    def unsorted(self) -> Relation:
        """Return the relation in the order before a sort, if that was the last that was done."""
        if self.sorted is None or self.sorted[0] is not self.sql or self.sorted[1] is not self.columns:
            return self
        return replace(self, order=self.sorted[2], sorted=None)

    def limited(self, count: int, offset: int = 0) -> Relation:
        """Return the first `count` rows after `offset`."""
        if self.merged:
            return replace(self, order=self.order[self.merged :], merged=0).limited(count, offset)
        select = self.wrapped()
        if self.order or self.shuffled:
            select = select.order_by(*self.keys(), copy=False)
        select.set("limit", first(count))
        if offset:
            select = select.offset(offset, copy=False)
        return replace(self, sql=select, plain=False, cut=True, topped=bool(self.order))


def named(ref: str) -> exp.Column:
    """Return an SQL column by its exact name."""
    return exp.Column(this=exp.Identifier(this=ref, quoted=True))


def first(count: int) -> exp.Limit:
    """Return the LIMIT of a SELECT; its own method has the number parsed."""
    return exp.Limit(expression=exp.Literal.number(count))


def unique(name: str, taken: Container[str]) -> str:
    """Return the name, with a number after it if a column has it already."""
    found, count = name, 0
    while found in taken:
        found, count = f"{name}{count}", count + 1
    return found


def aliased(value: exp.Expression, ref: str) -> exp.Alias:
    """Return `value AS "ref"`."""
    return exp.Alias(this=value, alias=exp.Identifier(this=ref, quoted=True))


def nested(select: exp.Query) -> exp.Expression:
    """Return a SELECT as something that can stand in FROM."""
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier("t")))


def computed(ref: str, value: Typed) -> Column:
    """Return the column that carries a computed value."""
    return Column(ref, value.type, value.element)
