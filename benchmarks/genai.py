"""What normalising GenAI spans costs: alone, and with decoding, storing and indexing.

`python -m benchmarks.genai [--spans 81920]` prints microseconds a span and spans per CPU-second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.spans import requests
from treering.model.batch import Batch
from treering.parse.genai import Normaliser
from treering.parse.otlp import Signal
from treering.parse.prices import Prices
from treering.receive._otlp import decoded
from treering.store.duckdb import Config, build

Step = Callable[[Batch], Batch]


def alone(bodies: list[bytes], rounds: int = 5) -> float:
    """Return the least microseconds a span that normalising a request took."""
    batches = [part for body in bodies for part in decoded(Signal.TRACES, body, 1)[1]]
    step, best = Normaliser(Prices()), float("inf")
    for _ in range(rounds):
        for part in batches:
            began = time.perf_counter()
            step(part)
            best = min(best, (time.perf_counter() - began) / part.rows * 1e6)
    return best


def whole(bodies: list[bytes], step: Step, count: int) -> float:
    """Return the CPU-microseconds a span from request to indexed segment."""
    with tempfile.TemporaryDirectory() as folder:
        store = build(Config(), Path(folder))
        began = time.process_time()
        for body in bodies:
            store.append([step(part) for part in decoded(Signal.TRACES, body, 1)[1]])
        store.flush()
        spent = time.process_time() - began
        store.close()
    return spent / count * 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=81_920)
    count: int = parser.parse_args().spans
    bodies = [body for _, body in requests(count)]
    print(f"normalising alone     {alone(bodies[:40]):6.1f} us a span")
    for name, step in (("stored as sent", lambda part: part), ("normalised and stored", Normaliser(Prices()))):
        spent = whole(bodies, step, count)
        print(f"{name:<21} {spent:6.1f} us a span, {1e6 / spent:,.0f} spans per CPU-second")


if __name__ == "__main__":
    main()
