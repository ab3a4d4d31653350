"""What answers cost on a directory of three million records: typical queries, the plan of one, and every page.

`python -m benchmarks.queries --rows 3000000 --spans 300000 [--data FOLDER]` builds the directory (or takes the one that
an earlier run left in FOLDER) and prints CPU milliseconds of the server, the mean of several runs after the first, and
those of the first one by the kernel's clock of 10 ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import engine as engines
from benchmarks import pages
from benchmarks.ingest import bodies, free_port, send
from benchmarks.records import NEEDLE, START_NS, STEP_NS, documents
from benchmarks.spans import requests
from treering.model.batch import batch
from treering.query import compile  # noqa: A004  the name of what it does
from treering.store.duckdb import DuckdbStore

LEAST_SECONDS = 0.2
MS = "attributes.duration_ms"
SHOWN = "fields @timestamp, serviceName, body"
# name: query, the aim in CPU milliseconds (None: none is set), of three million records.
QUERIES: dict[str, tuple[str, int | None]] = {
    "needle, a word with 3 hits": (f"source=logs {NEEDLE} | fields body, traceId", 25),
    "needle, as a phrase in a field": (f'source=logs | where match_phrase(body, "{NEEDLE}") | fields body', 25),
    "part of a word, 3 hits, wildcard": (f'source=logs body="*{NEEDLE[2:-2]}*" | {SHOWN}', 250),
    "part of a word, 3 hits, like": (f"source=logs | where body like '%{NEEDLE[2:-2]}%' | {SHOWN}", 250),
    "part of a word, 375,000 hits, counted": ("source=logs | where body like '%arch_ord%' | stats count()", 250),
    "common word counted": ("source=logs documents | stats count()", 150),
    "common word of a field counted": ('source=logs body="documents" | stats count()', 150),
    "common value of a field counted": ("source=logs | where serviceName = 'rag-service' | stats count()", 150),
    "regex, rare literal": (f"source=logs | where regexp_match(body, '{NEEDLE[:5]}[a-z]+77\\d1') | {SHOWN}", 250),
    "regex, literal in 375,000": (
        "source=logs | where regexp_match(body, 'search_orders\\(order_id=1234\\d+\\) returned') | stats count()",
        250,
    ),
    "regex command, rare literal": (f"source=logs | regex body='{NEEDLE[:5]}.*7781$' | {SHOWN}", 250),
    "trace id": ("source=logs | where traceId = '{trace}' | fields body", 30),
    "trace id, searched": ("source=logs {trace} | fields body", 30),
    "last 100": (f"source=logs | sort - @timestamp | head 100 | {SHOWN}", 10),
    "last 100 errors": (f"source=logs | where severityText = 'ERROR' | sort - @timestamp | head 100 | {SHOWN}", None),
    "histogram by hour and level": ("source=logs | stats count() by span(@timestamp, 1h), severityText", 220),
    "p50, p95, p99 by model and 5 minutes": (
        f"source=logs | stats p50({MS}), p95({MS}), p99({MS}) by span(@timestamp, 5m), attributes.gen_ai.request.model",
        400,
    ),
    "distinct users": ("source=logs | stats distinct_count(attributes.enduser.id)", 90),
    "all records counted": ("source=logs | stats count()", None),
    "error rate by service": ("source=logs | where severityText='ERROR' | stats count() by serviceName", None),
    "the ten slowest": (f"source=logs | sort - attributes.duration_ms | head 10 | {SHOWN}", None),
}
TEN_PIPES = (
    "source=logs body=\"retrieved*\" earliest='2025-11-24 16:00:00'"
    " | where severityNumber >= 9 and serviceName in ('rag-service', 'vector-db')"
    " | eval seconds = attributes.duration_ms / 1000, slow = if(seconds > 1, 'yes', 'no')"
    " | rename attributes.gen_ai.request.model as model"
    " | rex field=body 'from collection (?<collection>\\w+)'"
    " | stats count() as n, p95(seconds) as p95, dc(attributes.enduser.id) as users by model, collection, slow"
    " | where n > 10 | eventstats max(n) as most by model | eval share = n / most | sort - share | head 20"
)


def cost(engine: engines.Engine, ask: Callable[[], object], least: int = 5) -> float:
    """Return the mean CPU milliseconds of the server for one answer, of enough runs for the kernel's clock of 10 ms."""
    ask()
    before, runs, began = engine.cpu(), 0, time.monotonic()
    while runs < least or (engine.cpu() - before < LEAST_SECONDS and runs < 60 and time.monotonic() - began < 10):
        ask()
        runs += 1
    time.sleep(0.02)
    return (engine.cpu() - before) / runs * 1000


def build(engine: engines.Engine, rows: int, spans: int) -> None:
    """Fill an empty server: logs of one day, and the spans of model calls spread over the same day."""
    # Events about model calls, so that the spans alone are the calls.
    send(engine, "/_bulk", bodies(rows, eventName="gateway.request"), "application/x-ndjson")
    step_ns = rows * STEP_NS // max(spans, 1)
    send(engine, "/v1/traces", requests(spans, step_ns=step_ns), "application/x-protobuf")


def plans(runs: int = 100) -> None:
    """Print what parsing and planning costs, in this process over the fields of the benchmark's records."""
    store = DuckdbStore()
    store.append([batch("logs", list(documents(1000)), received_ns=START_NS)])
    compile(TEN_PIPES, schema=store.schema, now_ns=START_NS)
    began = time.process_time()
    for _ in range(runs):
        compile(TEN_PIPES, schema=store.schema, now_ns=START_NS)
    spent = (time.process_time() - began) / runs * 1000
    print(line("parse and plan, ten pipes", spent, 3, "without the engine's own planning"), flush=True)
    store.close()


def line(name: str, spent: float, aim: float | None, note: str) -> str:
    """Return one line of the table."""
    wanted = "" if aim is None else f"{aim:5.0f}"
    mark = "" if aim is None or spent <= aim else "  over"
    return f"  {name:<46}{spent:9.1f} ms {wanted:>5}  {note}{mark}"


def typical(engine: engines.Engine) -> None:
    """Print the cost of each query."""
    trace = engine.ppl("source=logs | head 1 | fields traceId")["datarows"][0][0]
    for name, (query, aim) in QUERIES.items():
        text = query.replace("{trace}", trace)
        before = engine.cpu()
        answer = engine.ppl(text)["datarows"]
        time.sleep(0.02)
        first = (engine.cpu() - before) * 1000
        counted = len(answer) == 1 and isinstance(answer[0][0], int)
        found = f"{answer[0][0]:,} counted" if counted else f"{len(answer)} rows"
        found += f", {first:.0f} ms the first time"
        print(line(name, cost(engine, lambda text=text: engine.ppl(text)), aim, found), flush=True)  # type: ignore[misc]


def main() -> None:
    """Build where nothing is built, then measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=3_000_000)
    options.add_argument("--spans", type=int, default=300_000)
    options.add_argument("--data", type=Path, help="a folder to keep the directory in, or to find it")
    options.add_argument("--only", choices=("queries", "pages"), help="one half of the table")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="treering-benchmark-") as scratch:
        folder = chosen.data or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        engine = engines.treering(folder / "data", free_port())
        try:
            engine.wait("/readyz")
            if not json.loads(engine.call("GET", "/api/streams")[1])["streams"]:
                build(engine, chosen.rows, chosen.spans)
            engine.settle()
            report(engine, chosen.only)
        finally:
            engine.stop()


def report(engine: engines.Engine, only: str | None) -> None:
    """Print the table."""
    held = {item["name"]: item["rows"] for item in json.loads(engine.call("GET", "/api/streams")[1])["streams"]}
    print(", ".join(f"{count:,} {name}" for name, count in held.items()), flush=True)
    if only != "pages":
        typical(engine)
        plans()
    if only != "queries":
        pages.report(engine, START_NS, START_NS + held.get("logs", 0) * STEP_NS, cost, line)


if __name__ == "__main__":
    main()
