"""From a scan to SQL: which segments and rows can matter, grouped by the columns they have."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from arro3.core import Table
from sqlglot import exp

from treering.model.columns import REST, SEQUENCE, TIME
from treering.query.types import MAPPING, Type
from treering.store.duckdb import absent, arrow, deciding, newest, relation
from treering.store.duckdb.catalog import StreamView, unknown
from treering.store.duckdb.manifest import Segment
from treering.store.duckdb.relation import Part
from treering.store.duckdb.tail_words import may_hold
from treering.store.duckdb.tokens import bit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import duckdb

    from treering.model.schema import FieldType, StreamSchema
    from treering.stage.store import Scan
    from treering.store.duckdb.catalog import Catalog
    from treering.store.duckdb.deciding import Demand
    from treering.store.duckdb.lookup import Lookup, Spans
    from treering.store.duckdb.matching import Memory
    from treering.store.duckdb.memtable import Run

# Beyond this many pieces, one reader that unites by name is faster to plan than one SELECT for each.
_MOST_PIECES = 24
_MOST_RANGES = 256
# Beyond this many ranges in one piece, one for each few files is faster.
_MANY_RANGES, _MOST_CUTS = 12, 48


Pair = tuple[Segment, "Spans | None"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a scan reads of one stream: segments with the `_seq` ranges that can match (None: all), runs."""

    view: StreamView
    segments: tuple[Pair, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What of a stream is read: segments, each with its rows that can match at most, unflushed rows, and columns."""

    segments: tuple[tuple[Segment, int], ...]
    unflushed: int
    columns: tuple[str, ...]


class Scanner:
    """Builds the tables of one query on its cursor."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        lookup: Lookup,
        skipped: Collection[str] = (),
        memory: Memory | None = None,
    ) -> None:
        """Register what is in memory on `cursor`; the segments whose files are `skipped` are left out.

        `memory` is what others found for the same query.
        """
        self._skipped = skipped
        self._memory: Memory = {} if memory is None else memory
        self.rows = 0
        self.bytes = 0
        self.segments: dict[str, Segment] = {}  # all that is read, by file
        self.reads: list[Read] = []  # of the table made last
        self.settled: set[str] = set()  # conditions that the tables take care of
        self._demands: list[Demand] = []
        self._cursor = cursor
        self._folder: Path | None = catalog.folder
        self._catalog = catalog
        self._lookup = lookup
        self._count = 0

    def table(self, scan: Scan, views: Sequence[StreamView]) -> exp.Query:
        """Return the SELECT of the scan's table."""
        if not views:
            raise unknown(scan.streams)
        schema = self._catalog.schema(views)
        if scan.newest is not None:
            scan = self._newest(scan, schema, views)
        chosen = [self._choose(scan, view, schema) for view in views]
        self.settled |= self._decide(scan, chosen, schema)
        gone = self._nowhere(scan, chosen, schema)
        if gone:
            scan = replace(scan, fields=tuple(name for name in scan.fields if name not in gone), sought=())
        columns = tuple(relation.physical(relation.types(scan.fields, schema)))
        self.reads = [_read(part, columns) for part in chosen]
        for read in self.reads:
            self.segments.update((item.file, item) for item, _ in read.segments)
            self.rows += read.unflushed + sum(rows for _, rows in read.segments)
            self.bytes += sum(item.bytes * rows // item.rows for item, rows in read.segments)
        found = relation.table(scan, schema, self._parts(scan, schema, chosen))
        if gone:
            found.meta[absent.ABSENT] = gone
        return found

    def sizes(self, scan: Scan, views: Sequence[StreamView]) -> dict[str, int]:
        """Return the files of the segments that a scan reads, each with its rows that can match at most."""
        schema = self._catalog.schema(views)
        reads = [_read(self._choose(scan, view, schema), ()) for view in views]
        return {item.file: rows for read in reads for item, rows in read.segments}

    def _nowhere(self, scan: Scan, chosen: Sequence[Chosen], schema: StreamSchema) -> frozenset[str]:
        """Return the fields that are only looked at for words which no row to be read has in them."""
        if not scan.sought or self._demands or any(part.runs for part in chosen):
            return frozenset()
        found = self._absent([item for part in chosen for item, _ in part.segments], scan, schema)
        return frozenset(name for name in found if not schema.fields[name].holds_lists)

    def _decide(self, scan: Scan, chosen: Sequence[Chosen], schema: StreamSchema) -> set[str]:
        """Find the conditions that indexes can decide for most of the rows, and return their marks."""
        pairs = [pair for part in chosen for pair in _read(part, ()).segments]
        self._demands = deciding.decided(scan, pairs, schema, self._lookup, self._memory)
        return {demand.sql.meta[deciding.DEMAND] for demand in self._demands}

    def decisions(self) -> dict[str, int]:
        """Return how many conditions indexes decide for the table made last, and of how many rows they are in doubt."""
        return {"decided": len(self._demands), "doubtful": sum(demand.doubtful for demand in self._demands)}

    def _choose(self, scan: Scan, view: StreamView, schema: StreamSchema) -> Chosen:
        inside = [
            item
            for item in view.segments
            if not item.damage and item.file not in self._skipped and _overlaps(scan, item.min_ns, item.max_ns)
        ]
        matches: list[Spans | None] = [None] * len(inside)
        if scan.tokens is not None:
            matches = self._lookup.ranges(inside, scan.tokens, schema, self._memory)
        kept = tuple((item, spans) for item, spans in zip(inside, matches, strict=True) if spans is None or spans)
        runs = [run for run in view.runs if _overlaps(scan, run.first_ns, run.last_ns)]
        if scan.tokens is not None:
            runs = [run for run in runs if may_hold(run, scan.tokens, schema)]
        return Chosen(view, kept, tuple(runs))

    def _parts(self, scan: Scan, schema: StreamSchema, chosen: Iterable[Chosen]) -> list[Part]:
        fields = relation.types(scan.fields, schema)
        wanted = relation.physical(fields)
        parts: list[Part] = []
        for item in chosen:
            parts += self._segment_parts(item, fields, wanted, scan, schema)
            if item.runs:
                parts.append(self._memory_part(item, fields, wanted))
        return parts

    def _segment_parts(
        self, chosen: Chosen, fields: Sequence[FieldType], wanted: Sequence[str], scan: Scan, schema: StreamSchema
    ) -> list[Part]:
        view = chosen.view
        pieces = [
            list(group)
            for _, group in groupby(
                chosen.segments, lambda pair: (_key(pair[0], wanted), *self._alike(scan, view, pair[0]))
            )
        ]
        if len(pieces) > _MOST_PIECES:
            pieces = [list(chosen.segments)]
        pieces = [smaller for piece in pieces for smaller in _cut(piece)]
        parts = []
        for piece in pieces:
            items = [item for item, _ in piece]
            alike = len({_key(item, wanted) for item in items}) == 1
            columns, rest, apart = _names(items, fields)
            paths = [str(self._folder / item.file) for item in items] if self._folder else []
            source = relation.files(paths) if alike else relation.files_by_name(paths)
            where = [*_alive(view, items), *_spans(piece)]
            columns.add(SEQUENCE)
            decided = deciding.over(self._demands, items)
            if decided.table is not None:
                source = relation.beside(source, self._register(decided.table))
            needed = [SEQUENCE] if where and SEQUENCE not in wanted else []
            parts.append(
                Part(
                    view.name,
                    relation.selected(source, [*wanted, *needed], columns, rest, alike=alike, hits=decided.columns),
                    columns | rest | {TIME},
                    tuple(where),
                    self._absent(items, scan, schema),
                    decided.demands,
                    decided.columns,
                    all(_inside(scan, item.min_ns, item.max_ns) for item in items),
                    apart,
                )
            )
        return parts

    def _alike(self, scan: Scan, view: StreamView, item: Segment) -> tuple[Any, ...]:
        """Return what has to be the same of segments that are read as one."""
        states = tuple(demand.state(item) for demand in self._demands)
        return _touched(view, item), _inside(scan, item.min_ns, item.max_ns), states

    def _absent(self, items: Sequence[Segment], scan: Scan, schema: StreamSchema) -> frozenset[str]:
        """Return the fields of `scan` that are only looked at for words which none of `items` has in them."""
        if not scan.sought:
            return frozenset()
        holders = self._lookup.columns(items, scan.sought_for, schema, self._memory)
        if holders is None:
            return frozenset()
        own = {name for item in items for name in item.columns.members if holders >> bit_of(name) & 1}
        if holders >> bit_of(REST) & 1:
            own |= {name for item in items for name in item.rest.members}
        fields = [field for name in scan.sought if (field := schema.get(name)) is not None]
        return frozenset(field.name for field in fields if _is_text(field) and own.isdisjoint(field.physical))

    def _memory_part(self, chosen: Chosen, fields: Sequence[FieldType], wanted: Sequence[str]) -> Part:
        runs = chosen.runs
        columns, rest, apart = _names(runs, fields)
        needed = [name for name in (*wanted, TIME, SEQUENCE) if name in columns]
        if apart or any(name in rest for name in wanted):
            needed.append(REST)
        table = arrow.aligned([run.data for run in runs], list(dict.fromkeys(needed)))
        # A join over Arrow batches does not keep their order, so deleted rows are taken out here.
        name = self._register(arrow.without(table, chosen.view.dead_inside(runs[0].first_seq, runs[-1].last_seq)))
        demands = tuple(demand.sql.copy() for demand in self._demands)
        source = relation.selected(exp.to_table(name), wanted, columns, rest)
        return Part(chosen.view.name, source, columns | rest, demands=demands, apart=apart)

    def _register(self, table: Table) -> str:
        name = f"memory_{self._count}"
        self._count += 1
        self._cursor.register(name, table)
        return name

    def _newest(self, scan: Scan, schema: StreamSchema, views: Sequence[StreamView]) -> Scan:
        """Return the scan bounded to the time from which on there are as many matching rows as are asked for."""
        most = scan.newest or 0
        if not most:
            return replace(scan, newest=None)
        chosen = [self._choose(replace(scan, newest=None), view, schema) for view in views]
        self.segments.update((item.file, item) for part in chosen for item, _ in part.segments)
        if scan.where is None and scan.tokens is None and (first := self._since(scan, chosen)) is not None:
            return replace(scan, newest=None, start_ns=max(scan.start_ns or first, first))
        named = {column.name for column in scan.where.find_all(exp.Column)} if scan.where is not None else set()
        narrow = replace(scan, newest=None, fields=tuple(sorted((named & {*scan.fields}) | {TIME})))
        best: list[int] = []
        for group, later in _walk(chosen):
            best = heapq.nlargest(most, [*best, *self._times(narrow, schema, group, most)])
            if len(best) >= most and (later is None or later < best[-1]):
                return replace(scan, newest=None, start_ns=max(scan.start_ns or best[-1], best[-1]))
        return replace(scan, newest=None)

    def _since(self, scan: Scan, chosen: Iterable[Chosen]) -> int | None:
        """Return an instant from which on there are enough rows, as far as no row need be read to know."""
        if self._folder is None:
            return None
        parts = [
            (
                part.view,
                [item for item, _ in part.segments if _inside(scan, item.min_ns, item.max_ns)],
                [run for run in part.runs if _inside(scan, run.first_ns, run.last_ns)],
            )
            for part in chosen
        ]
        return newest.since(scan.newest or 0, parts, newest.Groups(self._cursor, self._folder, self._lookup.cache))

    def _times(self, scan: Scan, schema: StreamSchema, group: Sequence[Chosen], most: int) -> list[int]:
        settled = self._decide(scan, group, schema)
        parts = self._parts(scan, schema, group)
        found = relation.table(scan, schema, parts).subquery("candidates", copy=False)
        stamp = exp.func("epoch_ns", relation.named(TIME), dialect="duckdb")
        query = exp.Select(expressions=[stamp])
        query.set("from_", exp.From(this=found))
        if scan.where is not None:
            query.where(deciding.without(scan.where, settled), copy=False)
        latest = exp.Ordered(this=relation.named(TIME), desc=True)
        query = query.order_by(latest, copy=False)
        query.set("limit", exp.Limit(expression=exp.Literal.number(most)))
        return [row[0] for row in self._cursor.execute(query.sql(dialect="duckdb", copy=False)).fetchall()]


def _is_text(field: FieldType) -> bool:
    """Whether all that queries see in the field is in the token index, numbers apart."""
    return MAPPING.get(field.type, Type.STRING) is Type.STRING and "value" not in field.options


def _read(chosen: Chosen, columns: tuple[str, ...]) -> Read:
    segments = tuple(
        (item, item.rows if spans is None else min(item.rows, sum(high - low + 1 for low, high in spans)))
        for item, spans in chosen.segments
    )
    return Read(segments, sum(run.rows for run in chosen.runs), columns)


def _walk(chosen: Sequence[Chosen]) -> Iterable[tuple[list[Chosen], int | None]]:
    """Yield ever larger groups, newest first, each with the greatest time of all that is left after it."""
    memory = [replace(item, segments=()) for item in chosen if item.runs]
    pairs = [(item, pair) for item in chosen for pair in item.segments]
    pairs.sort(key=lambda pair: pair[1][0].max_ns, reverse=True)
    if memory:
        yield memory, pairs[0][1][0].max_ns if pairs else None
    size, position = 1, 0
    while position < len(pairs):
        group = pairs[position : position + size]
        position += size
        size *= 2
        by_view: dict[str, list[Any]] = {}
        for item, pair in group:
            by_view.setdefault(item.view.name, []).append((item.view, pair))
        held = [Chosen(found[0][0], tuple(pair for _, pair in found), ()) for found in by_view.values()]
        yield held, pairs[position][1][0].max_ns if position < len(pairs) else None


def _overlaps(scan: Scan, first: int, last: int) -> bool:
    return (scan.start_ns is None or last >= scan.start_ns) and (scan.end_ns is None or first < scan.end_ns)


def _inside(scan: Scan, first: int, last: int) -> bool:
    """Whether all instants from `first` to `last` are in the scan's time."""
    return (scan.start_ns is None or first >= scan.start_ns) and (scan.end_ns is None or last < scan.end_ns)


def _key(item: Segment, wanted: Sequence[str]) -> tuple[Any, ...]:
    columns, rest = item.columns.members, item.rest.members
    return tuple((name in columns) + 2 * (name in rest) for name in wanted), "time" in item.traits


def _touched(view: StreamView, item: Segment) -> bool:
    return len(view.dead_inside(item.min_seq, item.max_seq)) > 0


def _alive(view: StreamView, items: Sequence[Segment]) -> list[exp.Expr]:
    dead = view.dead_inside(min(item.min_seq for item in items), max(item.max_seq for item in items)).tolist()
    return [relation.alive(dead)] if dead else []


def _cut(piece: list[Pair]) -> list[list[Pair]]:
    """Cut a piece whose rows lie in many ranges: each file is asked for all of them, and no longer skips row groups."""
    if sum(len(spans or ()) for _, spans in piece) <= _MANY_RANGES:
        return [piece]
    size = -(-len(piece) // _MOST_CUTS)
    return [piece[start : start + size] for start in range(0, len(piece), size)]


def _spans(pairs: Sequence[Pair]) -> list[exp.Expr]:
    """Return the condition on `_seq` that keeps the ranges of every segment, if there is one worth stating."""
    if all(spans is None for _, spans in pairs):
        return []
    found = [span for item, spans in pairs for span in (spans or ((item.min_seq, item.max_seq),))]
    joined: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return [relation.ranges(joined)] if len(joined) <= _MOST_RANGES else []


def _names(items: Sequence[Segment | Run], fields: Sequence[FieldType]) -> tuple[set[str], set[str], bool]:
    """Return the columns of `items`, those to be taken out of `_rest`, and whether objects have more there."""
    columns = {name for item in items for name in item.columns.members}
    rest = {name for item in items for name in item.rest.members}
    apart = relation.members_apart(fields, columns, rest)
    return columns, rest - apart, bool(apart)
