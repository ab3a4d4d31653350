"""What was fetched as tables of the embedded engine, so that a query means the same wherever its records are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arro3.core import Table
from sqlglot import exp

from treering.model.columns import REST, SEQUENCE, TIME
from treering.store.duckdb import arrow, relation
from treering.store.duckdb.relation import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    from arro3.core import RecordBatch

    from treering.model.schema import StreamSchema
    from treering.stage.store import Scan


class Tables:
    """The tables of one query, registered on its cursor."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Register on `cursor`."""
        self._cursor = cursor
        self._count = 0

    def part(self, stream: str, batches: Sequence[RecordBatch], scan: Scan, schema: StreamSchema) -> Part:
        """Return rows of one stream as a piece of a scan's table."""
        wanted = relation.physical(relation.types(scan.fields, schema))
        slim: list[RecordBatch] = []
        rest: set[str] = set()
        for data in batches:
            flat, names = arrow.flattened(data)
            rest |= names.members
            slim.append(flat)
        columns = {name for data in slim for name in data.schema.names}
        needed = [name for name in (*wanted, TIME, SEQUENCE) if name in columns]
        if any(name in rest for name in wanted):
            needed.append(REST)
        name = self._register(arrow.aligned(slim, list(dict.fromkeys(needed))))
        source = relation.selected(exp.to_table(name), wanted, columns, rest)
        return Part(stream, source, columns | rest)

    def whole(self, table: Table) -> exp.Query:
        """Return the SELECT of a table as it is."""
        return exp.select("*").from_(exp.to_table(self._register(table)))

    def _register(self, table: Table) -> str:
        name = f"fetched_{self._count}"
        self._count += 1
        self._cursor.register(name, table)
        return name
