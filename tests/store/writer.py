"""Processes that write to a store until they are killed: each line on stdin, `directory number`, forks one.

A child prints its process number, then `+ n` when record n was acknowledged, `? n` before it deletes record n and `- n`
when that was acknowledged.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from itertools import count

from treering.core.errors import Retryable
from treering.store.duckdb import Config, DuckdbStore
from treering.testing.store_contract import START_NS, logs

CONFIG = Config(flush_bytes=20_000, flush_seconds=0.05, flush_least_bytes=1)


def write(folder: str, number: int) -> None:
    store = DuckdbStore(folder, CONFIG)
    numbers = count(number * 1_000_000)
    workers = [threading.Thread(target=work, args=(store, numbers, seed)) for seed in (number, -number - 1)]
    for worker in workers:
        worker.start()


def work(store: DuckdbStore, numbers: count[int], seed: int) -> None:
    rng = random.Random(seed)
    mine: list[tuple[int, int]] = []
    while True:
        own = [next(numbers) for _ in range(rng.randrange(1, 12))]
        records = [{"n": n, "@timestamp": START_NS + n, "body": f"record {n}", f"x{n % 13}": n} for n in own]
        doomed = mine.pop(rng.randrange(len(mine))) if mine and rng.random() < 0.2 else None
        if doomed:
            say(f"? {doomed[0]}")
        try:
            first = store.append(logs(records), {"logs": [doomed[1]]} if doomed else {})
        except Retryable:
            time.sleep(0.02)
            continue
        say("".join(f"+ {n}\n" for n in own) + (f"- {doomed[0]}" if doomed else ""))
        mine += [(n, first + place) for place, n in enumerate(own)]


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        folder, number = line.split()
        child = os.fork()
        if not child:
            os.setpgrp()
            say(f"= {os.getpid()}")
            write(folder, int(number))
            return


if __name__ == "__main__":
    main()
