"""What was appended since a position, in the order of its numbers, from segments and memory as one view has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arro3.core import RecordBatch, Table
from sqlglot import exp

from treering.model.batch import Batch
from treering.model.columns import MAX_COLUMNS, SEQUENCE, TIME
from treering.store.duckdb import arrow, relation
from treering.store.duckdb.catalog import matching, span
from treering.store.duckdb.manifest import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.memtable import Run


def since(
    cursor: duckdb.DuckDBPyConnection, catalog: Catalog, after: int, most: int, patterns: Sequence[str]
) -> tuple[int, list[Batch]]:
    """Return the last number that was looked at, and all rows of the streams with numbers above `after` up to it."""
    with catalog.pinned(["*"]) as views:
        spans = [span(part) for view in views for part in view.parts]
        ahead = [(max(low, after + 1), high) for low, high in spans if high > after]
        if not ahead:
            return after, []
        # Numbers of dropped streams and refused appends are gaps, which are stepped over.
        last = min(min(low for low, _ in ahead) - 1 + most, max(high for _, high in ahead))
        wanted = set(matching(patterns, sorted(view.name for view in views)))
        found = [_rows(cursor, catalog, view, (after + 1, last)) for view in views if view.name in wanted]
    batches = [batch for batch in found if batch is not None]
    return last, sorted(batches, key=lambda batch: int(batch.data.column(SEQUENCE)[0].as_py()))


def _rows(
    cursor: duckdb.DuckDBPyConnection, catalog: Catalog, view: StreamView, inside: tuple[int, int]
) -> Batch | None:
    parts: list[RecordBatch] = []
    for part in view.parts:
        low, high = span(part)
        if low <= inside[1] and high >= inside[0]:
            read = _segment(cursor, catalog, part, inside) if isinstance(part, Segment) else [_run(part, inside)]
            parts += [data for data in read if data.num_rows]
    if not parts:
        return None
    table = Table.from_batches(parts) if len(parts) == 1 else arrow.merged(parts, MAX_COLUMNS)
    alive = arrow.without(table, view.dead_inside(*inside)).combine_chunks().to_batches()
    return Batch(view.name, alive[0]) if alive and alive[0].num_rows else None


def _run(run: Run, inside: tuple[int, int]) -> RecordBatch:
    seqs = arrow.integers(run.data.column(SEQUENCE))
    low, high = (int(at) for at in seqs.searchsorted([inside[0], inside[1] + 1]))
    return run.data.slice(low, high - low)


def _segment(
    cursor: duckdb.DuckDBPyConnection, catalog: Catalog, item: Segment, inside: tuple[int, int]
) -> list[RecordBatch]:
    if item.damage or catalog.folder is None:
        return []
    source = relation.files([str(catalog.folder / item.file)])
    query = exp.select("*").from_(source).where(relation.ranges([inside])).order_by(relation.named(SEQUENCE))
    table = arrow.typed(Table.from_arrow(cursor.sql(query.sql(dialect="duckdb"))))
    if TIME not in table.schema.names:
        stamps: Any = table.column(relation.STAMP)
        table = table.append_column(TIME, stamps)
    return list(table.combine_chunks().to_batches())
