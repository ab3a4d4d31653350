"""Small segments of a stream become large ones, deleted records leave the disk, old segments go.

Only neighbours are merged, so rows keep their order. Readers see the old segments or the new one, never both: the
manifest changes in one transaction, and old files go after the readers that see them have ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Table
from sqlglot import exp

from treering.core.errors import Bug
from treering.model.columns import ID, REST, SEQUENCE, TIME, of_sender
from treering.store.duckdb import arrow, ids, index, memtable, merging, relation, segment
from treering.store.duckdb.catalog import matching
from treering.store.duckdb.manifest import Segment, side
from treering.store.duckdb.names import interned, union
from treering.store.duckdb.tokens import BLOCK_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.config import Config

FAN_IN = 8
_SMALL, _MIDDLE = 8_192, 65_536
_MANY_SEGMENTS = 128
_DEAD_SHARE, _MOST_DEAD = 0.1, 1000
_UNPACKED = 8  # about so many bytes in memory are one in a file
_DAY_NS = 86_400 * 1_000_000_000


def due(view: StreamView, config: Config, *, aged: bool) -> list[Segment]:
    """Return neighbouring segments that should become one, or one that should lose its deleted records, or nothing."""
    sound = [item for item in view.segments if not item.damage]
    for item in sound:
        if len(view.dead_inside(item.min_seq, item.max_seq)) > min(_DEAD_SHARE * item.rows, _MOST_DEAD):
            return [item]
    tiers = [_SMALL, _MIDDLE]
    if len(sound) > _MANY_SEGMENTS:
        tiers.append(config.segment_rows // 2)
    for most in tiers:
        run: list[Segment] = []
        for item in view.segments:
            if item.damage or item.rows >= most or not _fit(run, item, config, aged=aged and most > _MIDDLE):
                if len(run) >= FAN_IN:
                    return run
                run = []
            if not item.damage and item.rows < most:
                run.append(item)
        if len(run) >= FAN_IN:
            return run
    return []


def _fit(run: Sequence[Segment], item: Segment, config: Config, *, aged: bool) -> bool:
    if not run:
        return True
    # Where old data goes by age, a segment must not hold much more than a day.
    long = max(item.max_ns, *(part.max_ns for part in run)) - min(item.min_ns, *(part.min_ns for part in run)) > _DAY_NS
    rows = item.rows + sum(part.rows for part in run)
    most = _MIDDLE if _wide([*run, item], config) else config.segment_rows
    return rows <= most and not (aged and long)


def _wide(items: Sequence[Segment], config: Config) -> bool:
    """Whether some columns have to be moved into `_rest` when these segments become one."""
    return sum(map(of_sender, union(item.columns for item in items).order)) > config.columns


def compact(
    cursor: duckdb.DuckDBPyConnection, catalog: Catalog, view: StreamView, items: Sequence[Segment], config: Config
) -> None:
    """Put one segment with the live rows of `items` in their place."""
    folder = catalog.folder
    if folder is None:
        raise Bug("a store in memory has no segments")
    dead = view.dead_inside(items[0].min_seq, items[-1].max_seq)
    inside = {int(seq) for item in items for seq in view.dead_inside(item.min_seq, item.max_seq)}
    new: list[Segment] = []
    if sum(item.rows for item in items) > len(inside):
        with catalog.manifest_lock, catalog.manifest.change():
            number = int(catalog.manifest.fact("merges", 0)) + 1
            catalog.manifest.set_fact("merges", number)
        file = f"{view.stream.folder}/m{number:011d}.parquet"
        write = _write_wide if _wide(items, config) else _write
        new = [write(cursor, folder, file, items, dead, config)]
    catalog.replaced(view.name, items, new, inside)


def _write(
    cursor: duckdb.DuckDBPyConnection, folder: Path, file: str, items: Sequence[Segment], dead: Any, config: Config
) -> Segment:
    path = folder / file
    timed = all("time" in item.traits for item in items)
    columns = [name for name in union(item.columns for item in items).order if name != TIME]
    source = relation.files_by_name([str(folder / item.file) for item in items])
    chosen: list[exp.Expr] = [relation.named(name) for name in columns]
    known = {name for item in items for name in item.columns.members}
    if not timed:
        stamps = [relation.named(name) for name in (TIME, relation.STAMP) if name in known]
        stamp = stamps[0] if len(stamps) == 1 else exp.Coalesce(this=stamps[0], expressions=stamps[1:])
        chosen.append(exp.alias_(stamp, TIME, quoted=True))
    query = exp.select(*chosen).from_(source)
    if len(dead):
        query = query.where(relation.alive(dead.tolist()))
    rows = sum(item.rows for item in items)
    row_bytes = _UNPACKED * sum(item.bytes for item in items) / rows
    segment.copy(cursor, query.sql(dialect="duckdb"), path, config.shape.group_rows(rows, len(columns), row_bytes))
    seqs = _sequence(cursor, path, rows, dead, items)
    traits = {"time"} if timed else set()
    extra = 0
    if all("tokens" in item.traits for item in items) or len(seqs) >= segment.LEAST_INDEXED:
        traits.add("tokens")
        words = _words(cursor, folder, items, seqs, counted=not len(dead))
        extra += segment.beside(folder / side(file, "tokens"), lambda target: target.write_bytes(index.pack(words)))
    if any("ids" in item.traits for item in items):
        traits.add("ids")
        named = exp.select(relation.named(ID), relation.named(SEQUENCE)).from_(relation.files([str(path)]))
        table = Table.from_arrow(cursor.sql(named.sql(dialect="duckdb")))
        extra += segment.beside(folder / side(file, "ids"), lambda target: ids.write(target, table))
    low, high = min(item.min_ns for item in items), max(item.max_ns for item in items)
    stored = interned(columns if timed else (*columns, TIME))
    rest = union(item.rest for item in items) if REST in known else interned(())
    return segment.entry(folder, file, items[0].stream, seqs, (low, high), stored, rest, frozenset(traits), extra)


def _write_wide(
    cursor: duckdb.DuckDBPyConnection, folder: Path, file: str, items: Sequence[Segment], dead: Any, config: Config
) -> Segment:
    batches = []
    for item in items:
        source = relation.files([str(folder / item.file)])
        stamp = relation.STAMP if "time" in item.traits else TIME
        fields = [name for name in item.columns.order if name != TIME]
        query = exp.select(*map(relation.named, fields), exp.alias_(relation.named(stamp), TIME, quoted=True)).from_(
            source
        )
        table = arrow.without(Table.from_arrow(cursor.sql(query.sql(dialect="duckdb"))), dead)
        batches += arrow.typed(table).to_batches()
    table = arrow.merged(batches, config.columns)
    columns = interned(table.schema.names)
    rest = memtable.rest_names(items, columns)
    return segment.write(cursor, folder, file, items[0].stream, table, rest, config.shape)


def _sequence(cursor: duckdb.DuckDBPyConnection, path: Path, rows: int, dead: Any, items: Sequence[Segment]) -> Any:
    """Return the sequence numbers of a merged segment after checking that every row is there, in order."""
    query = exp.select(relation.named(SEQUENCE)).from_(relation.files([str(path)]))
    seqs = arrow.integers(Table.from_arrow(cursor.sql(query.sql(dialect="duckdb"))).column(SEQUENCE))
    most = rows - len(dead) <= len(seqs) <= rows
    if not most or (len(seqs) > 1 and not bool((np.diff(seqs) > 0).all())):
        path.unlink()
        raise Bug(f"merging {len(items)} segments into {path} did not keep their rows")
    return seqs


def _words(
    cursor: duckdb.DuckDBPyConnection, folder: Path, items: Sequence[Segment], seqs: Any, *, counted: bool
) -> index.Content:
    """Return the token index of several segments: theirs merged, built for those that are too small to have one."""
    parts = []
    for item in items:
        try:
            held = index.Index(folder / side(item.file, "tokens")).content() if "tokens" in item.traits else None
        except (OSError, ValueError, KeyError):
            held = None
        if held is None:
            query = exp.select("*").from_(relation.files([str(folder / item.file)]))
            held = segment.words(Table.from_arrow(cursor.sql(query.sql(dialect="duckdb"))))
        parts.append(held)
    return merging.merged(parts, BLOCK_ROWS, counted=counted, known=([item.columns for item in items], seqs))


def expired(view: StreamView, config: Config, now_ns: int) -> list[Segment]:
    """Return the segments all of whose rows are older than the stream's records are kept."""
    days = next((days for pattern, days in config.retention.items() if matching([pattern], [view.name])), None)
    if days is None:
        return []
    return [item for item in view.segments if item.max_ns < now_ns - int(days * _DAY_NS)]
