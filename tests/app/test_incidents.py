"""The desk of incidents over a real store: ids that last, evidence that stays, people's changes, crashes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.incidents import MINUTE, START, finding, store_calls, write
from treering.app import evidence
from treering.app.incidents import Desk
from treering.core.clock import ManualClock
from treering.core.errors import Retryable, UserError
from treering.model.batch import batch
from treering.model.finding import Severity
from treering.model.incident import INCIDENTS, State
from treering.store import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treering.model.incident import Incident
    from treering.stage.store import Store


SLOW: dict[str, Any] = {"detector": "latency", "rule": "slow", "techniques": ()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = duckdb.build(duckdb.Config(), tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + 10 * MINUTE)


@pytest.fixture
def desk(store: Store, clock: ManualClock, tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(store, clock, tmp_path)
    yield opened
    opened.stop()


def stream(store: Store) -> dict[str, dict[str, Any]]:
    """The records of the stream `incidents` by id of the incident."""
    found = store.records(INCIDENTS, range(store.newest_seq() + 1)) if store.streams(INCIDENTS) else {}
    return {record["incident"]["id"]: dict(record) for record in found.values()}


def only(desk: Desk) -> Incident:
    (case,) = desk.book.cases()
    return case.incident


def test_findings_become_an_incident_and_a_record_that_is_replaced(desk: Desk, store: Store) -> None:
    desk.take([finding("a", seqs=store_calls(store)[:2])])
    desk.settle()
    first = only(desk)
    desk.take([finding("b", START + 5 * MINUTE, severity=Severity.CRITICAL)])
    desk.settle()
    assert only(desk).id == first.id
    assert len(only(desk).findings) == 2
    (record,) = stream(store).values()
    assert (record["severityText"], record["incident"]["findings"]) == ("critical", 2)
    assert len(store.records(INCIDENTS, range(store.newest_seq() + 1))) == 1


def test_a_finding_from_before_keeps_the_id(desk: Desk) -> None:
    desk.take([finding("late", START + 20 * MINUTE)])
    desk.settle()
    known = only(desk).id
    desk.take([finding("early", START)])
    desk.settle()
    assert only(desk).id == known
    assert only(desk).start_ns == START


def test_evidence_outlives_its_records(desk: Desk, store: Store) -> None:
    seqs = store_calls(store)
    desk.take([finding("a", seqs=seqs[:3])])
    desk.settle()
    store.delete("spans")
    frozen = desk.book.evidence(only(desk).id)
    assert [item.ref for item in frozen] == [f"spans/{seq}" for seq in seqs[:3]]
    assert json.loads(frozen[0].body)["record"]["serviceName"] == "rag-service"
    about = evidence.bundle("inc", frozen)
    for line in about["records"]:
        assert hashlib.sha256(line["content"].encode()).hexdigest() == line["sha256"]
    lines = "".join(f"{line['sha256']}  {line['ref']}\n" for line in about["records"])
    assert about["sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_bundle_is_a_zip_whose_sums_fit_and_whose_names_are_ours(desk: Desk, store: Store) -> None:
    desk.take([finding("a", seqs=store_calls(store)[:2])])
    desk.settle()
    frozen = desk.book.evidence(only(desk).id)
    content = evidence.archive("inc", frozen)
    assert content == evidence.archive("inc", list(reversed(frozen)))
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert all(name in {"manifest.json", "SHA256SUMS"} or name.startswith("records/0") for name in file.namelist())
        for line in file.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(file.read(name)).hexdigest() == digest
        assert json.loads(file.read("manifest.json"))["sha256"] == evidence.digest(frozen)


def test_a_bridge_merges_two_incidents_and_both_ids_are_found(desk: Desk, store: Store) -> None:
    desk.take([finding("a", entities={"user": "ana"})])
    desk.take([finding("b", START + MINUTE, seqs=store_calls(store)[:1], entities={"session": "s1"})])
    desk.settle()
    one, other = sorted(desk.book.cases(), key=lambda case: case.incident.start_ns)
    desk.change(other.incident.id, "bo", owner="bo", comment="looks odd")
    desk.take([finding("bridge", START + MINUTE, entities={"user": "ana", "session": "s1"})])
    desk.settle()
    merged = only(desk)
    ids = {one.incident.id, other.incident.id}
    assert merged.id in ids
    for identifier in ids:
        case = desk.book.case(identifier)
        assert case is not None
        assert case.incident.id == merged.id
    assert set(stream(store)) == {merged.id}
    said = [(change.what, change.after) for change in desk.book.changes(merged.id)]
    assert ("comment", "looks odd") in said
    assert ("merged", merged.id) in said
    assert len(desk.book.evidence(merged.id)) == 1


def test_people_change_incidents_and_the_history_says_who(desk: Desk, store: Store) -> None:
    desk.take([finding("a")])
    desk.settle()
    known = only(desk).id
    desk.change(known, "ana", state=State.ACKNOWLEDGED, owner="ana", comment="mine")
    desk.take([finding("b", START + MINUTE)])
    desk.settle()
    assert (only(desk).state, only(desk).owner, len(only(desk).findings)) == (State.ACKNOWLEDGED, "ana", 2)
    assert stream(store)[known]["incident"]["state"] == "acknowledged"
    history = [(change.actor, change.what, change.after) for change in desk.book.changes(known)]
    assert history == [
        ("treering", "state", "open"),
        ("ana", "state", "acknowledged"),
        ("ana", "owner", "ana"),
        ("ana", "comment", "mine"),
    ]
    assert desk.change("inc-nothing", "ana", comment="x") is None
    with pytest.raises(UserError, match="10000"):
        desk.change(known, "ana", comment="x" * 10_001)


def test_quiet_resolves_and_what_goes_on_opens_again(desk: Desk, clock: ManualClock) -> None:
    desk.take([finding("a", **SLOW)])
    desk.settle()
    assert only(desk).state is State.OPEN
    clock.advance(3600)
    desk.settle()
    assert only(desk).state is State.RESOLVED
    desk.take([finding("a", count=5, **SLOW)])
    desk.settle()
    assert only(desk).state is State.RESOLVED, "the same again is no news"
    desk.take([finding("b", START + 50 * MINUTE, **SLOW)])
    desk.settle()
    assert only(desk).state is State.OPEN


def test_what_a_person_has_just_touched_is_not_resolved_under_their_hands(desk: Desk, clock: ManualClock) -> None:
    desk.take([finding("a", **SLOW)])
    desk.settle()
    clock.advance(86_400)
    desk.settle()
    desk.change(only(desk).id, "ana", state=State.ACKNOWLEDGED)
    desk.settle()
    assert only(desk).state is State.ACKNOWLEDGED
    clock.advance(3700)
    desk.settle()
    assert only(desk).state is State.RESOLVED


def test_an_attacker_who_is_quiet_is_not_over(desk: Desk, clock: ManualClock) -> None:
    desk.take([finding("a")])
    desk.settle()
    clock.advance(7 * 86_400)
    desk.settle()
    assert only(desk).state is State.OPEN


def test_a_restart_changes_nothing_and_catches_up(desk: Desk, store: Store, clock: ManualClock, tmp_path: Path) -> None:
    first = finding("a", seqs=store_calls(store)[:2])
    write(store, first)
    desk.take([first])
    desk.settle()
    before = desk.book.cases()
    write(store, finding("b", START + MINUTE), finding("other", START, entities={"user": "zoe"}))
    desk.stop()
    again = Desk(store, clock, tmp_path)
    assert again.book.cases() == before
    assert again.catch_up() == 2
    assert sorted(len(case.incident.findings) for case in again.book.cases()) == [1, 2]
    assert again.catch_up() == 0
    assert set(stream(store)) == {case.incident.id for case in again.book.cases()}
    again.stop()


def test_what_could_not_be_published_is_published_later(
    desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.take([finding("a")])
    with monkeypatch.context() as broken:

        def full(*_: object) -> int:
            raise Retryable("the disk is full")

        broken.setattr(store, "append", full)
        with pytest.raises(Retryable):
            desk.settle()
    assert stream(store) == {}
    desk.settle()
    assert set(stream(store)) == {only(desk).id}


def test_the_thread_folds_what_it_is_given(store: Store, clock: ManualClock) -> None:
    opened = Desk(store, clock)
    heard: list[Incident] = []
    opened.listeners.append(heard.extend)
    opened.start()
    opened.take([finding("a")])
    opened.stop()
    assert [incident.state for incident in heard] == [State.OPEN]


def test_dismissed_findings_leave_their_incident_and_the_last_one_closes_it(desk: Desk) -> None:
    first, second = finding("a"), finding("b", START + MINUTE)
    desk.take([first, second])
    desk.settle()
    desk.triaged(second.fingerprint, "dismissed")
    desk.take([second])
    desk.settle()
    assert only(desk).findings == (first.fingerprint,)
    desk.triaged(first.fingerprint, "dismissed")
    desk.settle()
    assert only(desk).state is State.CLOSED
    desk.triaged(first.fingerprint, "confirmed")
    desk.settle()
    assert only(desk).state is State.CLOSED


def test_slight_findings_are_kept_until_they_suffice(desk: Desk) -> None:
    desk.take([finding("1", severity=Severity.LOW)])
    desk.settle()
    assert desk.book.cases() == []
    desk.take([finding(str(n), START + n * MINUTE, severity=Severity.LOW) for n in range(2, 5)])
    desk.settle()
    assert len(only(desk).findings) == 4


def test_old_findings_without_incident_are_forgotten_and_incidents_are_not(desk: Desk) -> None:
    day = 1440 * MINUTE
    desk.take([finding("old"), finding("slight", severity=Severity.LOW, entities={"user": "x"})])
    desk.settle()
    desk.take([finding("new", START + 5 * day)])
    desk.settle()
    kept = {clue.finding.key[0] for clue in desk.book.clues(0, 100)}
    assert kept == {"old", "new"}
    assert len(desk.book.cases()) == 2


def test_a_finding_knows_where_the_traces_of_its_evidence_came_in(desk: Desk, store: Store) -> None:
    seqs = store_calls(store)
    roots = [
        {
            "@timestamp": START + n * MINUTE,
            "traceId": f"{n + 50:032x}",
            "spanId": f"{n + 100:016x}",
            "parentSpanId": "" if n else None,
            "name": "POST",
            "serviceName": "gateway",
            "attributes": {"http.route": f"/v1/{n % 2}"} if n < 2 else {},
        }
        for n in range(3)
    ]
    inner = [{**roots[0], "parentSpanId": "0" * 15 + "1", "name": "inner", "attributes": {"http.route": "/inner"}}]
    others = [{**roots[1], "traceId": f"{n + 9000:032x}"} for n in range(700)]
    store.append([batch("spans", [*inner, *roots, *others], received_ns=START)])
    found = finding("a", seqs=seqs[:3])
    traced = tuple(msgspec.structs.replace(item, trace_id=f"{n + 50:032x}") for n, item in enumerate(found.evidence))
    desk.take([msgspec.structs.replace(found, evidence=traced)])
    (clue,) = desk.book.clues(0, 10)
    assert sorted(clue.came_in) == ["/v1/0", "/v1/1", "POST"]
