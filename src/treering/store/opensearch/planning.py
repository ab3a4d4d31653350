"""How the cluster and the embedded engine share a query: what goes down, what is expected back, what runs here."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from treering.stage.plan import Measured, Plan, Sent
from treering.stage.store import Limits
from treering.store.duckdb import relation, statement
from treering.store.duckdb.plan import estimated
from treering.store.opensearch.dsl import number_of
from treering.store.opensearch.grouped import planned
from treering.store.opensearch.grouping import table
from treering.store.opensearch.pulling import Budget
from treering.store.opensearch.querying import Fetch, Reader
from treering.store.opensearch.sampling import body_of

if TYPE_CHECKING:
    import threading

    from sqlglot import exp

    from treering.stage.store import Groups, Query, Scan
    from treering.store.opensearch.target import Target

_SAMPLE = 10_000
ENGINE = "DuckDB, over what OpenSearch answers"


def plan(
    reader: Reader, query: Query, limits: Limits, *, measure: bool = False, cancel: threading.Event | None = None
) -> Plan:
    """Return how `query` is answered; nothing is fetched but counts, unless `measure` asks for the answer."""
    with reader.connection.cursor() as cursor:
        sharing = _Sharing(reader, Fetch(reader, cursor, Budget(reader.config, limits, cancel)))
        rest, tables = sharing.shared(query)
        steps = estimated(cursor, statement.text(rest, tables))
    if not measure:
        return Plan(ENGINE, {}, steps, None, tuple(sharing.sent))
    began, before = time.monotonic(), time.process_time()
    found = reader.run(query, limits, cancel)
    took, cpu = time.monotonic() - began, time.process_time() - before
    measured = Measured(len(found.rows), found.rows_scanned, found.bytes_scanned, took, cpu)
    return Plan(ENGINE, {}, steps, measured, tuple(sharing.sent))


def fetched(reader: Reader, scan: Scan) -> tuple[int, float]:
    """Return how many documents a scan matches, and the mean bytes of one as it comes, by the first page."""
    targets = reader.catalog.targets(scan.streams)
    schema = reader.catalog.schema(targets)
    total, seen, size = 0, 0, 0
    with reader.connection.cursor() as cursor:
        fetch = Fetch(reader, cursor, Budget(reader.config, Limits()))
        for target in targets:
            query = fetch.asked(scan, target, schema).query
            total += reader.puller.count(target, query)
            budget = Budget(reader.config, Limits())
            pages = reader.puller.pages(target, query, scan.fields, budget, order=[number_of(target)], most=_SAMPLE)
            seen += sum(map(len, pages))
            size += budget.bytes
    return total, size / seen if seen else 0.0


class _Sharing:
    """Goes through a query as the reader does, but with empty tables."""

    def __init__(self, reader: Reader, fetch: Fetch) -> None:
        self.sent: list[Sent] = []
        self._reader = reader
        self._fetch = fetch

    def shared(self, query: Query) -> tuple[Query, dict[str, exp.Query]]:
        """Return what runs here, and the tables it reads, as they are made but without rows."""
        tables: dict[str, exp.Query] = {}
        for groups in query.groups:
            made = self._groups(groups, query.scans[groups.scan])
            if made is not None:
                tables[groups.table] = made
                others = {name: held for name, held in query.scans.items() if name != groups.scan}
                query = replace(query, sql=groups.put_into(query.sql), scans=others)
        for name, scan in query.scans.items():
            tables[name] = self._documents(name, scan)
        return query, tables

    def _groups(self, groups: Groups, scan: Scan) -> exp.Query | None:
        targets = self._reader.catalog.targets(scan.streams)
        schema = self._reader.catalog.schema(targets)
        found = [planned(groups, scan, target, schema, self._reader.puller) for target in targets]
        plans = [one for one in found if one is not None]
        if len(plans) < len(found):
            return None
        for target, (made, query) in zip(targets, plans, strict=True):
            self._send(groups.scan, target, "groups", made.body(query), self._count(target, query), 0)
        return self._fetch.whole(table(groups, plans[0][0].kinds, []))

    def _documents(self, name: str, scan: Scan) -> exp.Query:
        targets = self._reader.catalog.targets(scan.streams)
        schema = self._reader.catalog.schema(targets)
        for target in targets:
            asked = self._fetch.asked(scan, target, schema)
            count = self._count(target, asked.query)
            body: dict[str, Any] = {"query": asked.query}
            if asked.sources:
                body = body_of(asked.query, asked.sources, asked.order, scan.first or 0)
                self._send(name, target, "first documents of each group", body, count, count)
            elif asked.order:
                body |= {"sort": asked.order, "size": scan.first}
                self._send(name, target, "first documents", body, count, min(count, scan.first or 0))
            else:
                self._send(name, target, "documents", body, count, count)
        return relation.table(scan, schema, [])

    def _count(self, target: Target, query: dict[str, Any]) -> int:
        return self._reader.puller.count(target, query)

    def _send(self, scan: str, target: Target, form: str, body: dict[str, Any], matching: int, fetched: int) -> None:
        text = msgspec.json.encode(body).decode()
        self.sent.append(Sent(scan, target.indexes, form, text, matching, fetched))
