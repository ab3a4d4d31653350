"""Groups of segments, kept: a query that counts asks each segment once, however often its page is looked at.

The key is what was asked of a segment, without the time range: only segments wholly inside it, from which nothing was
deleted, have groups that are kept. All else (segments at the ends of the range, rows not yet in a segment) is grouped
anew each time, so an answer is that of the rows themselves.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from arro3.core import Array, DataType, RecordBatch, Schema, Table
from sqlglot import exp

from treering.query.coerce import data_type
from treering.store.duckdb import relation, running
from treering.store.duckdb.mergeable import FILE, GROUPS, Mergeable, mergeable
from treering.store.duckdb.scan import Scanner
from treering.store.duckdb.statement import check, seen
from treering.store.duckdb.statement import text as sql_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from treering.stage.store import Limits, Query, Scan
    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.lookup import Lookup
    from treering.store.duckdb.manifest import Segment
    from treering.store.duckdb.matching import Memory

K = TypeVar("K")
V = TypeVar("V")
MOST_BYTES = 32 << 20
MOST_GROUPS = 50_000
LEAST_ROWS = 50_000
"""With fewer rows in segments than these, two statements cost more than one."""
MANY_ROWS = 1_000_000
"""Of fewer rows, groups that can be kept cost more the first time than is saved if nobody asks again."""
_OVERHEAD = 500  # bytes of a key and of an Arrow batch without rows
_MOST_NOTED, _LEAST_GROUPS = 1000, 100
_TURNS = 4  # looks at a page over which the making of its groups is spread
_HELD = "held groups"
_TYPES = {
    str(kind)
    for kind in (
        *(DataType.int8(), DataType.int16(), DataType.int32(), DataType.int64(), DataType.bool(), DataType.utf8()),
        *(DataType.float64(), DataType.timestamp("ns"), DataType.date32(), DataType.decimal128(38, 0)),
    )
}
_SUMS = DataType.decimal128(38, 0)  # as the engine's sums of integers, of 128 bits, leave it


@dataclass(frozen=True, slots=True)
class Reading:
    """What one query reads with: its cursor and the streams as they are for it; and the segments it has read."""

    cursor: duckdb.DuckDBPyConnection
    catalog: Catalog
    lookup: Lookup
    views: Sequence[StreamView]
    memory: Memory = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)

    def scanner(self, skipped: Collection[str] = ()) -> Scanner:
        """Return what makes the tables of scans, without the files that are `skipped`."""
        scanner = Scanner(self.cursor, self.catalog, self.lookup, skipped, self.memory)
        scanner.segments = self.segments
        return scanner


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query that groups, what it reads, the segments whose groups can be kept, and those of them that are.

    Of the segments it reads at most so many `rows` each; `read` are rows and bytes that were read to know some of them.
    """

    form: Mergeable
    query: Query
    scan: Scan
    views: Sequence[StreamView]
    segments: Sequence[Segment]
    rows: Mapping[str, int]
    key: bytes
    known: Mapping[str, RecordBatch]
    read: tuple[int, int] = (0, 0)


class KeptGroups:
    """Answers queries that group by putting together what is known of segments. May be used from any thread."""

    def __init__(
        self,
        folder: Path | None,
        most_bytes: int = MOST_BYTES,
        least_rows: int = LEAST_ROWS,
        many_rows: int = MANY_ROWS,
    ) -> None:
        """Keep groups of at most so many bytes, of segments in `folder` of which at least so many rows are read."""
        self._folder = folder
        self._many_rows = many_rows
        self._most_bytes = most_bytes
        self._least_rows = least_rows
        self.bytes = 0
        self._held: OrderedDict[tuple[str, bytes], RecordBatch] = OrderedDict()
        self._asked_before: OrderedDict[bytes, int] = OrderedDict()
        self._few: OrderedDict[tuple[str, ...], bool] = OrderedDict()  # by keys: whether there are few groups
        self._aggregates: frozenset[str] = frozenset()
        self._lock, self._listing = threading.Lock(), threading.Lock()

    def answer(self, query: Query, reading: Reading, limits: Limits) -> tuple[Scanner, list[Any]] | None:
        """Return what was read and the rows of the answer, None for a query that has to be answered by its rows."""
        asked = self._asked(query, reading)
        if asked is None or (asked := self._begun(asked, reading)) is None:
            return None
        scanner = reading.scanner(asked.known)
        table = scanner.table(asked.scan, asked.views)
        check(scanner.bytes + asked.read[1], limits)
        held = list(asked.known.values())
        if scanner.rows or not held:
            fresh = self._fresh(asked, scanner, table, reading.cursor)
            if fresh is None:
                return None
            held += fresh
        scanner.rows, scanner.bytes = scanner.rows + asked.read[0], scanner.bytes + asked.read[1]
        reading.cursor.register(_HELD, Table.from_batches(held, schema=held[0].schema))
        sql = sql_text(replace(query, sql=asked.form.whole), {GROUPS: _groups(held[0])})
        return scanner, running.fetch(reading.cursor, sql, limits)

    def _asked(self, query: Query, reading: Reading) -> _Asked | None:
        if len(query.scans) != 1:
            return None
        (scan,) = query.scans.values()
        views = seen(scan, reading.views)
        whole = [item for view in views for item in view.segments if _whole(scan, view, item)]
        if sum(item.rows for item in whole) < self._least_rows:
            return None
        rows = reading.scanner().sizes(scan, views)
        segments = [item for item in whole if item.file in rows]
        if not self._is_worth_it(query, sum(rows[item.file] for item in segments)):
            return None
        form = mergeable(query, self._functions(reading.cursor))
        if form is None:
            return None
        types = relation.types(scan.fields, reading.catalog.schema(views))
        key = hashlib.sha256(f"{form.made.sql(dialect='duckdb', copy=False)}\n{types}".encode()).digest()
        return _Asked(form, query, scan, views, segments, rows, key, self._known(segments, key))

    def _is_worth_it(self, query: Query, rows: int) -> bool:
        """Whether to make groups that can be kept: at once of many rows, of fewer when they are asked for again.

        Questions of a page come together each time, so not all of them have theirs made the second time.
        """
        if not self._least_rows <= rows < self._many_rows:
            return rows >= self._many_rows
        key = hashlib.sha256(query.text.encode()).digest()
        before = self._asked_before.get(key, 0)
        self._note(self._asked_before, key, before + 1)
        return before > key[0] % _TURNS

    def _begun(self, asked: _Asked, reading: Reading) -> _Asked | None:
        """Return a question with the groups of its largest segment when such keys come first; None for many groups."""
        keys = asked.form.keys
        if not keys or asked.known or (few := self._few.get(keys)):
            return asked
        if few is not None:
            return None
        first = max(asked.segments, key=lambda item: asked.rows[item.file])
        scanner = reading.scanner(asked.rows.keys() - {first.file})
        table = scanner.table(asked.scan, [replace(view, runs=()) for view in asked.views])
        most = max(MOST_GROUPS // len(asked.rows), _LEAST_GROUPS)
        if self._fresh(replace(asked, segments=[first]), scanner, table, reading.cursor, most) is None:
            return None
        return replace(asked, known=self._known(asked.segments, asked.key), read=(scanner.rows, scanner.bytes))

    def _fresh(
        self,
        asked: _Asked,
        scanner: Scanner,
        table: exp.Query,
        cursor: duckdb.DuckDBPyConnection,
        most: int = MOST_GROUPS,
    ) -> list[RecordBatch] | None:
        """Return the groups of what `scanner` reads, and keep those that can be kept; None when they are too many."""
        files = [path.removeprefix(f"{self._folder}/") for path in _threaded(table)]
        made = replace(asked.query, sql=asked.form.made.limit(most + 1), columns=())
        found = Table.from_arrow(cursor.sql(sql_text(made, {asked.form.scan: table}, scanner.settled)))
        few = found.num_rows <= most and {str(column.type) for column in found.columns} <= _TYPES
        self._note(self._few, asked.form.keys, few)
        if not few:
            return None
        parts = _by_file(found, files)
        self._keep(asked, parts)
        return list(parts.values())

    def _note(self, notes: OrderedDict[K, V], key: K, value: V) -> None:
        with self._lock:
            notes[key] = value
            if len(notes) > _MOST_NOTED:
                notes.popitem(last=False)

    def _functions(self, cursor: duckdb.DuckDBPyConnection) -> frozenset[str]:
        listed = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'aggregate'"
        with self._listing:  # it takes as long as many a question
            self._aggregates = self._aggregates or frozenset(name for (name,) in cursor.execute(listed).fetchall())
        return self._aggregates

    def _known(self, segments: Iterable[Segment], key: bytes) -> dict[str, RecordBatch]:
        found: dict[str, RecordBatch] = {}
        with self._lock:
            for item in segments:
                if (batch := self._held.get((item.file, key))) is not None:
                    self._held.move_to_end((item.file, key))
                    found[item.file] = batch
        return found

    def _keep(self, asked: _Asked, parts: Mapping[str, RecordBatch]) -> None:
        """Keep the groups of segments; one that was passed over has none."""
        with self._lock:
            for item in asked.segments:
                place = item.file, asked.key
                if item.file not in asked.known and place not in self._held:
                    self._held[place] = parts.get(item.file, parts[""].slice(0, 0))
                    self.bytes += _bytes(self._held[place])
            while self.bytes > self._most_bytes and self._held:
                self.bytes -= _bytes(self._held.popitem(last=False)[1])


def _whole(scan: Scan, view: StreamView, item: Segment) -> bool:
    """Whether all rows of a segment are in the scan, as they were written."""
    inside = scan.start_ns is None or scan.start_ns <= item.min_ns
    inside = inside and (scan.end_ns is None or item.max_ns < scan.end_ns)
    return inside and not item.damage and not len(view.dead_inside(item.min_seq, item.max_seq))


def _threaded(table: exp.Query) -> list[str]:
    """Have the table of a scan tell the part that each row is of; returns the files, by the numbers of the parts."""
    files: list[str] = []
    if isinstance(table, exp.Select) and table.args.get("from_") is None:
        table.append("expressions", exp.alias_(exp.Literal.number(-1), FILE, quoted=True))
    for source in list(table.find_all(exp.Table)):
        select = source.find_ancestor(exp.Select)
        if select is None or isinstance(source.parent, exp.Join):
            continue
        part: exp.Expression = exp.Literal.number(-1)
        if isinstance(source.this, exp.Anonymous):
            place = exp.Add(this=exp.column("file_index"), expression=exp.Literal.number(len(files)))
            part = exp.cast(place, "INTEGER")
            files += [path.name for path in source.this.expressions[0].expressions]
        select.append("expressions", exp.alias_(part, FILE, quoted=True))
        while (select := select.find_ancestor(exp.Select)) is not None:
            select.append("expressions", relation.named(FILE))
    return files


def _by_file(table: Table, files: Sequence[str]) -> dict[str, RecordBatch]:
    """Return the groups of each part by its file, those of no file under the empty name."""
    batches = table.combine_chunks().to_batches()
    data = batches[0] if batches else _empty(table.schema)
    places = data.column(FILE).to_numpy()
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(-1, len(files) + 1))
    # Taken, not sliced: a slice keeps the groups of all parts.
    parts = [data.take(Array.from_numpy(order[start:end])) for start, end in itertools.pairwise(ends.tolist())]
    return dict(zip(("", *files), parts, strict=True))


def _empty(schema: Schema) -> RecordBatch:
    # Lists cannot be made into timestamps directly, integers can be cast to them.
    columns = [Array([], DataType.int64()).cast(schema.field(name).type) for name in schema.names]
    return RecordBatch.from_arrays(columns, schema=schema)


def _groups(like: RecordBatch) -> exp.Select:
    """Return the table of all groups, sums of integers as the engine has them."""
    columns: list[exp.Expr] = []
    for name in like.schema.names:
        value: exp.Expr = relation.named(name)
        if like.column(name).type == _SUMS:
            value = exp.Cast(this=value, to=data_type("HUGEINT"))
        columns.append(exp.alias_(value, name, quoted=True))
    select = exp.Select(expressions=columns)
    select.set("from_", exp.From(this=exp.to_table(_HELD, quoted=True)))
    return select


def _bytes(batch: RecordBatch) -> int:
    return _OVERHEAD + int(batch.nbytes)
