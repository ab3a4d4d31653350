"""Writing segments: the rows of one stream as a Parquet file with its side files, durable before anyone hears of it."""

from __future__ import annotations

import math
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arro3.core import ChunkedArray, Table
from sqlglot import exp

from treering.model.columns import ID, ORIGIN, REST, SEQUENCE, TIME
from treering.store.duckdb import arrow, ids, index, relation, tokens
from treering.store.duckdb.manifest import Segment, side
from treering.store.duckdb.names import Names, interned
from treering.store.duckdb.wal import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

COMPRESSION_LEVEL = 1
# Values are kept as a dictionary up to this share of different ones; a fifth is the engine's own choice.
_DIFFERENT = 0.4
# A dictionary of each column is held while a row group is written.
_GROUP_CELLS, _GROUP_BYTES, _LEAST_GROUP_ROWS = 16 << 20, 96 << 20, 30_720
# A query that wants few rows of a row group unpacks the pages that have them; files grow by a hundredth.
_PAGE_BYTES = 128 << 10
# Fewer rows are read as fast as an index is.
LEAST_INDEXED = 2 * tokens.BLOCK_ROWS


@dataclass(frozen=True, slots=True)
class Shape:
    """How segments are written: rows of a row group, most field columns."""

    row_group_rows: int = 61_440
    most_columns: int = 1000

    def group_rows(self, rows: int, columns: int, row_bytes: float) -> int:
        """Return the rows of a row group: fewer of many columns or of long rows, which the engine holds in memory.

        All groups of a file are about as large: in a small last one, values that are all different would be within the
        bound of a dictionary, which has to be unpacked as a whole for a single row.
        """
        fitting = min(_GROUP_CELLS // max(columns, 1), int(_GROUP_BYTES / max(row_bytes, 1)))
        most = min(self.row_group_rows, max(_LEAST_GROUP_ROWS, fitting))
        return math.ceil(rows / math.ceil(rows / most))


def write(cursor: duckdb.DuckDBPyConnection, folder: Path, file: str, stream: str, table: Table, rest: Names,
          shape: Shape) -> Segment:  # fmt: skip
    """Write `table` (in `_seq` order, at least one row) as the segment `file` of `folder` and return its entry."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = arrow.integers(table.column(TIME))
    seqs = arrow.integers(table.column(SEQUENCE))
    traits = {"time"} if _is_stamp(table, stamps) else set()
    stored = [name for name in table.schema.names if not (name == TIME and traits) and not _empty(table, name)]
    cursor.register("flushed", table.select(stored))
    rows = shape.group_rows(table.num_rows, len(stored), table.nbytes / table.num_rows)
    copy(cursor, exp.select("*").from_("flushed").sql(dialect="duckdb"), path, rows)
    cursor.unregister("flushed")
    columns = interned(stored)
    extra = 0
    if ID in columns.members:
        traits.add("ids")
        extra += beside(folder / side(file, "ids"), lambda target: ids.write(target, table))
    if table.num_rows >= LEAST_INDEXED:
        traits.add("tokens")
        found = words(table)
        extra += beside(folder / side(file, "tokens"), lambda target: target.write_bytes(index.pack(found)))
    rest = rest if REST in columns.members else interned(())
    times = int(stamps.min()), int(stamps.max())
    return entry(folder, file, stream, seqs, times, columns, rest, frozenset(traits), extra)


def entry(  # noqa: PLR0913  a segment is all of this
    folder: Path, file: str, stream: str, seqs: Any, times: tuple[int, int], columns: Names, rest: Names,
    traits: frozenset[str], extra: int,
) -> Segment:  # fmt: skip
    """Return the manifest's entry of a written file, whose name is durable then."""
    path = folder / file
    with path.open("rb") as written:
        checksum = _checksum(written)
    sync_directory(path.parent)
    bounds = int(seqs[0]), int(seqs[-1]), *times
    return Segment(file, stream, len(seqs), path.stat().st_size, extra, checksum, *bounds, columns, rest, traits)


def words(table: Table) -> index.Content:
    """Return the token index of a table."""
    return index.content(tokens.build(table))


def beside(path: Path, write_to: Callable[[Path], object]) -> int:
    """Write a side file durably and return its size."""
    write_to(path)
    _sync(path)
    return path.stat().st_size


def copy(cursor: duckdb.DuckDBPyConnection, query: str, path: Path, group_rows: int) -> None:
    """Write the rows of `query` as a Parquet file that is whole and durable when it has its name."""
    temporary = path.with_suffix(".tmp")
    target = exp.Literal.string(str(temporary)).sql(dialect="duckdb")
    try:
        cursor.execute(
            f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {COMPRESSION_LEVEL}, "
            f"PARQUET_VERSION v2, ROW_GROUP_SIZE {group_rows}, "
            f"DICTIONARY_SIZE_LIMIT {round(group_rows * _DIFFERENT)}, "
            f"DATA_PAGE_SIZE_LIMIT {_PAGE_BYTES}, WRITE_PAGE_INDEX true)"
        )
        _sync(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_stamp(table: Table, stamps: Any) -> bool:
    if relation.STAMP not in table.schema.names:
        return False
    column: ChunkedArray = table.column(relation.STAMP)
    return column.null_count == 0 and bool((arrow.integers(column) == stamps).all())


def _empty(table: Table, name: str) -> bool:
    return name in {ID, ORIGIN, REST} and bool(table.column(name).null_count == table.num_rows)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(file: Any) -> int:
    value = 0
    while block := file.read(1 << 20):
        value = zlib.crc32(block, value)
    return value


def damage(folder: Path, segment: Segment) -> str:
    """Return why the segment's file is not what was written, or an empty string."""
    path = folder / segment.file
    try:
        with path.open("rb") as file:
            if path.stat().st_size != segment.bytes:
                return f"{path} has {path.stat().st_size} bytes instead of {segment.bytes}"
            return "" if _checksum(file) == segment.checksum else f"{path} has other content than was written"
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"


def remove(folder: Path, segment: Segment) -> None:
    """Delete the segment's files; those already gone are no error."""
    for file in segment.files:
        (folder / file).unlink(missing_ok=True)
