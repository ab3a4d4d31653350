"""Ingest and query over HTTP, engine beside engine, in one run.

`python -m benchmarks.ingest --rows 3000000 [--spans 200000]` prints a table. VictoriaLogs and OpenSearch take part when
VICTORIA_LOGS or OPENSEARCH is set (see README.md).
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks import engine as engines
from benchmarks.records import NEEDLE, START_NS, STEP_NS, documents
from benchmarks.spans import requests

CHUNK = 4000
QUERIES = {
    "word with 3 hits": f"source=logs {NEEDLE} | fields body, traceId",
    "last 100 rows": "source=logs | sort - @timestamp | head 100 | fields @timestamp, serviceName, body",
    "histogram": "source=logs | stats count() by span(@timestamp, 1h), severityText",
    "error rate": "source=logs | where severityText='ERROR' | stats count() by serviceName",
    "p95 by model": "source=logs | stats percentile(attributes.duration_ms, 95) by attributes.gen_ai.request.model",
    "one trace": "source=logs traceId='{trace}' | fields body",
}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bodies(count: int, **more: str) -> Iterator[tuple[int, bytes]]:
    """Yield numbers of rows and `_bulk` bodies for index `logs`; every record has the fields in `more`, too."""
    source = (document | more for document in documents(count))
    while chunk := list(islice(source, CHUNK)):
        lines = b'{"create":{"_index":"logs"}}\n'
        yield len(chunk), b"".join(lines + msgspec.json.encode(document) + b"\n" for document in chunk)


def send(
    engine: engines.Engine, path: str, parts: Iterator[tuple[int, bytes]], kind: str, *, settle: bool = True
) -> dict[str, float]:
    """Send all parts one after the other, then wait for the background work if told to `settle`; returns figures."""
    before, started, rows, raw = engine.cpu(), time.monotonic(), 0, 0
    peak = 0
    for count, body in parts:
        for _ in range(600):
            status, answer = engine.call("POST", path, body, kind)
            if status not in (429, 503):
                break
            time.sleep(0.2)
        if status not in (200, 204) or b'"errors":true' in answer:
            raise RuntimeError(f"{engine.name}: {status} {answer[:300]!r}")
        rows, raw = rows + count, raw + len(body)
        peak = max(peak, engine.resident())
    wall = time.monotonic() - started
    if settle:
        engine.settle()
    cpu = engine.cpu() - before
    return {"rows": rows, "raw": raw, "cpu": cpu, "wall": wall, "peak": peak}


def measure(engine: engines.Engine, ask: Callable[[], object], times: int = 5) -> float:
    """Return the least CPU seconds of the server for one answer."""
    best = float("inf")
    for _ in range(times):
        before = engine.cpu()
        ask()
        time.sleep(0.05)
        best = min(best, engine.cpu() - before)
    return best


def report(engine: engines.Engine, figures: dict[str, float], header: int) -> None:
    """Print the ingest figures; `header` bytes of each row are the protocol's and not counted as raw."""
    raw = figures["raw"] - header * figures["rows"]
    print(f"{engine.name}: {figures['rows']:,.0f} rows, {raw / 1e6:,.0f} MB raw", flush=True)
    print(f"  rows per CPU second   {figures['rows'] / figures['cpu']:10,.0f}")
    print(f"  CPU µs per row        {figures['cpu'] / figures['rows'] * 1e6:10.2f}")
    print(f"  wall seconds          {figures['wall']:10.1f}")
    print(f"  peak resident MB      {figures['peak'] / 1e6:10.0f}")
    print(f"  disk / raw            {engine.disk() / raw:10.3f}", flush=True)


def main() -> None:
    """Run the comparison."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=300_000)
    options.add_argument("--spans", type=int, default=100_000)
    options.add_argument("--detect", action="store_true", help="let the detectors watch as well")
    options.add_argument("--sentences", action="store_true", help="spans of sentences instead of random words")
    options.add_argument("--plain", action="store_true", help="without names, prices and templates of our own")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="treering-benchmark-") as folder:
        run_treering(Path(folder), arguments)
        run_peers(Path(folder), arguments.rows)


def run_treering(folder: Path, arguments: argparse.Namespace) -> None:
    """Measure this checkout."""
    rows, spans = arguments.rows, arguments.spans
    engine = engines.treering(folder / "treering", free_port(), detect=arguments.detect, plain=arguments.plain)
    try:
        print(
            f"treering: ready after {engine.wait('/readyz'):.2f} s, idle {engine.resident() / 1e6:.0f} MB", flush=True
        )
        report(engine, send(engine, "/_bulk", bodies(rows), "application/x-ndjson"), 29)
        trace = engine.ppl("source=logs | head 1 | fields traceId")["datarows"][0][0]
        for name, query in QUERIES.items():
            text = query.replace("{trace}", trace)
            found = len(engine.ppl(text)["datarows"])
            cost = measure(engine, lambda text=text: engine.ppl(text))  # type: ignore[misc]
            print(f"  {name:20} {cost * 1000:8.0f} ms CPU, {found} rows", flush=True)
        figures = send(engine, "/v1/traces", requests(spans, sentences=arguments.sentences), "application/x-protobuf")
        print(f"spans over OTLP: {figures['rows'] / figures['cpu']:,.0f} per CPU second", flush=True)
    finally:
        engine.stop()


def run_peers(folder: Path, rows: int) -> None:
    """Measure the other engines that this machine has."""
    if peer := engines.victoria_logs(folder / "victoria-logs", free_port()):
        path = "/insert/elasticsearch/_bulk?_time_field=@timestamp&_msg_field=body&_stream_fields=serviceName"
        run_peer(peer, "/health", path, rows)
    if peer := engines.opensearch(folder / "opensearch"):
        run_peer(peer, "/", "/_bulk", rows)


def opensearch_hits(peer: engines.Engine) -> int:
    """Return how many rows OpenSearch finds with the rare word."""
    search = json.dumps({"query": {"match": {"body": NEEDLE}}}).encode()
    found: int = json.loads(peer.call("POST", "/logs/_search", search)[1])["hits"]["total"]["value"]
    return found


def victoria_hits(peer: engines.Engine, rows: int) -> int:
    """Return how many rows VictoriaLogs finds with the rare word."""
    span = f"[{START_NS // 10**9},{(START_NS + rows * STEP_NS) // 10**9 + 1}]"
    return peer.call("GET", f"/select/logsql/query?query=_time:{span}%20{NEEDLE}")[1].count(b"\n")


def run_peer(peer: engines.Engine, ready: str, path: str, rows: int) -> None:
    """Send the same rows to another engine."""
    try:
        peer.wait(ready, 120)
        report(peer, send(peer, path, bodies(rows), "application/x-ndjson"), 29)
        if peer.name == "opensearch":
            peer.call("POST", "/logs/_refresh")
        ask = partial(opensearch_hits, peer) if peer.name == "opensearch" else partial(victoria_hits, peer, rows)
        found = ask()
        print(f"  {'word with 3 hits':20} {measure(peer, ask) * 1000:8.0f} ms CPU, {found} rows", flush=True)
    finally:
        peer.stop()


if __name__ == "__main__":
    main()
