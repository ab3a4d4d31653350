"""Rows of several relations one after the other, columns matched by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.function import Typed
from treering.query.relation import Column, Relation, aliased, nested
from treering.query.scope import as_list
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.syntax import Place

PART = 1 << 40  # rows of one part, for the numbers that keep the parts apart


@dataclass(frozen=True, slots=True)
class _Target:
    column: Column
    parts: tuple[Column | None, ...]


def union(parts: Sequence[Relation], compiler: Compiler, place: Place = (0, 0), *, widen: bool = False) -> Relation:
    """Return the rows of all parts in order; a column that a part lacks is null there.

    Raises `UserError` when a name has different types, unless `widen` finds a type for them all.
    """
    names = dict.fromkeys(name for part in parts for name in part.columns)
    targets = {}
    for name in names:
        try:
            targets[name] = _target([part.columns.get(name) for part in parts], name, compiler, widen=widen)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(place)) from None
    sequence = Column(compiler.fresh(), Type.BIGINT)
    selects = [_part(part, index, list(targets.values()), sequence, compiler) for index, part in enumerate(parts)]
    sql = exp.Select(expressions=[exp.Star()]).from_(nested(_joined(selects)), copy=False)
    columns = {name: target.column for name, target in targets.items()}
    implicit = all(part.implicit for part in parts)
    return Relation(sql, columns, (), sequence, plain=False, implicit=implicit, shuffled=True)


def appended(parts: Sequence[Relation], compiler: Compiler, place: Place = (0, 0), *, widen: bool = False) -> Relation:
    """Return the rows of all parts as `union` does, without the sort that a part ends with where it lacks no column.

    OpenSearch's planner drops such a sort, unless its index has made it.
    """
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    loose = [part if part.indexed or list(part.columns) != names else part.unsorted() for part in parts]
    return union(loose, compiler, place, widen=widen)


def _joined(selects: list[exp.Select]) -> exp.Query:
    found: exp.Query = selects[0]
    for select in selects[1:]:
        found = exp.Union(this=found, expression=select, distinct=False)
    return found


def _target(columns: list[Column | None], name: str, compiler: Compiler, *, widen: bool) -> _Target:
    present = [column for column in columns if column is not None]
    kinds = dict.fromkeys(column.type for column in present if column.type is not Type.UNDEFINED)
    kind = next(iter(kinds), Type.UNDEFINED)
    if len(kinds) > 1:
        common = coerce.common(kinds) or Type.STRING
        if not widen:
            listed = " and ".join(kinds)
            raise UserError(f"the column {name!r} has different types: {listed}", hint="cast one of them")
        kind = common
    many = any(column.many for column in present)
    element = present[0].element
    return _Target(Column(compiler.fresh(), kind, element, many=many), tuple(columns))


def _part(part: Relation, index: int, targets: list[_Target], sequence: Column, compiler: Compiler) -> exp.Select:
    expressions: list[exp.Expression] = [aliased(_value(t, t.parts[index], compiler), t.column.ref) for t in targets]
    keys = part.keys()
    number = exp.Window(this=exp.RowNumber(), order=exp.Order(expressions=keys) if keys else None)
    expressions.append(aliased(exp.Add(this=number, expression=exp.Literal.number(index * PART)), sequence.ref))
    return exp.Select(expressions=expressions).from_(nested(part.sql), copy=False)


def _value(target: _Target, column: Column | None, compiler: Compiler) -> exp.Expression:
    kind = "JSON" if target.column.many else SQL[target.column.type]
    if column is None:
        return coerce.sql_cast(exp.Null(), kind)
    if target.column.many:
        return coerce.sql_cast(column.raw if column.many else as_list(column), kind)
    value = Typed(column.raw, column.type, element=column.element)
    return coerce.sql_cast(coerce.cast(value, target.column.type, compiler.now_ns).sql, kind)
