"""What push-down saves against pulling: typical queries over a real OpenSearch node, documents, bytes and CPU.

`python -m benchmarks.opensearch --rows 3000000 [--data FOLDER]` fills a node (or takes what an earlier run left in
FOLDER) with the records of `benchmarks.records` through the OpenSearch store, and prints for each query

* what would come here if only the time range went down: all documents, with the fields that the query reads, their
  bytes measured on a page of 10,000;
* what would come if conditions went down as well, but neither groups nor limits;
* what does come, and the CPU milliseconds of this process and of the node, the mean of three runs after the first (of
  the first alone where more than 20,000 documents come).

On 3,000,000 rows that takes about 12 minutes of CPU, two thirds of it the node's while it is filled, and 4 GB.

Where the answers differ from those over all documents, which are asked for up to `--verify` rows, it says so.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from tests.opensearch import node as nodes

from benchmarks.queries import QUERIES
from benchmarks.records import START_NS, documents
from treering import query as ppl
from treering.model.batch import batch
from treering.stage.condition import ANYTHING
from treering.stage.store import Limits, Query
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore
from treering.store.opensearch.planning import fetched

BATCH = 10_000
RUNS = 3
MANY = 20_000
LIMITS = Limits(seconds=600)
MORE = {
    "top 10 users": "source=logs | top 10 attributes.enduser.id",
    "timechart by service": "source=logs | timechart span=1h avg(attributes.duration_ms) by serviceName",
    "cost by tenant": "source=logs | stats sum(attributes.cost_usd) as usd by attributes.tenant.id | sort - usd",
    "first record of each service": "source=logs | dedup serviceName",
    "tokens by model, errors only": (
        "source=logs | where attributes.http.response.status_code >= 500"
        " | stats count(), sum(attributes.gen_ai.usage.input_tokens) by attributes.gen_ai.request.model"
    ),
    "newest answer of a conversation": (
        "source=logs | where attributes.gen_ai.conversation.id = 'conv-001234' | sort - @timestamp | head 1"
    ),
}


@dataclass(frozen=True)
class Traffic:
    """Documents and bytes that come from the node."""

    documents: int
    bytes: float

    def __str__(self) -> str:
        """Return both for a table."""
        return f"{self.documents:>10,} {self.bytes / 1e6:>10,.2f} MB"


def fill(store: OpenSearchStore, rows: int) -> float:
    """Append records until there are `rows`; returns the CPU seconds this process took."""
    before = time.process_time()
    there = store.streams("logs")[0].rows if store.streams("logs") else 0
    source = itertools.islice(documents(rows), there, None)
    while records := list(itertools.islice(source, BATCH)):
        store.append([batch("logs", records, received_ns=START_NS)])
    return time.process_time() - before


def without(query: Query, *, conditions: bool) -> Query:
    """Return a query without what goes down: groups and limits, and unless `conditions` all but the time range."""
    scans = {
        name: replace(scan, first=None, keys=(), newest=None)
        if conditions
        else replace(scan, first=None, keys=(), newest=None, filter=ANYTHING, tokens=None)
        for name, scan in query.scans.items()
    }
    return replace(query, groups=(), scans=scans)


def pulled(store: OpenSearchStore, query: Query) -> Traffic:
    """Return what fetching the documents of a query's scans would bring, without doing so."""
    total, size = 0, 0.0
    for scan in query.scans.values():
        count, each = fetched(store.reader, scan)
        total += count
        size += count * each
    return Traffic(total, size)


def main() -> None:
    """Fill where nothing is there, then measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=3_000_000)
    options.add_argument("--data", type=Path, help="a folder to keep the node's data in, or to find it")
    options.add_argument("--verify", type=int, default=100_000, help="compare answers with pulling up to so many rows")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="treering-benchmark-") as scratch:
        node = nodes.start(chosen.data or Path(scratch), heap="2g", quick=False).wait()
        node.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=120s", seconds=150)
        settings: dict[str, str | int | float | bool] = {
            "index.refresh_interval": "60s",
            "index.translog.durability": "async",
        }
        told = Config(
            urls=(node.url,), replicas=0, read=(), pull_documents=10**8, pull_bytes=1 << 34, bulk_bytes=16 << 20,
            settings=settings,
        )  # fmt: skip
        store = OpenSearchStore(told)
        try:
            measure(store, psutil.Process(node.process.pid), node.port, chosen)
        finally:
            store.close()
            node.stop()


def measure(store: OpenSearchStore, node: psutil.Process, port: int, chosen: argparse.Namespace) -> None:
    """Print the table."""
    before = _cpu(node)
    spent = fill(store, chosen.rows)
    (info,) = store.streams("logs")
    # The second time, the node would have the answer to an aggregation at hand.
    nodes.call(port, "PUT", "/treering-logs-*/_settings", {"index.requests.cache.enable": False})
    print(
        f"{info.rows:,} rows, {info.bytes / 1e6:,.0f} MB in the node; filling took {spent:,.0f} s of CPU here,"
        f" {_cpu(node) - before:,.0f} s of CPU there",
        flush=True,
    )
    trace = store.run(_compiled(store, "source=logs | head 1 | fields traceId"), LIMITS).rows[0][0]
    queries = {name: text.replace("{trace}", trace) for name, (text, _) in QUERIES.items()} | MORE
    # Those that fetch much last.
    queries |= {name: queries.pop(name) for name in ("common word counted", "p50, p95, p99 by model and 5 minutes")}
    print(f"{'query':<42}{'all documents':>24}{'with conditions':>24}{'as it is':>24}{'here':>9}{'node':>10}")
    for name, text in queries.items():
        print(row(store, node, name, text, verify=info.rows <= chosen.verify), flush=True)


def _compiled(store: OpenSearchStore, text: str) -> Query:
    return ppl.compile(text, schema=store.schema, now_ns=START_NS + 86_400_000_000_000)


def row(store: OpenSearchStore, node: psutil.Process, name: str, text: str, *, verify: bool) -> str:
    """Return one line of the table."""
    query = _compiled(store, text)
    everything = pulled(store, without(query, conditions=False))
    filtered = pulled(store, without(query, conditions=True))
    here, there = time.process_time(), _cpu(node)
    found = store.run(query, LIMITS)
    runs = 1
    if found.rows_scanned <= MANY:
        runs, here, there = RUNS, time.process_time(), _cpu(node)
        for _ in range(runs):
            store.run(query, LIMITS)
    mine, its = (time.process_time() - here) / runs * 1000, (_cpu(node) - there) / runs * 1000
    came = Traffic(found.rows_scanned, found.bytes_scanned)
    wrong = ""
    if verify and not _same(store.run(without(query, conditions=False), LIMITS).rows, found.rows):
        wrong = "  differs"
    return f"{name:<42}{everything!s:>24}{filtered!s:>24}{came!s:>24}{mine:>6.0f} ms{its:>7.0f} ms{wrong}"


def _same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    def rounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [tuple(float(f"{value:.9g}") if isinstance(value, float) else value for value in row) for row in rows]

    return rounded(one) == rounded(other)


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


if __name__ == "__main__":
    main()
