"""A treering with a small known day in it, played through the real protocols as `treering up --demo` does."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from tests.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server import Server

SEED, DAYS = 7, 0.1
_QUIET_S = 2.0
_LAG = 100


@contextlib.contextmanager
def day(data: Path, *arguments: str, days: float = DAYS, least: int = 5000) -> Iterator[Server]:
    """Run a demo and give its server once the day's history is stored and its first incident is there."""
    with running(data, "--demo", "--seed", str(SEED), "--days", str(days), *arguments) as server:
        settled(server, least)
        folded(server)
        yield server


def _watched(server: Server) -> bool:
    """Whether the detectors have seen nearly all."""
    return server.get("/api/status")["detection"]["lag_records"] < _LAG


def settled(server: Server, least: int, seconds: float = 180) -> None:
    """Wait until at least `least` records are stored, hardly any more arrive and all are looked at."""
    until, rows, since = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < until:
        found = sum(info["rows"] for info in server.get("/api/streams")["streams"])
        if found > rows + 20:
            rows, since = found, time.monotonic()
        if rows >= least and time.monotonic() - since > _QUIET_S and _watched(server):
            return
        time.sleep(0.2)
    raise AssertionError(f"{rows} records after {seconds} seconds")


def folded(server: Server, seconds: float = 90) -> None:
    """Wait until findings have been folded into at least one incident."""
    until = time.monotonic() + seconds
    while not server.get("/api/incidents")["incidents"]:
        assert time.monotonic() < until, f"no incident after {seconds} seconds"
        time.sleep(0.2)
