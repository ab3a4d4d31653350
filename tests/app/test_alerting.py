"""From what holds to deliveries: rules, groups, silences, the queue; nothing lost, nothing doubled, over crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents import MINUTE, START, finding
from tests.server import ENVIRONMENT
from treering.alert._grouping import Group, Pace, flush
from treering.alert._matching import matcher
from treering.app.alert_settings import Alerts, OfFindings, OfIncidents, Route, Rule, Silence
from treering.app.alertbook import Alertbook
from treering.app.alerts import AlertDesk
from treering.app.config import Settings, check
from treering.app.delivering import Delivering, Receivers
from treering.app.incidents import Desk
from treering.core.clock import ManualClock
from treering.core.errors import UserError
from treering.core.telemetry import Telemetry
from treering.model.batch import batch
from treering.model.delivery import Delivery, Status
from treering.model.finding import Severity
from treering.model.incident import State
from treering.store import duckdb
from treering.testing.notifier_contract import alert
from treering.testing.peers import http_peer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treering.stage.store import Store
    from treering.testing.peers import Peer

SECOND = 10**9
ERRORS = Rule(name="errors", query="source=logs severityNumber>=17 | stats count() by serviceName", above=3.0)
PROMPT = Route(receiver="hook", group_wait="0s", group_interval="1s", repeat_interval="1h")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = duckdb.build(duckdb.Config(), tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


class World:
    """An alert desk over a store and a webhook, with a clock that tests move."""

    def __init__(self, store: Store, clock: ManualClock, peer: Peer, folder: Path, **about: Any) -> None:
        hook = {"kind": "webhook", "url": f"http://127.0.0.1:{peer.port}/", "timeout_s": 2.0}
        fields = {"rules": (ERRORS,), "routes": (PROMPT,), "receivers": {"hook": hook}, **about}
        self.store, self.clock, self.peer = store, clock, peer
        self.desk = AlertDesk(Alerts(**fields), store, clock, Telemetry(), folder)

    def log(self, count: int, service: str = "rag", level: int = 17) -> None:
        now = self.clock.now_ns()
        record = {"@timestamp": now - SECOND, "severityNumber": level, "serviceName": service, "body": "x"}
        self.store.append([batch("logs", [record] * count, received_ns=now)])

    def go(self, seconds: float = 0) -> None:
        """Let time pass, then do everything that is due."""
        self.clock.advance(seconds)
        self.desk.step()
        self.desk.delivering.drain()

    def told(self) -> list[tuple[str, str]]:
        """What the webhook was told: status and service, each delivery once however often it came."""
        seen: dict[str, list[tuple[str, str]]] = {}
        for received in self.peer.received:
            alerts = json.loads(received.body)["alerts"]
            found = [(a["status"], a["labels"].get("serviceName", a["labels"]["alertname"])) for a in alerts]
            assert seen.setdefault(received.headers["idempotency-key"], found) == found
        return [line for found in seen.values() for line in found]


@pytest.fixture
def world(store: Store, clock: ManualClock, tmp_path: Path) -> Iterator[World]:
    with http_peer() as peer:
        found = World(store, clock, peer, tmp_path)
        yield found
        found.desk.stop()


def test_a_threshold_fires_once_per_service_and_resolves(world: World) -> None:
    world.log(5)
    world.log(3, "quiet")
    world.go()
    assert world.told() == [("firing", "rag")]
    world.go(60)
    assert len(world.told()) == 1, "it goes on: nobody is told again before repeat_interval"
    world.go(360)
    assert world.told() == [("firing", "rag"), ("resolved", "rag")]
    assert world.desk.book.alerts() == []
    world.log(9)
    world.go(60)
    assert world.told()[2:] == [("firing", "rag")]


def test_what_goes_on_is_told_again(world: World) -> None:
    for _ in range(62):
        world.log(5)
        world.go(60)
    assert world.told() == [("firing", "rag"), ("firing", "rag")]


def test_absence_and_change(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    silent = Rule(name="silent", query="source=logs | stats count()", absent=True)
    doubled = Rule(name="doubled", query="source=logs | stats count() by serviceName", change_above=2.0)
    with http_peer() as peer:
        world = World(store, clock, peer, tmp_path, rules=(silent, doubled))
        world.go()
        assert world.told() == [("firing", "silent")]
        world.log(4)
        world.go(60)
        assert ("resolved", "silent") in world.told()
        clock.advance(300)
        world.log(12)
        world.go(30)
        assert ("firing", "rag") in world.told()
        world.desk.stop()


def test_a_condition_that_must_hold_a_while(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with http_peer() as peer:
        world = World(store, clock, peer, tmp_path, rules=(msgspec.structs.replace(ERRORS, hold="2m", window="1m"),))
        world.log(5)
        world.go(1)
        world.go(60)  # over: it starts again
        for _ in range(2):
            world.log(5)
            world.go(60)
        assert world.told() == []
        world.log(5)
        world.go(60)
        assert world.told() == [("firing", "rag")]
        world.desk.stop()


def test_a_query_that_fails_is_shown_and_resolves_nothing(world: World) -> None:
    world.log(5)
    world.go()
    broken = msgspec.structs.replace(world.desk.settings.rules[0], query="source=logs | stats count() by nothing_here")
    world.desk.alerting.asked[0] = msgspec.structs.replace(world.desk.alerting.asked[0], rule=broken)
    world.go(600)
    assert "nothing_here" in world.desk.book.asked()["errors"][1]
    assert world.told() == [("firing", "rag")]


def test_a_group_waits_and_takes_what_joins(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    route = Route(receiver="hook", group_wait="30s", group_interval="5m")
    with http_peer() as peer:
        world = World(store, clock, peer, tmp_path, routes=(route,))
        world.log(5)
        world.go()
        world.log(5, "gateway")
        world.go(60)
        assert len(peer.received) == 1
        assert sorted(world.told()) == [("firing", "gateway"), ("firing", "rag")]
        world.log(5, "agent")
        world.go(60)
        assert len(peer.received) == 1
        world.go(240)
        assert len(peer.received) == 2
        world.desk.stop()


def test_routes_choose_by_labels(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    one = Route(receiver="hook", matchers=('serviceName="rag"',), group_wait="0s", go_on=True)
    two = Route(receiver="other", matchers=('serviceName=~"r.*"',), group_wait="0s")
    with http_peer() as peer, http_peer() as other:
        receivers = {
            name: {"kind": "webhook", "url": f"http://127.0.0.1:{found.port}/"}
            for name, found in (("hook", peer), ("other", other))
        }
        world = World(store, clock, peer, tmp_path, routes=(one, two), receivers=receivers)
        world.log(5)
        world.log(5, "gateway")
        world.go()
        assert [len(peer.received), len(other.received)] == [1, 1]
        world.desk.stop()


def test_silences_mute_until_they_end(world: World) -> None:
    quiet = world.desk.alerting.silence(["serviceName=rag"], world.clock.now_ns() + 120 * SECOND, "ana", "rollout")
    world.log(5)
    world.go()
    assert world.told() == []
    world.log(5, "gateway")
    world.go(1)
    assert world.told() == []
    world.go(60)
    assert world.told() == [("firing", "gateway")]
    world.log(5)
    world.go(60)
    assert ("firing", "rag") in world.told()
    again = world.desk.alerting.silence(["serviceName=rag"], world.clock.now_ns() + 99 * SECOND, "ana", "")
    assert world.desk.alerting.expire(again.id) is not None
    assert world.desk.alerting.expire("nothing") is None
    assert [q.author for q in world.desk.alerting.silences()] == ["ana", "ana"]
    for wrong in ([], ["nothing"], ["a=~("], ["a=~(a+)+"]):
        with pytest.raises(UserError):
            world.desk.alerting.silence(wrong, world.clock.now_ns() + SECOND, "ana", "")
    with pytest.raises(UserError, match="future"):
        world.desk.alerting.silence(["a=b"], quiet.starts_ns, "ana", "")


def test_findings_and_incidents_raise_alerts(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    rules = (
        Rule(name="attack", findings=OfFindings(detector=("prompts",), severity="high")),
        Rule(name="incident", incidents=OfIncidents(kind=("security",))),
    )
    with http_peer() as peer:
        world = World(store, clock, peer, tmp_path, rules=rules)
        incidents = Desk(store, clock, tmp_path)
        incidents.finding_listeners.append(world.desk.alerting.take_findings)
        incidents.listeners.append(world.desk.alerting.take_incidents)
        slight = finding("slight", severity=Severity.LOW)
        incidents.take([finding("a"), slight])
        incidents.settle()
        world.go()
        assert sorted(world.told()) == [("firing", "attack"), ("firing", "incident")]
        incidents.take([finding("a")])
        world.go(60)
        assert len(world.told()) == 2, "the same finding told again is no news"
        incidents.take([finding("b", START + MINUTE, severity=Severity.CRITICAL)])
        incidents.settle()
        world.go(60)
        assert sorted(world.told()[2:]) == [
            ("firing", "attack"),
            ("firing", "attack"),
            ("firing", "incident"),
            ("resolved", "incident"),
        ], "it got worse: critical fires, high is over"
        (case,) = incidents.book.cases()
        incidents.change(case.incident.id, "ana", state=State.CLOSED)
        world.go(60)
        assert world.told()[-1] == ("resolved", "incident")
        world.go(7200)
        assert [line for line in world.told() if line == ("resolved", "attack")] != []
        incidents.stop()
        world.desk.stop()


@pytest.mark.parametrize("mode", ["busy", "slow", "cut", "drip"])
def test_a_receiver_that_fails_loses_and_doubles_nothing(
    store: Store, clock: ManualClock, tmp_path: Path, mode: str
) -> None:
    with http_peer(mode=mode, slow_s=4.0) as peer:
        world = World(store, clock, peer, tmp_path)
        world.log(5)
        world.go()
        (waiting,) = world.desk.book.deliveries("waiting")
        assert (waiting.delivery.attempts, waiting.delivery.error != "") == (1, True)
        if mode == "busy":
            assert waiting.next_ns - clock.now_ns() >= 7 * SECOND, "Retry-After counts"
        world.go(1)
        assert len(peer.received) == 1, "not before its time"
        peer.mode = "twice"
        world.go(60)
        world.go(60)
        assert world.told() == [("firing", "rag")]
        assert world.desk.book.deliveries("waiting") == []
        (done,) = world.desk.book.deliveries("delivered")
        assert done.delivery.attempts == 2
        world.desk.stop()


def test_what_is_refused_or_too_old_is_given_up_and_seen(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with http_peer(mode="refuse") as peer:
        world = World(store, clock, peer, tmp_path, give_up="1h")
        world.log(5)
        world.go()
        assert world.desk.book.deliveries("failed")[0].delivery.error == "the receiver answered 403"
        peer.mode = "busy"
        world.log(5, "gateway")
        world.go(60)
        world.go(3700)
        assert len(world.desk.book.deliveries("failed")) == 2
        world.desk.stop()


def test_a_resolved_notice_never_overtakes_its_alert(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with http_peer(mode="busy") as peer:
        world = World(store, clock, peer, tmp_path)
        world.log(5)
        world.go()
        world.go(600)
        assert len(world.desk.book.deliveries("waiting")) == 2
        peer.mode = "ok"
        peer.received.clear()
        for _ in range(3):
            world.go(400)
        assert world.told() == [("firing", "rag"), ("resolved", "rag")]
        world.desk.stop()


def test_a_slow_receiver_holds_up_no_other(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with http_peer(mode="slow", slow_s=30) as slow, http_peer() as fast:
        receivers = {
            name: {"kind": "webhook", "url": f"http://127.0.0.1:{found.port}/", "timeout_s": 5.0}
            for name, found in (("slow", slow), ("fast", fast))
        }
        routes = (Route(receiver="slow", group_wait="0s", go_on=True), Route(receiver="fast", group_wait="0s"))
        world = World(store, clock, fast, tmp_path, routes=routes, receivers=receivers)
        world.log(5)
        began = time.monotonic()
        world.desk.step()
        while not fast.received and time.monotonic() - began < 4:
            time.sleep(0.02)
        assert fast.received
        world.desk.delivering.drain()
        world.desk.stop()


def test_a_restart_tells_nothing_twice_and_forgets_nothing(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    with http_peer(mode="busy") as peer:
        first = World(store, clock, peer, tmp_path)
        first.log(5)
        first.go()
        first.desk.stop()
        peer.received.clear()
        peer.mode = "ok"
        second = World(store, clock, peer, tmp_path)
        second.go(60)
        second.go(60)
        assert second.told() == [("firing", "rag")]
        second.desk.stop()


_KILLED = """
import sys, time
from treering.app.alert_settings import Alerts
from treering.app.alertbook import Alertbook
from treering.app.delivering import Delivering, Receivers
from treering.core.clock import SystemClock
from treering.core.telemetry import Telemetry
from pathlib import Path

folder, port = Path(sys.argv[1]), sys.argv[2]
about = Alerts(receivers={"hook": {"kind": "webhook", "url": f"http://127.0.0.1:{port}/", "timeout_s": 5.0}})
work = Delivering(about, Alertbook(folder), Receivers(about), SystemClock(), Telemetry())
while True:
    work.pump()
    time.sleep(0.01)
"""


def test_a_killed_process_goes_on_where_it_was(tmp_path: Path) -> None:
    """Twenty deliveries, a process that is killed five times while it sends them: all arrive, each under its id."""
    book = Alertbook(tmp_path)
    for number in range(20):
        book.queue(Delivery(f"d-{number:02d}", "hook", {}, (alert(number),), time.time_ns()), f"group-{number}")
    book.close()
    with http_peer() as peer:
        command = [sys.executable, "-c", _KILLED, str(tmp_path), str(peer.port)]
        for kill_after in (1, 5, 9, 13, 17, 20):
            process = subprocess.Popen(command, env=ENVIRONMENT)
            until = time.monotonic() + 30
            while len({r.headers["idempotency-key"] for r in peer.received}) < kill_after:
                assert time.monotonic() < until
                time.sleep(0.002)
            if kill_after == 20:
                time.sleep(0.5)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
    ids = [r.headers["idempotency-key"] for r in peer.received]
    assert sorted(set(ids)) == [f"d-{number:02d}" for number in range(20)]
    assert len(ids) <= 20 + 5, "only what was on its way when the process was killed comes twice"
    again = Alertbook(tmp_path)
    assert again.deliveries("waiting") == []
    again.close()


def test_a_test_fires_past_the_queue_and_says_how_it_went(world: World) -> None:
    assert world.desk.delivering.test("hook", "ana").delivered_ns
    world.peer.mode = "refuse"
    assert world.desk.delivering.test("hook", "ana").error == "the receiver answered 403"
    assert world.desk.book.deliveries() == []
    with pytest.raises(UserError, match="hook"):
        world.desk.delivering.test("nobody", "ana")


def test_a_notifiers_bug_neither_ends_the_queue_nor_tells_its_secrets(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = Alerts(receivers={"hook": {"kind": "webhook", "url": "http://127.0.0.1:1/"}})
    book, receivers = Alertbook(None), Receivers(about)

    class Broken:
        def send(self, delivery: Delivery) -> None:
            raise KeyError("the password")

    receivers.notifiers["hook"] = Broken()
    work = Delivering(about, book, receivers, clock, Telemetry())
    book.queue(Delivery("d", "hook", {}, (alert(),), clock.now_ns()), "g")
    work.pump()
    work.drain()
    (waiting,) = book.deliveries("waiting")
    assert "password" not in waiting.delivery.error
    work.stop()
    book.close()


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"rules": (Rule(name="x"),)}, "exactly one of query"),
        ({"rules": (Rule(name="x", query="source=logs", above=1.0, absent=True),)}, "one condition"),
        ({"rules": (msgspec.structs.replace(ERRORS, summary="{}"),)}, "braces"),
        ({"rules": (msgspec.structs.replace(ERRORS, summary="{"),)}, "summary"),
        ({"rules": (msgspec.structs.replace(ERRORS, window="0s"),)}, "at least 1s"),
        ({"rules": (msgspec.structs.replace(ERRORS, every="soon"),)}, "time span"),
        ({"routes": (PROMPT,)}, "not configured"),
        ({"silences": (Silence(matchers=("odd",)),)}, "matcher"),
        ({"silences": (Silence(matchers=("a=b",), until="soon"),)}, "not a time"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(about: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(Settings(alerts=Alerts(**about)))


@pytest.mark.parametrize(
    "about", [{}, {"kind": "carrier-pigeon"}, {"kind": "webhook"}, {"kind": "webhook", "url_env": "NOT_THERE"}]
)
def test_receivers_that_cannot_be_built_are_named(about: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Receivers(Alerts(receivers={"mine": about}))


@given(st.text(max_size=60))
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    try:
        found = matcher(text)
    except UserError:
        return
    assert matcher(str(found)) == found
    found.holds({found.name: "x" * 100})


_NAMES = st.sampled_from(["a", "b", "c"])
_STEPS = st.lists(st.tuples(st.integers(0, 400), st.dictionaries(_NAMES, st.booleans(), max_size=3)), max_size=25)


@settings(deadline=None)
@given(_STEPS, st.sampled_from([Pace(), Pace(0, 1, 60), Pace(30, 300, 600, resolved=False)]))
def test_receivers_know_what_fires_and_each_change_is_told_once(
    steps: list[tuple[int, dict[str, bool]]], pace: Pace
) -> None:
    """After time enough a receiver believes exactly what is so, and in between was told no state twice in a row."""
    group, now = Group(START), START
    believed: dict[str, Status] = {}
    starts: dict[str, int] = {}
    state: dict[str, bool] = {}
    for wait, states in [*steps, (400, {}), (400, {})]:
        now += wait * SECOND
        for name, fires in states.items():
            if fires and not state.get(name):
                starts[name] = now
            state[name] = fires
        alerts = {
            name: msgspec.structs.replace(
                alert(status=Status.FIRING if fires else Status.RESOLVED), starts_ns=starts.get(name, 0)
            )
            for name, fires in state.items()
        }
        if (found := flush(group, alerts, pace, now)) is not None:
            repeat = now - group.last_ns >= pace.repeat_s * SECOND
            news = {n: a.status for n, a in found.alerts.items() if believed.get(n) is not a.status}
            again = any(group.firing.get(n) not in (None, starts.get(n)) for n in found.alerts)
            assert news or repeat or again or not pace.resolved
            assert all(a.status is Status.FIRING or n in group.firing for n, a in found.alerts.items())
            believed |= {n: a.status for n, a in found.alerts.items()}
            group = found.group
    firing = {name for name, fires in state.items() if fires}
    assert firing <= {name for name, status in believed.items() if status is Status.FIRING}
    if pace.resolved:
        assert {name for name, status in believed.items() if status is Status.FIRING} == firing


def test_threads_may_queue_at_once(tmp_path: Path) -> None:
    book = Alertbook(tmp_path)

    def add(number: int) -> None:
        for n in range(20):
            with book.writing():
                book.queue(Delivery(f"{number}-{n}", "hook", {}, (alert(),), n), f"{number}-{n}")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.due(10**9)) == 80
    book.close()
