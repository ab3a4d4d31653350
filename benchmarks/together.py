"""Whether readers and senders cost more together than apart.

`python -m benchmarks.together --data FOLDER [--rows 200000]` takes the directory that `benchmarks.queries` left in
FOLDER (its records stay as they are: the new ones go into streams of their own). Eight readers ask in a loop while rows
are sent at full rate. The machine's two cores are shared by both, so that clocks say little: printed is the server's
CPU against what the same rows and the same questions took apart.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks import engine as engines
from benchmarks.ingest import bodies, free_port, send
from benchmarks.queries import QUERIES, cost

READERS = 8
ASKED = ("needle, a word with 3 hits", "last 100", "error rate by service", "trace id")


def into(stream: str, rows: int) -> Iterator[tuple[int, bytes]]:
    """Yield `_bulk` bodies for another stream."""
    for count, body in bodies(rows):
        yield count, body.replace(b'{"_index":"logs"}', b'{"_index":"%s"}' % stream.encode())


def ask_until(engine: engines.Engine, texts: list[str], ended: threading.Event, asked: list[int], reader: int) -> None:
    """Ask the queries in turns until told to end, counting them."""
    place = reader
    while not ended.is_set():
        engine.ppl(texts[place % len(texts)])
        asked[place % len(texts)] += 1
        place += 1


def main() -> None:
    """Measure apart, then together."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--rows", type=int, default=200_000)
    chosen = options.parse_args()
    engine = engines.treering(chosen.data / "data", free_port())
    try:
        engine.wait("/readyz")
        trace = engine.ppl("source=logs | head 1 | fields traceId")["datarows"][0][0]
        texts = [QUERIES[name][0].replace("{trace}", trace) for name in ASKED]
        apart = [cost(engine, lambda text=text: engine.ppl(text)) / 1000 for text in texts]  # type: ignore[misc]
        alone = send(engine, "/_bulk", into("apart", chosen.rows), "application/x-ndjson")
        ended, asked = threading.Event(), [0] * len(texts)
        readers = [
            threading.Thread(target=ask_until, args=(engine, texts, ended, asked, reader)) for reader in range(READERS)
        ]
        before = engine.cpu()
        for reader in readers:
            reader.start()
        figures = send(engine, "/_bulk", into("together", chosen.rows), "application/x-ndjson", settle=False)
        ended.set()
        for reader in readers:
            reader.join()
        engine.settle()
        spent = engine.cpu() - before
        wanted = alone["cpu"] + sum(count * each for count, each in zip(asked, apart, strict=True))
        print(f"rows alone            {alone['rows'] / alone['cpu']:10,.0f} per CPU second, {alone['wall']:.1f} s")
        print(
            f"rows beside readers   {figures['rows']:10,.0f} in {figures['wall']:.1f} s, {sum(asked)} answers meanwhile"
        )
        print(f"CPU of both together  {spent:10.1f} s; apart {wanted:.1f} s: {spent / wanted:.2f} times")
    finally:
        engine.stop()


if __name__ == "__main__":
    main()
