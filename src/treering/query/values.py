"""Tables whose rows are written in the query or known without reading a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.coerce import sql_cast
from treering.query.relation import Column, Relation, aliased, named
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.compiler import Compiler

Cell = str | int | float | bool | None


def table(columns: Mapping[str, Type], rows: Sequence[Sequence[Cell]], compiler: Compiler) -> Relation:
    """Return a relation of rows with one cell per column, in their order."""
    number = compiler.fresh()
    refs = {name: compiler.fresh() for name in columns}
    given = [f"c{index}" for index in range(len(columns) + 1)]
    cells = [_cell(given[0], "BIGINT", number)]
    cells += [_cell(source, SQL[columns[name]], refs[name]) for source, name in zip(given[1:], columns, strict=True)]
    lines = [
        exp.Tuple(expressions=[exp.Literal.number(index), *map(_literal, row)]) for index, row in enumerate(rows)
    ] or [exp.Tuple(expressions=[exp.Null() for _ in given])]
    alias = exp.TableAlias(this=exp.to_identifier("v"), columns=[exp.to_identifier(name) for name in given])
    select = exp.Select(expressions=cells).from_(exp.Values(expressions=lines, alias=alias), copy=False)
    if not rows:
        select = select.where(exp.false(), copy=False)
    shown = {name: Column(refs[name], kind) for name, kind in columns.items()}
    return Relation(select, shown, (), Column(number, Type.BIGINT), plain=False, implicit=False)


def _cell(source: str, kind: str, ref: str) -> exp.Expression:
    return aliased(sql_cast(named(source), kind), ref)


def _literal(value: Cell) -> exp.Expression:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    # Numbers as texts too, so that a column of several kinds is one of texts; the cast above makes them numbers again.
    return exp.Literal.string(value if isinstance(value, str) else repr(value))
