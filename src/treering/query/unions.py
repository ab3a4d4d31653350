"""Rows of several relations, one below the other, with columns of the same name in one column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.relation import Column, Order, Relation, aliased, named, nested
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.core.errors import Where
    from treering.query.compiler import Compiler
    from treering.query.syntax import Place

# Types that are one to the engine when it compares the columns of two tables.
_TEXTS = frozenset({Type.STRING, Type.TIMESTAMP, Type.DATE, Type.TIME, Type.BINARY})


@dataclass(frozen=True, slots=True)
class _Target:
    """A column of the whole."""

    type: Type
    element: Type | None
    many: bool
    ref: str

    @property
    def sql_type(self) -> str:
        return "JSON" if self.many else SQL[self.type]


def stacked(parts: Sequence[Relation], compiler: Compiler, *, coerced: bool = False, place: Place = (0, 0)) -> Relation:
    """Return the rows of all parts in turn, null where a part has not the column.

    Columns come in the order in which the parts first name them. Raises `UserError` where two parts have a column of
    different types, pointing at `place`; with `coerced` such a column takes their common type, text at worst.
    """
    where = compiler.where(place)
    targets = {
        name: _target(
            [column for part in parts if (column := part.columns.get(name))], name, compiler, where, coerced=coerced
        )
        for name in dict.fromkeys(name for part in parts for name in part.columns)
    }
    number, position = compiler.fresh(), compiler.fresh()
    selects = [_select(part, index, targets, number, position, compiler) for index, part in enumerate(parts)]
    whole: exp.Query = selects[0]
    for select in selects[1:]:
        whole = exp.Union(this=whole, expression=select, distinct=False)
    columns = {name: Column(t.ref, t.type, t.element, many=t.many) for name, t in targets.items()}
    return Relation(
        exp.Select(expressions=[exp.Star()]).from_(nested(whole), copy=False),
        columns,
        (Order(Column(number, Type.INT)), Order(Column(position, Type.BIGINT))),
        names=frozenset[str]().union(*(part.names for part in parts)),
        plain=False,
        implicit=any(part.implicit for part in parts),
    )


def shared(relation: Relation, compiler: Compiler) -> tuple[exp.CTE, Relation]:
    """Return the relation as a named table that several selects may read, and the relation that reads it."""
    name = exp.Identifier(this=compiler.fresh(), quoted=True)
    table = exp.CTE(this=relation.sql, alias=exp.TableAlias(this=name))
    select = exp.Select(expressions=[exp.Star()]).from_(exp.Table(this=name.copy()), copy=False)
    return table, replace(relation, sql=select, plain=False)


def sharing(table: exp.CTE, relation: Relation) -> Relation:
    """Return a relation that reads what `shared` named, with the table it reads."""
    select = relation.wrapped()
    select.set("with_", exp.With(expressions=[table]))
    return replace(relation, sql=select)


def _target(columns: list[Column], name: str, compiler: Compiler, where: Where | None, *, coerced: bool) -> _Target:
    kind = columns[0].type
    for column in columns[1:]:
        if column.type is kind or column.type is Type.UNDEFINED:
            continue
        if kind is Type.UNDEFINED:
            kind = column.type
        elif coerced:
            kind = coerce.common([kind, column.type]) or Type.STRING
        elif not {kind, column.type} <= _TEXTS:
            raise UserError(
                f"the column {name!r} has the types {kind} and {column.type}",
                hint="cast one of them, or rename it",
                where=where,
            )
    element = columns[0].element if all(column.element is columns[0].element for column in columns) else None
    return _Target(kind, element, any(column.many for column in columns), compiler.fresh())


def _select(
    part: Relation, index: int, targets: dict[str, _Target], number: str, position: str, compiler: Compiler
) -> exp.Select:
    cells = [
        aliased(_cell(part.columns.get(name), target, compiler.now_ns), target.ref) for name, target in targets.items()
    ]
    if part.order or part.sequence is None:
        order = exp.Order(expressions=part.keys()) if part.order else None
        place: exp.Expression = exp.Window(this=exp.RowNumber(), order=order)
    else:
        place = part.sequence.raw
    cells += [aliased(exp.Literal.number(index), number), aliased(sql_cast(place, Type.BIGINT), position)]
    return exp.Select(expressions=cells).from_(nested(part.sql), copy=False)


def _cell(column: Column | None, target: _Target, now_ns: int) -> exp.Expression:
    if column is None:
        return sql_cast(exp.Null(), target.sql_type)
    if target.many:
        return column.raw if column.many else exp.Anonymous(this="to_json", expressions=[column.raw])
    if column.type is target.type and not column.path:
        return column.raw
    return sql_cast(coerce.cast(Typed(column.raw, column.type), target.type, now_ns).sql, target.sql_type)


def present(relation: Relation) -> bool:
    """Whether rows come in from a command before: nothing does into the first one."""
    return bool(relation.columns or relation.metadata)


def order_of(column: str) -> Order:
    """Return the ascending order of a column of numbers, nulls last."""
    return Order(Column(column, Type.BIGINT), nulls_first=False)


def numbered(relation: Relation, compiler: Compiler) -> tuple[Relation, exp.Column]:
    """Return the relation with the number of each row in its order, from 1."""
    ref = compiler.fresh()
    keys = relation.keys()
    number = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=keys) if keys else None)
    return replace(relation, sql=relation.wrapped(aliased(number, ref)), plain=False), named(ref)
