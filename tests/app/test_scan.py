"""Back-fill: what is stored is watched again, resumably, without counting anything twice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from treering.app import scan as module
from treering.app.config import Detect
from treering.app.detection import Detection
from treering.app.detectors import makers
from treering.app.ledger import Ledger
from treering.app.scan import Scan, Scans
from treering.core.clock import SystemClock
from treering.core.errors import UserError
from treering.core.telemetry import Telemetry
from treering.model.batch import batch
from treering.model.finding import FINDINGS
from treering.store.duckdb import DuckdbStore

SECOND = 10**9
ONLY = Detect(detectors=("crashes",))


def kill(at_ns: int, process: str) -> dict[str, Any]:
    body = f"Memory cgroup out of memory: Killed process 12 ({process}) total-vm:1kB"
    return {"@timestamp": at_ns, "serviceName": "kernel", "body": body}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    held = DuckdbStore(tmp_path / "data")
    now_ns = SystemClock().now_ns()
    days = [40, 3, 2, 1]
    for number, day in enumerate(days):
        records = [kill(now_ns - day * 86_400 * SECOND + n * SECOND, f"p{number}") for n in range(2)]
        held.append([batch("logs", records, received_ns=now_ns)])
        if number == 1:
            held.flush()
    yield held
    held.close()


def counts(store: DuckdbStore) -> dict[str, int]:
    found = store.records(FINDINGS, range(store.newest_seq() + 1))
    return {record["key"][1]: record["count"] for record in found.values()}


def scans(store: DuckdbStore, folder: Path) -> Scans:
    clock = SystemClock()
    return Scans(ONLY, store, Ledger(store, clock), clock, folder)


def test_only_the_wanted_time_is_watched(store: DuckdbStore, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    found = scans(store, tmp_path).run("30d", told.append)
    assert {finding.values("process") for finding in found} == {("p1",), ("p2",), ("p3",)}
    assert counts(store) == {"p1": 2, "p2": 2, "p3": 2}
    assert told[-1]["records"] == 6
    assert told[-1]["share"] == 1


def test_what_was_watched_live_is_not_counted_again(store: DuckdbStore, tmp_path: Path) -> None:
    clock = SystemClock()
    live = Detection(ONLY, store, Ledger(store, clock), clock, Telemetry(), tmp_path)
    live.start()
    while not live.settled():
        pass
    live.stop()
    assert counts(store) == {"p0": 2, "p1": 2, "p2": 2, "p3": 2}
    for _ in range(2):
        scans(store, tmp_path).run("60d", lambda _: None)
        assert counts(store) == {"p0": 2, "p1": 2, "p2": 2, "p3": 2}


def test_an_interrupted_scan_goes_on(store: DuckdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)

    def interrupt(at: dict[str, Any]) -> None:
        if at["position"] >= 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        scans(store, tmp_path).run("60d", interrupt)
    assert counts(store) == {}
    steps: list[int] = []
    scans(store, tmp_path).run("60d", lambda at: steps.append(at["position"]))
    assert steps[0] > 2
    assert counts(store) == {"p0": 2, "p1": 2, "p2": 2, "p3": 2}


def test_in_a_thread_one_at_a_time(store: DuckdbStore, tmp_path: Path) -> None:
    held = scans(store, tmp_path)
    assert held.progress() is None
    with pytest.raises(UserError, match="not a time span"):
        held.begin("soon")
    held.begin("30d")
    assert held._thread is not None
    held._thread.join(20)
    progress = held.progress()
    assert progress is not None
    assert (progress["running"], progress["findings"], progress["trouble"]) == (False, 3, "")
    held.stop()
    assert counts(store) == {"p1": 2, "p2": 2, "p3": 2}


def test_detectors_may_ask_the_store(store: DuckdbStore) -> None:
    scan = Scan(makers(ONLY), store, SystemClock())
    assert scan._ask("source=logs | stats count()") == [{"count()": 8}]
    with pytest.raises(UserError):
        scan._ask("source=logs | nonsense")
