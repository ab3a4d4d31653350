"""How the embedded engine answers a query: estimates from segments and their footers, measurements from a run."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from sqlglot import exp

from treering.stage.plan import Measured, Operator, Plan, Reading
from treering.store.duckdb import relation, statement
from treering.store.duckdb.scan import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from treering.stage.store import Query
    from treering.store.duckdb.catalog import Catalog, StreamView
    from treering.store.duckdb.lookup import Lookup
    from treering.store.duckdb.scan import Read

_MOST = 160
_SHOWN = ("Filters", "Groups", "Aggregates", "Order By", "Top", "Join Type", "Conditions", "Projections", "Function")
_PASSING = {"RESULT_COLLECTOR", "EXPLAIN_ANALYZE"}


def plan(
    cursor: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    lookup: Lookup,
    query: Query,
    views: Sequence[StreamView],
    *,
    measure: bool,
) -> Plan:
    """Return how `query` is answered over `views`; with `measure` it is."""
    total, skipped = statement.counted(query, views, catalog, lookup)
    scanner = Scanner(cursor, catalog, lookup, skipped)
    tables: dict[str, exp.Query] = {}
    readings: dict[str, Reading] = {}
    for name, scan in query.scans.items():
        held = statement.seen(scan, views)
        tables[name] = scanner.table(scan, held)
        found = _reading(cursor, catalog.folder, scanner.reads, held)
        readings[name] = replace(found, counted_files=len(skipped), counted_rows=total, **scanner.decisions())
    sql = statement.text(query, tables, scanner.settled)
    if measure:
        return Plan("DuckDB", readings, *_measured(cursor, sql))
    return Plan("DuckDB", readings, estimated(cursor, sql))


def _reading(
    cursor: duckdb.DuckDBPyConnection, folder: Path | None, reads: Sequence[Read], views: Iterable[StreamView]
) -> Reading:
    """Return what a scan that reads `reads` will look at."""
    held = list(views)
    segments = [(item, rows) for read in reads for item, rows in read.segments]
    size = 0
    if folder is not None and segments:
        sizes = _column_bytes(cursor, [str(folder / item.file) for item, _ in segments], reads[0].columns)
        size = sum(sizes.get(str(folder / item.file), 0) * rows // item.rows for item, rows in segments)
    unflushed = sum(read.unflushed for read in reads)
    return Reading(
        len(segments),
        sum(len(view.segments) for view in held),
        sum(rows for _, rows in segments) + unflushed,
        sum(view.rows for view in held),
        unflushed,
        size,
    )


def _column_bytes(cursor: duckdb.DuckDBPyConnection, paths: list[str], columns: Iterable[str]) -> dict[str, int]:
    """Return the compressed bytes of `columns` in each file."""
    source = relation.files(paths)
    source.this.set("this", "parquet_metadata")
    named = exp.In(
        this=exp.column("path_in_schema"), expressions=[exp.Literal.string(name) for name in sorted(set(columns))]
    )
    total = exp.Sum(this=exp.column("total_compressed_size"))
    query = exp.select("file_name", total).from_(source).where(named).group_by("file_name")
    return {path: int(size) for path, size in cursor.execute(query.sql(dialect="duckdb")).fetchall()}


def estimated(cursor: duckdb.DuckDBPyConnection, sql: str) -> tuple[Operator, ...]:
    """Return the engine's steps for `sql`."""
    (row,) = cursor.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
    return _operators(msgspec.json.decode(row[1]))


def _measured(cursor: duckdb.DuckDBPyConnection, sql: str) -> tuple[tuple[Operator, ...], Measured]:
    """Run `sql` and return the engine's steps and what they took."""
    began, before = time.monotonic(), _cpu()
    (row,) = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}").fetchall()
    took, cpu = time.monotonic() - began, _cpu() - before
    found: dict[str, Any] = msgspec.json.decode(row[1])
    operators = _operators(found["operator"])
    scanned = sum(int(node.get("rows_scanned", 0)) for node in _every(found["operator"]))
    read = int(found.get("io", {}).get("total_bytes_read", 0))
    rows = operators[0].rows if operators else 0
    return operators, Measured(rows or 0, scanned, read, took, cpu)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _every(nodes: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for node in nodes:
        yield node
        yield from _every(node.get("children", ()))


def _operators(nodes: Iterable[Mapping[str, Any]]) -> tuple[Operator, ...]:
    found: list[Operator] = []
    for node in nodes:
        children = _operators(node.get("children", ()))
        name = str(node.get("name", "")).strip()
        found.extend(children if name in _PASSING else [_operator(name, node, children)])
    return tuple(found)


def _operator(name: str, node: Mapping[str, Any], children: tuple[Operator, ...]) -> Operator:
    about: Mapping[str, Any] = node.get("extra_info", {})
    estimate = str(about.get("Estimated Cardinality", "")).lstrip("~")
    parts = [f"{key.lower()} {_short(about[key])}" for key in _SHOWN if about.get(key)]
    return Operator(
        name.lower().replace("_", " "),
        ", ".join(parts),
        int(estimate) if estimate.isdigit() else None,
        node.get("intermediate_rows"),
        node.get("timing"),
        children,
    )


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
