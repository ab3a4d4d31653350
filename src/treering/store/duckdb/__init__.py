"""The embedded engine: DuckDB over what is in memory and in Parquet segments."""

from __future__ import annotations

import fnmatch
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb
from arro3.core import Array, ChunkedArray, DataType, Table
from sqlglot import exp

from treering.core.errors import UserError
from treering.model import mapping as mappings
from treering.model.columns import SEQUENCE, TIME
from treering.stage.store import Limits, Query, Result, Scan, StreamInfo
from treering.store.duckdb import relation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.model.batch import Batch
    from treering.model.schema import StreamSchema


class DuckdbStore:
    """Streams in memory, queried through DuckDB."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._batches: dict[str, list[Table]] = {}
        self._mappings: dict[str, Mapping[str, Any]] = {}
        self._next = 0
        self._connection = duckdb.connect(":memory:", config={"threads": 2})

    def append(self, batches: Sequence[Batch]) -> int:
        """Keep all rows and return the `_seq` of the first one."""
        with self._lock:
            first = self._next
            for batch in batches:
                numbers = Array(range(self._next, self._next + batch.rows), DataType.int64())
                table = Table.from_batches([batch.data]).append_column(SEQUENCE, ChunkedArray([numbers]))
                self._batches.setdefault(batch.stream, []).append(table)
                self._next += batch.rows
            return first

    def streams(self, pattern: str = "*") -> list[StreamInfo]:
        """Return the streams that match, by name."""
        with self._lock:
            names = sorted({*self._batches, *self._mappings})
            return [
                StreamInfo(
                    name,
                    sum(table.num_rows for table in self._batches.get(name, [])),
                    0,
                    mapping=self._mappings.get(name, {}),
                )
                for name in names
                if fnmatch.fnmatchcase(name, pattern)
            ]

    def schema(self, streams: Sequence[str]) -> StreamSchema:
        """Return the merged schema of the streams that match. Raises `UserError` when none does."""
        names = [info.name for pattern in streams for info in self.streams(pattern)]
        if not names:
            raise UserError(f"no stream named {', '.join(streams)!r}")
        physical = [name for stream in names for table in self._batches.get(stream, []) for name in table.schema.names]
        return mappings.schema([self._mappings.get(name, {}) for name in names], physical)

    def create(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Create an empty stream with an OpenSearch mapping."""
        with self._lock:
            if stream in self._batches or stream in self._mappings:
                raise UserError(f"stream {stream!r} exists")
            self._mappings[stream] = mapping

    def delete(self, stream: str) -> bool:
        """Delete a stream with all its records; returns whether it existed."""
        with self._lock:
            return [self._batches.pop(stream, None), self._mappings.pop(stream, None)] != [None, None]

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None = None) -> Result:  # noqa: ARG002
        """Answer a query."""
        started = time.thread_time()
        cursor = self._connection.cursor()
        sql = query.sql.copy()
        tables = {name: self._scan(cursor, scan, index) for index, (name, scan) in enumerate(query.scans.items())}
        for node in list(sql.find_all(exp.Table)):
            if (found := tables.get(node.name)) is not None:
                node.replace(exp.Subquery(this=found, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name))))
        rows = cursor.execute(sql.sql(dialect="duckdb")).fetchmany(limits.rows)
        return Result(query.columns, rows, cpu_seconds=time.thread_time() - started)

    def _scan(self, cursor: duckdb.DuckDBPyConnection, scan: Scan, index: int) -> exp.Query:
        parts: list[relation.Part] = []
        with self._lock:
            for pattern in scan.streams:
                for stream, tables in self._batches.items():
                    if fnmatch.fnmatchcase(stream, pattern):
                        for table in tables:
                            name = f"part_{index}_{len(parts)}"
                            cursor.register(name, table)
                            parts.append(relation.Part(stream, exp.to_table(name), frozenset(table.schema.names)))
        return relation.table(scan, self.schema(scan.streams), parts)


__all__ = ["TIME", "DuckdbStore"]
