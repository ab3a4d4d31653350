"""The table of a scan: each part of a stream selected into logical columns, united in `_seq` order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model.columns import ID, SEQUENCE, TIME
from treering.model.schema import FieldType
from treering.store.duckdb import logical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import Scan

_METADATA = {
    ID: FieldType(ID, "keyword"),
    SEQUENCE: FieldType(SEQUENCE, "long"),
    TIME: FieldType(TIME, "date_nanos"),
    "_index": FieldType("_index", "keyword"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of one stream that can stand in FROM, and the physical columns it has."""

    stream: str
    source: exp.Expression
    columns: frozenset[str]


def table(scan: Scan, schema: StreamSchema, parts: Sequence[Part]) -> exp.Query:
    """Return the SELECT whose columns are exactly `scan.fields`."""
    fields = [_METADATA.get(name) or schema.fields[name] for name in scan.fields]
    selects: list[exp.Select] = []
    for part in parts:
        columns = [exp.alias_(logical.column(f, part.columns, part.stream), f.name, quoted=True) for f in fields]
        select = exp.select(*(columns or [exp.alias_(exp.Literal.number(1), "_", quoted=True)])).from_(part.source)
        for bound in _time_bounds(scan):
            select = select.where(bound)
        selects.append(select)
    if not selects:
        empty = [exp.alias_(logical.column(f, (), ""), f.name, quoted=True) for f in fields]
        return exp.select(*(empty or [exp.alias_(exp.Literal.number(1), "_", quoted=True)])).where(exp.false())
    result: exp.Query = selects[0]
    for select in selects[1:]:
        result = exp.Union(this=result, expression=select, distinct=False)
    return result


def _time_bounds(scan: Scan) -> list[exp.Expression]:
    stamp = exp.func("epoch_ns", exp.column(exp.to_identifier(TIME, quoted=True)))
    bounds: list[exp.Expression] = []
    if scan.start_ns is not None:
        bounds.append(exp.GTE(this=stamp, expression=exp.Literal.number(scan.start_ns)))
    if scan.end_ns is not None:
        bounds.append(exp.LT(this=stamp.copy(), expression=exp.Literal.number(scan.end_ns)))
    return bounds
