"""The embedded store by itself: CPU microseconds per row and part of the way in, disk, CPU of typical queries.

`python -m benchmarks.store --rows 3000000` prints a table; records are those of `benchmarks.records`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
from sqlglot import exp

from benchmarks.records import NEEDLE, START_NS, documents
from treering.model.batch import batch
from treering.stage.store import Limits, Query, ResultColumn, Scan, Tokens
from treering.store.duckdb import Config, DuckdbStore, index, segment, wal

CHUNK = 4000
LIMITS = Limits(rows=100_000)


class Parts:
    """CPU seconds by part of the way in, measured around the calls as the store makes them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` with its CPU time added to the part `name`."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started

        return measured


def encoded(count: int) -> Iterator[list[bytes]]:
    """Yield chunks of NDJSON lines."""
    source = documents(count)
    while chunk := [msgspec.json.encode(document) for document in islice(source, CHUNK)]:
        yield chunk


def fill(store: DuckdbStore, rows: int, parts: Parts) -> int:
    """Send `rows` records through decoding, columns, log and segments; returns the bytes of their NDJSON."""
    raw = 0
    decode = parts.timed("decode", lambda lines: [msgspec.json.decode(line) for line in lines])
    convert = parts.timed("columns", lambda records: [batch("logs", records, received_ns=START_NS)])
    append = parts.timed("log and memory", store.append)
    for lines in encoded(rows):
        raw += sum(map(len, lines)) + len(lines)
        append(convert(decode(lines)))
        if store._journal.generation.bytes >= store._config.flush_bytes:  # noqa: SLF001  so that parts do not overlap
            store.flush()
    store.flush()
    return raw


def queries() -> dict[str, Query]:  # long: the questions are one list
    """Return what an analyst asks most, as the query layer would lower it."""

    def column(name: str) -> exp.Column:
        return exp.column(exp.to_identifier(name, quoted=True))

    table = exp.to_table("t")
    body = exp.func("contains", exp.func("lower", column("body")), exp.Literal.string(NEEDLE), dialect="duckdb")
    hour = exp.IntDiv(
        this=exp.func("epoch_ns", column("_time"), dialect="duckdb"), expression=exp.Literal.number(3600 * 10**9)
    )
    error = exp.EQ(this=column("severityText"), expression=exp.Literal.string("ERROR"))
    shown = ("@timestamp", "serviceName", "body", "traceId", "attributes.gen_ai.request.model")
    newest = exp.select(*map(column, shown)).from_(table).order_by(exp.Ordered(this=column("@timestamp"), desc=True))
    count = exp.Count(this=exp.Star())
    plans = {
        "word with 3 hits": (
            exp.select(column("body"), column("traceId")).from_(table).where(body),
            Scan(("logs",), ("body", "traceId"), tokens=Tokens("token", NEEDLE)),
        ),
        "part of a word": (
            exp.select(column("body")).from_(table).where(body),
            Scan(("logs",), ("body",), tokens=Tokens("substring", NEEDLE[1:-1])),
        ),
        "word, no index": (exp.select(column("body")).from_(table).where(body), Scan(("logs",), ("body",))),
        "last 100 rows": (newest.limit(100), Scan(("logs",), shown, newest=100)),
        "last 100 errors": (
            newest.where(error).limit(100),
            Scan(("logs",), (*shown, "severityText"), where=error.copy(), newest=100),
        ),
        "histogram": (
            exp.select(hour, column("severityText"), count).from_(table).group_by(hour.copy(), column("severityText")),
            Scan(("logs",), ("_time", "severityText")),
        ),
        "error rate": (
            exp.select(column("serviceName"), count).from_(table).where(error.copy()).group_by(column("serviceName")),
            Scan(("logs",), ("serviceName", "severityText")),
        ),
        "one hour": (
            exp.select(count).from_(table),
            Scan(("logs",), ("body",), start_ns=START_NS, end_ns=START_NS + 3600 * 10**9),
        ),
    }
    return {
        name: Query(sql, {"t": scan}, tuple(ResultColumn(item.alias_or_name, "") for item in sql.expressions))
        for name, (sql, scan) in plans.items()
    }


def ask(store: DuckdbStore, query: Query) -> tuple[float, float, int, int]:
    """Return least CPU milliseconds, wall milliseconds, rows of the answer and rows scanned, of five runs."""
    best, wall = 1e9, 1e9
    for _ in range(5):
        cpu, started = time.process_time(), time.perf_counter()
        result = store.run(query, LIMITS)
        best, wall = min(best, time.process_time() - cpu), min(wall, time.perf_counter() - started)
    return best * 1e3, wall * 1e3, len(result.rows), result.rows_scanned


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=300_000)
    options.add_argument("--row-group", type=int, default=Config().row_group_rows)
    chosen = options.parse_args()
    parts = Parts()
    wal.encoded = parts.timed("log: encoding", wal.encoded)
    segment.copy = parts.timed("segment: Parquet", segment.copy)
    segment.words = parts.timed("segment: token index", segment.words)
    index.pack = parts.timed("segment: token index", index.pack)
    with tempfile.TemporaryDirectory() as folder:
        store = DuckdbStore(
            folder, Config(flush_latest_seconds=1e9, flush_seconds=1e9, row_group_rows=chosen.row_group)
        )
        generating = time.process_time()
        for _ in encoded(min(chosen.rows, 20_000)):
            pass
        generating = (time.process_time() - generating) / min(chosen.rows, 20_000) * chosen.rows
        started = time.process_time()
        raw = fill(store, chosen.rows, parts)
        total = time.process_time() - started - generating
        report(store, chosen.rows, raw, total, parts)
        store.close()


def report(store: DuckdbStore, rows: int, raw: int, total: float, parts: Parts) -> None:
    """Print the table."""
    print(f"{rows} records, {raw / rows:.0f} bytes each")
    for name, seconds in parts.seconds.items():
        print(f"  {name:<24} {seconds / rows * 1e6:7.2f} us CPU a row")
    print(f"  {'all but generating':<24} {total / rows * 1e6:7.2f} us CPU a row")
    (info,) = store.streams()
    extra = sum(item.extra_bytes for view in store._catalog.view(["*"]) for item in view.segments)  # noqa: SLF001
    segments = store.health()["segments"]
    print(f"  disk {info.bytes / raw:.3f} of raw, of that side files {extra / raw:.3f}, {segments} segments")
    for name, query in queries().items():
        cpu, wall, answers, scanned = ask(store, query)
        print(f"  {name:<24} {cpu:8.1f} ms CPU {wall:8.1f} ms wall  {answers:7} rows of {scanned}")


if __name__ == "__main__":
    main()
