"""What rare words and the newest rows cost in one stream of ten times the records.

`python -m benchmarks.tenfold --data FOLDER` takes the directory that `benchmarks.queries` left in FOLDER, makes
another beside it (FOLDER/tenfold) whose stream `logs` also has nine earlier days: the same records moved back by whole
days, those of segments with the rare word left out, so that it has three hits there too. Then both are asked.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import duckdb
import numpy as np

from benchmarks import engine as engines
from benchmarks.ingest import free_port
from benchmarks.queries import QUERIES, cost
from benchmarks.records import NEEDLE
from treering.model.columns import SEQUENCE
from treering.store.duckdb import DuckdbStore, segment
from treering.store.duckdb.manifest import Manifest, Segment, side

DAYS = 9
STAMP = "@timestamp:t"
ASKED = ("needle, a word with 3 hits", "needle, as a phrase in a field", "last 100")
_DAY_NS = 86_400 * 10**9


def build(before: Path, folder: Path) -> None:
    """Make the larger directory of the smaller one, whose server is stopped."""
    with_all = DuckdbStore(before)
    with_all.flush()
    with_all.close()
    shutil.copytree(before, folder, copy_function=os.link, ignore=shutil.ignore_patterns("*.sqlite*", "lock"))
    shutil.copy(before / "manifest.sqlite", folder)
    manifest, cursor = Manifest(folder / "manifest.sqlite"), duckdb.connect()
    segments = folder / "segments"
    held = [item for item in manifest.segments() if item.stream == "logs"]
    again = [item for item in held if not has_needle(cursor, segments / item.file)]
    step = int(manifest.fact("next_seq", 0))
    for day in range(1, DAYS + 1):
        for item in again:
            made = moved(cursor, segments, item, day, day * step)
            with manifest.change():
                manifest.put_segment(made)
        print(f"{day} of {DAYS} days", flush=True)
    with manifest.change():
        manifest.set_fact("next_seq", (DAYS + 1) * step)
    manifest.close()


def has_needle(cursor: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Return whether a record of a segment has the rare word."""
    found = cursor.execute(f"SELECT 1 FROM '{path}' WHERE contains(\"body:s\", '{NEEDLE}') LIMIT 1")
    return found.fetchone() is not None


def moved(cursor: duckdb.DuckDBPyConnection, folder: Path, item: Segment, days: int, step: int) -> Segment:
    """Write the records of a segment as those of so many days before, and return the manifest's entry."""
    file = item.file.replace(".parquet", f"{days:03d}.parquet")
    stamp = f'"{STAMP}" - to_days({days})::INTERVAL AS "{STAMP}"'
    query = f"SELECT * REPLACE ({stamp}, {SEQUENCE} + {step} AS {SEQUENCE}) FROM '{folder / item.file}'"
    size = item.bytes * 8 / item.rows
    segment.copy(cursor, query, folder / file, segment.Shape().group_rows(item.rows, len(item.columns.order), size))
    for trait in item.traits - {"time"}:
        os.link(folder / side(item.file, trait), folder / side(file, trait))
    seqs = np.arange(item.min_seq + step, item.max_seq + step + 1)
    times = item.min_ns - days * _DAY_NS, item.max_ns - days * _DAY_NS
    columns = item.columns, item.rest
    return segment.entry(folder, file, item.stream, seqs, times, *columns, item.traits, item.extra_bytes)


def ask(data: Path) -> dict[str, float]:
    """Return the CPU milliseconds of the questions, asked of a server on a directory."""
    engine = engines.treering(data, free_port())
    try:
        engine.wait("/readyz")
        engine.settle()
        rows = engine.ppl("source=logs | stats count()")["datarows"][0][0]
        print(f"{rows:,} logs", flush=True)
        return {name: cost(engine, lambda name=name: engine.ppl(QUERIES[name][0]), 20) for name in ASKED}  # type: ignore[misc]
    finally:
        engine.stop()


def main() -> None:
    """Build where nothing is built, then measure both."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="the folder of benchmarks.queries")
    chosen = options.parse_args()
    small, large = chosen.data / "data", chosen.data / "tenfold"
    if not large.exists():
        build(small, large)
    before, now = ask(small), ask(large)
    for name in ASKED:
        print(
            f"  {name:<46}{before[name]:9.1f} ms{now[name]:9.1f} ms  {now[name] / before[name]:.2f} times", flush=True
        )


if __name__ == "__main__":
    main()
