"""Alerts over HTTP and on the command line."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.test_incidents import call
from tests.incidents import finding
from tests.server import treering
from tests.serving import Server
from treering.app.alert_settings import Alerts, OfIncidents, Route, Rule, Silence
from treering.core.access import Token
from treering.testing.peers import Peer, http_peer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with http_peer() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Server]:
    roles = {"ana": "analyst", "vi": "viewer"}
    tokens = tuple(Token(name=n, sha256=hashlib.sha256(n.encode()).hexdigest(), role=r) for n, r in roles.items())
    alerts = Alerts(
        rules=(
            Rule(name="incident", incidents=OfIncidents()),
            Rule(name="odd", query="source=spans | stats count() by nothing", above=1.0),
        ),
        routes=(Route(receiver="hook", group_wait="0s", group_by=("incident",)),),
        receivers={"hook": {"kind": "webhook", "url": f"http://127.0.0.1:{peer.port}/secret-path"}},
        silences=(Silence(matchers=('kind="never"',), comment="for good"),),
    )
    with Server(tmp_path_factory.mktemp("alerts") / "data", tokens=tokens, alerts=alerts) as running:
        now = running.pipeline.clock.now_ns()
        running.pipeline.incidents.take([finding("attack", now)])
        running.pipeline.incidents.settle()
        running.pipeline.announce(running.url)
        running.pipeline.alerts.step()
        running.pipeline.alerts.delivering.drain()
        yield running


def get(server: Server, path: str) -> Any:
    status, answer = call(server, "GET", path)
    assert status == 200, answer
    return answer


def test_what_fires_and_who_was_told(server: Server, peer: Peer) -> None:
    answer = get(server, "/api/alerts")
    (fires,) = answer["alerts"]
    assert (fires["rule"], fires["status"], fires["silenced"]) == ("incident", "firing", False)
    assert fires["link"] == f"/incidents?incident={fires['incident']}"
    assert [rule["on"] for rule in answer["rules"]] == ["incidents", "query"]
    assert answer["receivers"] == [{"name": "hook", "kind": "webhook"}]
    assert "secret-path" not in json.dumps(answer)
    (sent,) = get(server, "/api/alerts/deliveries?state=delivered")["deliveries"]
    assert (sent["receiver"], sent["attempts"]) == ("hook", 1)
    assert [received.headers["idempotency-key"] for received in peer.received] == [sent["id"]]
    assert call(server, "GET", "/api/alerts/deliveries?state=odd")[0] == 400


def test_silences_have_an_author_and_an_end(server: Server) -> None:
    body = {"matchers": ["alertname=incident"], "until": "now+1h", "comment": "known"}
    assert call(server, "POST", "/api/alerts/silences", body, who="vi")[0] == 403
    status, made = call(server, "POST", "/api/alerts/silences", body)
    assert (status, made["author"], made["active"], made["matchers"]) == (200, "ana", True, ['alertname="incident"'])
    assert get(server, "/api/alerts")["alerts"][0]["silenced"]
    assert call(server, "POST", "/api/alerts/silences", {"matchers": [], "until": "now+1h"})[0] == 400
    assert call(server, "POST", "/api/alerts/silences", {**body, "until": "now-1h"})[0] == 400
    status, ended = call(server, "POST", f"/api/alerts/silences/{made['id']}/expire", {})
    assert (status, ended["active"]) == (200, False)
    assert call(server, "POST", "/api/alerts/silences/config-0/expire", {})[0] == 404


def test_a_receiver_can_be_tried(server: Server) -> None:
    assert call(server, "POST", "/api/alerts/test", {"receiver": "hook"}, who="vi")[0] == 403
    assert call(server, "POST", "/api/alerts/test", {"receiver": "hook"})[1]["delivered"]
    assert call(server, "POST", "/api/alerts/test", {"receiver": "nobody"})[0] == 400
    assert call(server, "GET", "/api/alerts/receivers/hook/silences")[0] == 400
    assert call(server, "GET", "/api/alerts/receivers/nobody/silences")[0] == 404


def test_the_command_line(server: Server) -> None:
    data = server.pipeline.settings.directory

    def run(*arguments: str) -> str:
        done = treering("alert", *arguments, "--data", data)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    assert "incident" in run("list")
    assert json.loads(run("list", "--format", "json"))["receivers"]
    assert "delivered" in run("deliveries", "--state", "delivered")
    assert json.loads(run("deliveries", "--format", "json", "-n", "1"))["deliveries"]
    made = run("silence", "alertname=other", "--until", "now+2h", "--comment", "why").split()
    assert "for good" in run("silence")
    assert "over" in run("silence", "--expire", next(word for word in made if len(word) == 26))
    assert "took delivery" in run("test", "hook")
    assert treering("alert", "test", "nobody", "--data", data).returncode == 2
