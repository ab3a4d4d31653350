"""What detection costs: the same records taken in with and without it, and a back-fill over what is stored.

`python -m benchmarks.detect [--rows 200000] [--spans 100000]` prints CPU seconds of both servers, the share of each
detector, and records per CPU second of `treering scan --since`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import engine as engines
from benchmarks.ingest import bodies, free_port, send
from benchmarks.spans import requests


def main() -> None:
    """Run both servers, then the back-fill."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--spans", type=int, default=100_000)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="treering-benchmark-") as folder:
        root = Path(folder)
        alone = ingest(root / "alone", arguments, watched=False)
        both = ingest(root / "both", arguments, watched=True)
        for kind in alone:
            added = both[kind] / alone[kind] - 1
            print(f"{kind}: {alone[kind]:.2f} s of CPU without, {both[kind]:.2f} s with detection: {added:+.0%}")
        total = sum(both.values()) / sum(alone.values()) - 1
        print(f"together: {total:+.0%}", flush=True)
        backfill(root / "alone", arguments.rows + arguments.spans)


def ingest(data: Path, arguments: argparse.Namespace, *, watched: bool) -> dict[str, float]:
    """Return CPU seconds of a server for logs and spans, until it is idle again."""
    config = data.parent / f"{data.name}.toml"
    config.write_text(f"[detect]\nenabled = {str(watched).lower()}\n", encoding="utf-8")
    port = free_port()
    command = [
        *(sys.executable, "-m", "treering", "up", "--data", str(data), "--port", str(port)),
        *("--no-conventional-ports", "--config", str(config)),
    ]
    with (data.parent / f"{data.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    engine = engines.Engine("treering", process, port, data)
    try:
        engine.wait("/readyz", 60)
        found = {"logs": caught_up(engine, send(engine, "/_bulk", bodies(arguments.rows), "application/x-ndjson"))}
        spans = send(engine, "/v1/traces", requests(arguments.spans), "application/x-protobuf")
        found["spans"] = caught_up(engine, spans)
        for line in engine.call("GET", "/metrics")[1].decode().splitlines():
            if line.startswith("treering_detector_seconds_total{"):
                print(f"  {line}")
    finally:
        engine.stop()
    return found


def caught_up(engine: engines.Engine, figures: dict[str, float]) -> float:
    """Return the CPU seconds of a load once nothing waits to be watched."""
    before = engine.cpu()
    for _ in range(600):
        lines = engine.call("GET", "/metrics")[1].decode().splitlines()
        lag = next((line for line in lines if line.startswith("treering_detection_lag_records")), " 0")
        if float(lag.rpartition(" ")[2]) == 0:
            break
        time.sleep(0.2)
    engine.settle()
    return figures["cpu"] + engine.cpu() - before


def backfill(data: Path, records: int) -> None:
    """Scan what is stored in a process of its own and print what it took."""
    config = data.parent / f"{data.name}.toml"
    command = [
        *(sys.executable, "-m", "treering", "scan", "--since", "9999d", "--data", str(data), "--config", str(config)),
        *("--format", "ndjson"),
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    findings = done.stdout.count(b"\n")
    wall = time.monotonic() - started
    print(f"back-fill: {records:,} records, {cpu:.1f} s of CPU ({wall:.1f} s), {records / cpu:,.0f} a CPU second")
    print(f"  3,000,000 records would take {3e6 * cpu / records:.0f} s of CPU; {findings} findings")


if __name__ == "__main__":
    main()
