"""From which instant on a scan has as many rows as are asked for, by what is known of files without reading rows."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model.columns import TIME
from treering.query.coerce import data_type
from treering.store.duckdb import relation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from treering.store.duckdb.cache import Cache
    from treering.store.duckdb.catalog import StreamView
    from treering.store.duckdb.manifest import Segment
    from treering.store.duckdb.memtable import Run

# The first instant of some rows, and how many they are.
Span = tuple[int, int]
_BYTES = 64
# What tells the rows of a file in parts, the finest first, and the names of a part's least value and of its rows there.
_KNOWN = (
    ("parquet_page_index", "min_value", "num_rows"),
    ("parquet_metadata", "stats_min_value", "row_group_num_rows"),
)


def since(
    most: int, views: Iterable[tuple[StreamView, Iterable[Segment], Iterable[Run]]], groups: Groups
) -> int | None:
    """Return an instant from which on segments and unflushed rows have `most` rows, None when they are fewer.

    It is the latest that pages or row groups tell.
    """
    files: list[tuple[int, int, Segment]] = []
    spans: list[Span] = []
    for view, segments, runs in views:
        spans += [(run.first_ns, run.rows - len(view.dead_inside(run.first_seq, run.last_seq))) for run in runs]
        files += [(item.max_ns, len(view.dead_inside(item.min_seq, item.max_seq)), item) for item in segments]
    files.sort(key=itemgetter(0))
    found = _latest(most, spans)
    while files and (found is None or files[-1][0] > found):
        _, dead, item = files.pop()
        spans += [(first, rows - dead) for first, rows in groups.of(item)]
        found = _latest(most, spans)
    return found


def _latest(most: int, spans: Iterable[Span]) -> int | None:
    rows = 0
    for first, count in sorted(spans, reverse=True):
        rows += max(count, 0)
        if rows >= most:
            return first
    return None


class Groups:
    """Reads the first instants of pages or row groups from the ends of Parquet files, once each."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, folder: Path, cache: Cache) -> None:
        """Read files below `folder`."""
        self._cursor = cursor
        self._folder = folder
        self._cache = cache

    def of(self, item: Segment) -> list[Span]:
        """Return the pages of a segment's instants, its row groups where it has no index of pages."""
        return self._cache.get(("groups", item.file), lambda: self._read(item), lambda spans: _BYTES * len(spans))

    def _read(self, item: Segment) -> list[Span]:
        for function, least, count in _KNOWN:
            found = self._spans(item, function, least, count)
            if all(stamp is not None for stamp, _ in found) and sum(rows for _, rows in found) == item.rows:
                return found
        return [(item.min_ns, item.rows)]  # the writer kept no statistics

    def _spans(self, item: Segment, function: str, least: str, count: str) -> list[Span]:
        source = relation.files([str(self._folder / item.file)])
        source.this.set("this", function)
        column = exp.Literal.string(relation.STAMP if "time" in item.traits else TIME)
        stamp = exp.Cast(this=exp.column(least), to=data_type("TIMESTAMP_NS"))
        query = exp.select(exp.Anonymous(this="epoch_ns", expressions=[stamp]), count).from_(source)
        query = query.where(exp.EQ(this=exp.column("path_in_schema"), expression=column))
        return self._cursor.execute(query.sql(dialect="duckdb")).fetchall()
