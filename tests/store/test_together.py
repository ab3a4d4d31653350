"""Readers, writers and upkeep at once: every answer is one that held at some moment."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from treering.model.columns import SEQUENCE
from treering.stage.store import Scan
from treering.store.duckdb import Config, DuckdbStore
from treering.testing.store_contract import START_NS, answer, logs

EAGER = Config(flush_bytes=30_000, flush_seconds=0.02, flush_least_bytes=1)


def torn(mine: list[int]) -> list[int]:
    """Return a writer's rows if they are not six of each append, and the newest whole: the next deletes the seventh."""
    whole = [n for n in range(mine[-1] + 1) if n % 7 != 6 or n == mine[-1]] if mine else []
    return [] if mine == whole else mine


def test_every_answer_is_whole(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path, EAGER)
    until = time.monotonic() + 3
    sent = [0, 0]
    wrong: list[object] = []

    def write(place: int) -> None:
        last: list[int] = []
        while time.monotonic() < until:
            records = [{"w": place, "n": sent[place] + n, "@timestamp": START_NS + n} for n in range(7)]
            first = store.append(logs(records), {"logs": last})
            last = [first + 6]
            sent[place] += 7

    def read() -> None:
        seen = 0
        while time.monotonic() < until:
            rows = answer(store, Scan(("logs",), (SEQUENCE, "w", "n")))
            seqs = [row[0] for row in rows]
            if seqs != sorted(set(seqs)):
                wrong.append(("order", seqs))
            wrong.extend(found for place in (0, 1) if (found := torn([row[2] for row in rows if row[1] == place])))
            if len(rows) < seen:
                wrong.append(("lost", seen, len(rows)))
            seen = len(rows) - 2

    store.append(logs([{"w": 9, "n": 0}]))
    threads = [threading.Thread(target=write, args=(place,)) for place in (0, 1)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.health()["trouble"] == {}
    assert store.streams()[0].rows == 1 + sum(n - n // 7 + 1 for n in sent)
    store.close()
