"""Detection follows the store, folds what it finds, and goes on where it was, whatever is killed when."""

from __future__ import annotations

import gc
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from treering.app import detection as app_detection
from treering.app.config import Detect
from treering.app.detection import Detection
from treering.app.detectors import Detectors, makers
from treering.app.ledger import Ledger
from treering.core.clock import SystemClock
from treering.core.errors import Retryable, UserError
from treering.core.telemetry import Telemetry
from treering.model.batch import batch
from treering.model.finding import FINDINGS, Finding
from treering.model.rows import Rows
from treering.stage.store import Store
from treering.store.duckdb import DuckdbStore

START_NS = 1_772_000_000_000_000_000
SECOND = 10**9
ONLY = Detect(detectors=("crashes",))


def kill(second: float, process: str = "llm") -> dict[str, Any]:
    body = f"Memory cgroup out of memory: Killed process 12 ({process}) total-vm:1kB"
    return {"@timestamp": START_NS + int(second * SECOND), "serviceName": "kernel", "body": body}


def put(store: Store, *records: dict[str, Any], stream: str = "logs") -> None:
    store.append([batch(stream, records, received_ns=START_NS)])


def following(store: Store, folder: Path, settings: Detect = ONLY, telemetry: Telemetry | None = None) -> Detection:
    clock = SystemClock()
    return Detection(settings, store, Ledger(store, clock), clock, telemetry or Telemetry(), folder)


def settle(detection: Detection, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not detection.settled() and time.monotonic() < until:
        time.sleep(0.02)
    assert detection.settled(), detection.status()


def findings(store: Store) -> list[dict[str, Any]]:
    found = store.records(FINDINGS, range(store.newest_seq() + 1))
    return [dict(record) for record in found.values()]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    held = DuckdbStore(tmp_path / "data")
    yield held
    held.close()


def test_findings_become_records_with_their_evidence(store: Store, tmp_path: Path) -> None:
    detection = following(store, tmp_path)
    told: list[Finding] = []
    detection.ledger.listeners.append(told.extend)
    detection.start()
    put(store, {"body": "quiet"}, kill(5))
    settle(detection)
    detection.stop()
    (record,) = findings(store)
    assert record["finding"]["rule"] == "oom_kill"
    assert record["finding"]["state"] == "new"
    assert record["entities"] == {"service": "kernel", "process": "llm"}
    (shown,) = record["evidence"]
    assert store.record("logs", shown["seq"]) is not None
    assert told[0].fingerprint == record["finding"]["id"]
    assert store.find_ids(FINDINGS, [told[0].fingerprint])


def test_equal_findings_are_one_record(store: Store, tmp_path: Path) -> None:
    detection = following(store, tmp_path)
    detection.start()
    for second in range(4):
        put(store, kill(second * 100))
        settle(detection)
    detection.stop()
    rules = {record["finding"]["rule"]: record for record in findings(store)}
    assert rules["oom_kill"]["count"] == 4
    assert rules["oom_kill"]["endTime"] == START_NS + 300 * SECOND
    assert len(rules["oom_kill"]["evidence"]) == 4
    assert sorted(rules) == ["oom_kill", "restart_loop"]


def test_it_goes_on_where_it_stopped(store: Store, tmp_path: Path) -> None:
    for second in range(4):
        detection = following(store, tmp_path)
        detection.start()
        put(store, kill(second * 100))
        settle(detection)
        detection.stop()
    rules = {record["finding"]["rule"]: record for record in findings(store)}
    assert rules["oom_kill"]["count"] == 4
    assert rules["restart_loop"]["count"] == 2


@pytest.mark.parametrize("dies", ["before saving", "before writing", "after writing", "while writing"])
def test_a_crash_at_any_point_counts_nothing_twice(
    store: DuckdbStore, tmp_path: Path, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, kill(0), kill(1), kill(2, "other"))
    store.flush()
    victim = following(store, tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise SystemExit

    if dies == "before saving":
        monkeypatch.setattr(victim._checkpoints, "save", fail)
    elif dies == "before writing":
        monkeypatch.setattr(victim.ledger, "write", fail)
    elif dies == "while writing":
        victim.ledger.listeners.append(fail)
    else:
        monkeypatch.setattr(victim._checkpoints, "delivered", fail)
    with pytest.raises(SystemExit):
        victim.advance()
    monkeypatch.undo()
    heir = following(store, tmp_path)
    told: list[Finding] = []
    heir.ledger.listeners.append(told.extend)
    heir.start()
    settle(heir)
    put(store, kill(3))
    settle(heir)
    heir.stop()
    counts = {
        record["key"][1]: record["count"] for record in findings(store) if record["finding"]["rule"] == "oom_kill"
    }
    assert counts == {"llm": 3, "other": 1}
    assert {finding.values("process") for finding in told} >= {("llm",), ("other",)}


def test_a_full_store_delays_findings_but_loses_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detection = following(store, tmp_path)
    write = detection.ledger.write
    refusals = [1, 2]

    def refuse(*arguments: Any, **named: Any) -> Any:
        if refusals:
            refusals.pop()
            raise Retryable("full", retry_after_s=0.01)
        return write(*arguments, **named)

    monkeypatch.setattr(detection.ledger, "write", refuse)
    detection.start()
    put(store, kill(0))
    settle(detection)
    detection.stop()
    assert [record["count"] for record in findings(store)] == [1]


def test_a_detector_that_fails_does_not_stop_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = Telemetry()
    detection = following(store, tmp_path, Detect(detectors=("crashes", "errors")), telemetry)

    def fail(_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(type(detection.detectors.watched[1].detector), "observe", fail)
    detection.start()
    put(store, kill(0))
    settle(detection)
    status = detection.status()
    detection.stop()
    assert len(findings(store)) == 1
    assert status["failures"]["errors"]["count"] == 1
    assert telemetry.value("treering_detector_failures_total", detector="errors") == 1


def test_findings_and_incidents_are_not_watched(store: Store, tmp_path: Path) -> None:
    detection = following(store, tmp_path)
    detection.start()
    put(store, kill(0), stream="incidents")
    put(store, kill(0), stream=FINDINGS)
    settle(detection)
    detection.stop()
    assert len(findings(store)) == 1


def test_what_people_say_is_kept_when_a_finding_grows(store: DuckdbStore, tmp_path: Path) -> None:
    detection = following(store, tmp_path)
    detection.start()
    put(store, kill(0))
    settle(detection)
    (name,) = [record["finding"]["id"] for record in findings(store)]
    assert detection.ledger.triage(name, "confirmed", "swap_space was raised", "kira") is not None
    assert detection.ledger.triage("nobody", "closed") is None
    with pytest.raises(UserError, match="not a state"):
        detection.ledger.triage(name, "solved")
    store.flush()
    put(store, kill(1))
    settle(detection)
    detection.stop()
    (record,) = findings(store)
    assert (record["finding"]["state"], record["count"]) == ("confirmed", 2)
    assert record["triage"]["comment"] == "swap_space was raised"
    assert Ledger(store, SystemClock()).entry(name) is not None


def test_wrong_settings_are_the_users_mistake(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="crashs"):
        following(store, tmp_path, Detect(detectors=("crashs",)))
    with pytest.raises(UserError, match="loops"):
        following(store, tmp_path, Detect(settings={"crashes": {"loops": 3}}))


def test_a_listener_that_fails_does_not_stop_detection(store: Store, tmp_path: Path) -> None:
    detection = following(store, tmp_path)
    told: list[Finding] = []

    def fail(_: object) -> None:
        raise ValueError("no")

    detection.ledger.listeners += [fail, told.extend]
    detection.start()
    put(store, kill(0))
    settle(detection)
    detection.stop()
    assert len(told) == 1
    assert detection.trouble == ""


def test_small_batches_are_watched_together(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detection = following(store, tmp_path)
    sizes: list[int] = []
    take = detection.detectors.take

    def counted(batches: Any, *more: Any) -> Any:
        sizes.append(sum(held.rows for held in batches))
        return take(batches, *more)

    monkeypatch.setattr(detection.detectors, "take", counted)
    monkeypatch.setattr(app_detection, "PAUSE_S", 0.5)  # a slow machine takes long for the next record, too
    detection.start()
    for second in range(40):
        put(store, kill(second * 4000, f"process {second}"))
        time.sleep(0.02)
    settle(detection)
    detection.stop()
    assert sum(sizes) >= 40  # the findings are records, too
    assert len([size for size in sizes if size]) <= 20
    assert len(findings(store)) == 40


@pytest.mark.parametrize("stream", ["logs", "spans"])
def test_records_leave_memory_when_all_have_seen_them(stream: str) -> None:
    detectors = Detectors(makers(Detect()))
    call = {"name": "chat", "durationInNanos": 5, "attributes": {"gen_ai.operation.name": "chat"}}
    gc.disable()  # it comes seldom to a process that allocates buffers rather than objects
    try:
        for second in range(3):
            rows = Rows(batch(stream, [{**kill(second), **call}], received_ns=START_NS))
            detectors.observe(rows)
            known = weakref.ref(rows)
            del rows
            assert known() is None
    finally:
        gc.enable()
    assert not detectors.failures
