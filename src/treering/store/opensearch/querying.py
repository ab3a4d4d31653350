"""Queries: what their scans need is fetched, and the embedded engine answers over it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from arro3.core import Array, Field
from sqlglot import exp

from treering.core.errors import Bug
from treering.model.columns import ARROW, MAX_COLUMNS, NANOSECOND, SEQUENCE, SYSTEM, TIME, Kind, Spreader, escape, split
from treering.model.times import rfc3339_ns
from treering.stage.store import Result
from treering.store.duckdb import relation, running, statement
from treering.store.opensearch import foreign, hits, sampling
from treering.store.opensearch.dsl import dsl_of, order_of
from treering.store.opensearch.fields import Fields
from treering.store.opensearch.grouped import collected
from treering.store.opensearch.pulling import FIRST_PAGE, Budget
from treering.store.opensearch.sampling import sources_of
from treering.store.opensearch.tables import Tables

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Sequence

    import duckdb
    from arro3.core import RecordBatch, Table

    from treering.model.schema import StreamSchema
    from treering.stage.store import Limits, Query, Scan
    from treering.store.opensearch.catalog import Catalog
    from treering.store.opensearch.config import Config
    from treering.store.opensearch.pulling import Puller
    from treering.store.opensearch.target import Target


_LEAST_PAGE = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """What a query needs of the store."""

    catalog: Catalog
    puller: Puller
    config: Config
    connection: duckdb.DuckDBPyConnection

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None) -> Result:
        """Answer a query. Raises `UserError` at a limit or a value the query cannot handle."""
        started = time.thread_time()
        with self.connection.cursor() as cursor:
            fetch = Fetch(self, cursor, Budget(self.config, limits, cancel))
            try:
                with running.guarded(cursor, limits, cancel):
                    query, tables = fetch.grouped(query)
                    done: dict[int, exp.Query] = {}
                    for scan in query.scans.values():
                        if id(scan) not in done:
                            done[id(scan)] = fetch.table(scan)
                    tables |= {name: done[id(scan)] for name, scan in query.scans.items()}
                    rows = running.fetch(cursor, statement.text(query, tables), limits)
            except running.Unreadable as error:
                raise Bug(f"the embedded engine cannot read what was fetched: {error}") from error
        budget = fetch.budget
        return Result(query.columns, rows, budget.documents, budget.bytes, cpu_seconds=time.thread_time() - started)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one target; with an `order`, only the first documents in it are needed, or of each group."""

    target: Target
    query: dict[str, Any]
    order: list[Any]
    sources: list[Any]


class Fetch:
    """The tables of one query."""

    def __init__(self, reader: Reader, cursor: duckdb.DuckDBPyConnection, budget: Budget) -> None:
        """Fetch as long as `budget` lasts, and register what comes on `cursor`."""
        self.budget = budget
        self._reader = reader
        self._cursor = cursor
        self._tables = Tables(cursor)

    def grouped(self, query: Query) -> tuple[Query, dict[str, exp.Query]]:
        """Return the query over groups where the cluster can make them, and their tables."""
        tables: dict[str, exp.Query] = {}
        for groups in query.groups:
            scan = query.scans[groups.scan]
            targets = self._reader.catalog.targets(scan.streams)
            schema = self._reader.catalog.schema(targets)
            made = collected(groups, scan, targets, schema, self._reader.puller, self.budget)
            if made is None:
                continue
            tables[groups.table] = self.whole(made)
            others = {name: held for name, held in query.scans.items() if name != groups.scan}
            query = replace(query, sql=groups.put_into(query.sql), scans=others)
        return query, tables

    def whole(self, table: Table) -> exp.Query:
        """Return the SELECT of a table as it is."""
        return self._tables.whole(table)

    def table(self, scan: Scan) -> exp.Query:
        """Return the SELECT of a scan's table."""
        targets = self._reader.catalog.targets(scan.streams)
        schema = self._reader.catalog.schema(targets)
        asked = [self.asked(scan, target, schema) for target in targets]
        if scan.newest is not None and not all(one.order for one in asked):
            scan = self._newest(scan, targets, schema)
            asked = [self.asked(scan, target, schema) for target in targets]
        read = [(one.target, list(self._rows(scan, one))) for one in asked]
        parts = [self._tables.part(target.stream, rows, scan, schema) for target, rows in read if rows]
        return relation.table(scan, schema, parts)

    def asked(self, scan: Scan, target: Target, schema: StreamSchema) -> Asked:
        """Return what is asked of a target for the rows of a scan."""
        left = self._reader.puller.left(target) if scan.first is not None else None
        fields = Fields(target, schema, left)
        query, exact = dsl_of(scan, target, fields)
        order = order_of(scan.keys, target, fields) if exact and scan.first is not None else None
        sources = sources_of(scan, target, fields) if order and scan.per else []
        return Asked(target, query, order or [] if sources or not scan.per else [], sources)

    def _rows(self, scan: Scan, asked: Asked) -> Iterator[RecordBatch]:
        puller, target, query = self._reader.puller, asked.target, asked.query
        if asked.sources and (sampled := self._sampled(scan, asked)) is not None:
            yield from sampled
            return
        if asked.order and not asked.sources:
            pages = puller.pages(target, query, scan.fields, self.budget, order=asked.order, most=scan.first)
            if scan.first == 0:
                return
            for page in pages:
                self.budget.admit(len(page))
                yield rows_of(page, target)
            return
        count = puller.count(target, query)
        self.budget.admit(count)
        if count:
            for page in puller.pages(target, query, scan.fields, self.budget, few=count < FIRST_PAGE):
                yield rows_of(page, target)

    def _sampled(self, scan: Scan, asked: Asked) -> list[RecordBatch] | None:
        """Return the first rows of each group, or None when all had better be fetched."""
        body = sampling.body_of(asked.query, asked.sources, asked.order, scan.first or 0)
        found: list[RecordBatch] = []
        try:
            for page in sampling.pages(self._reader.puller, asked.target, body, scan.fields, self.budget):
                self.budget.admit(len(page))
                found.append(rows_of(page, asked.target))
        except sampling.Hardly:
            return None
        return found

    def _newest(self, scan: Scan, targets: Sequence[Target], schema: StreamSchema) -> Scan:
        """Return the scan bounded to the time from which on there are as many matching rows as are asked for."""
        most = scan.newest or 0
        named = {column.name for column in scan.where.find_all(exp.Column)} if scan.where is not None else set()
        narrow = replace(scan, newest=None, fields=tuple(sorted(named | {TIME})))
        times: list[int] = []
        for target in targets:
            times += self._newest_times(narrow, target, schema, most)
        if len(times) < most:
            return replace(scan, newest=None)
        bound = sorted(times, reverse=True)[most - 1] if most else 2**63 - 1
        return replace(scan, newest=None, start_ns=max(scan.start_ns or bound, bound))

    def _newest_times(self, scan: Scan, target: Target, schema: StreamSchema, most: int) -> list[int]:
        query, _ = dsl_of(scan, target, Fields(target, schema))
        times: list[int] = []
        begin = most if scan.where is None else max(2 * most, _LEAST_PAGE)
        for page in self._reader.puller.pages(target, query, scan.fields, self.budget, newest=begin):
            self.budget.admit(len(page))
            part = self._tables.part(target.stream, [rows_of(page, target)], scan, schema)
            found = relation.table(scan, schema, [part]).subquery("candidates")
            stamp = exp.func("epoch_ns", relation.named(TIME), dialect="duckdb")
            select = exp.select(stamp).from_(found)
            if scan.where is not None:
                select = select.where(scan.where.copy())
            times += [row[0] for row in self._cursor.execute(select.sql(dialect="duckdb")).fetchall()]
            if len(times) >= most:
                break
        return times


def rows_of(page: Sequence[dict[str, Any]], target: Target) -> RecordBatch:
    """Return the hits of one page as rows with `_time` and `_seq`."""
    if target.own:
        return hits.batch([hit["_source"] for hit in page], target.is_time)
    sources = [hit.get("_source") or {} for hit in page]
    data = _spread(sources, page, target)
    surprising = {split(name)[0] for name in data.schema.names if name.endswith(":j") and name not in target.physical}
    if surprising:
        data = _spread([_with_first(source, "", surprising) for source in sources], page, target)
    stamps = [_instant(_value(source, target.time)) for source in sources]
    column = Array(stamps, ARROW[Kind.LONG]).cast(SYSTEM[TIME])
    data = data.set_column(data.schema.names.index(TIME), Field(TIME, SYSTEM[TIME]), column)
    numbers = [foreign.number(hit["_seq_no"], target.shard or 0) for hit in page]
    return data.append_column(Field(SEQUENCE, SYSTEM[SEQUENCE]), Array(numbers, SYSTEM[SEQUENCE]))


def _spread(sources: Sequence[dict[str, Any]], page: Sequence[dict[str, Any]], target: Target) -> RecordBatch:
    spreader = Spreader(len(sources), target.is_time, NANOSECOND, MAX_COLUMNS)
    spreader.spread("", sources)
    return spreader.finish(0, [hit["_id"] for hit in page])


def _with_first(source: dict[str, Any], prefix: str, pointers: Collection[str]) -> dict[str, Any]:
    """Return a document in which the first item stands for a list where nobody knew that there are lists."""
    made: dict[str, Any] = {}
    for name, value in source.items():
        pointer = prefix + escape(name)
        if isinstance(value, dict):
            made[name] = _with_first(value, f"{pointer}/", pointers)
        elif isinstance(value, list) and pointer in pointers:
            made[name] = next((item for item in value if not isinstance(item, list | dict)), None)
        else:
            made[name] = value
    return made


def _value(source: dict[str, Any], path: str) -> Any:
    if path in source:
        return source[path]
    held: Any = source
    for step in path.split("."):
        held = held.get(step) if isinstance(held, dict) else None
    return held


def _instant(value: Any) -> int | None:
    """Return the instant of a date as OpenSearch reads them by default: ISO 8601, or milliseconds."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) * 1_000_000
    text = str(value)
    return int(text) * 1_000_000 if text.lstrip("-").isdigit() else rfc3339_ns(text)
