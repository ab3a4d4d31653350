"""Every notifier through the contract suite, and what is particular to each."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import ssl
import subprocess
import time
from email import message_from_bytes, policy
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.alert import alertmanager, apprise, email, slack, webhook
from treering.alert._http import Endpoint, retry_after
from treering.alert._secrets import secret
from treering.alert._wording import link, plain
from treering.core import registry
from treering.core.errors import Permanent, Retryable, UserError
from treering.model.delivery import Status
from treering.testing.notifier_contract import (
    HOSTILE,
    SECRET,
    TIMEOUT_S,
    NotifierContract,
    alert,
    delivery,
)
from treering.testing.peers import RETRY_AFTER_S, Peer, http_peer, smtp_peer

if TYPE_CHECKING:
    from pathlib import Path

    from treering.stage.notifier import Notifier

PAGE = "http://127.0.0.1:7600"


class TestWebhook(NotifierContract):
    retry_after_s = RETRY_AFTER_S

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{peer.port}/{secret}")
        monkeypatch.setenv("HOOK_KEY", secret)
        config = webhook.Config(url_env="HOOK_URL", secret_env="HOOK_KEY", timeout_s=TIMEOUT_S, page=PAGE)
        return webhook.build(config)

    def test_the_body_is_alertmanagers_and_signed(self, opened: Peer, notifier: Notifier) -> None:
        notifier.send(delivery(alert(1), alert(2, Status.RESOLVED)))
        (received,) = opened.received
        body = json.loads(received.body)
        assert (body["version"], body["status"], body["groupKey"]) == ("4", "firing", '{}:{alertname="errors"}')
        assert body["commonLabels"] == {"alertname": "errors"}
        firing, resolved = body["alerts"]
        assert firing["endsAt"] == "0001-01-01T00:00:00Z"
        assert resolved["endsAt"] == "2026-11-23T18:01:00Z"
        assert firing["generatorURL"] == f"{PAGE}/explore?q=source%3Dlogs"
        assert firing["fingerprint"] != resolved["fingerprint"]
        found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", received.headers["x-treering-signature"])
        assert found
        signed = f"{found[1]}.".encode() + received.body
        assert hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() == found[2]
        assert abs(int(found[1]) - time.time()) < 60

    def test_redirects_are_not_followed(self, opened: Peer, notifier: Notifier) -> None:
        opened.mode = "redirect"
        with pytest.raises(Permanent, match="redirects are not followed"):
            notifier.send(delivery())


class TestSlack(NotifierContract):
    retry_after_s = RETRY_AFTER_S

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        monkeypatch.setenv("SLACK_URL", f"http://127.0.0.1:{peer.port}/services/{secret}")
        return slack.build(slack.Config(url_env="SLACK_URL", timeout_s=TIMEOUT_S, page=PAGE))

    def test_blocks_are_bounded_and_nothing_in_them_is_live(self, opened: Peer, notifier: Notifier) -> None:
        notifier.send(delivery(*(alert(n, summary=HOSTILE) for n in range(60))))
        message = json.loads(opened.received[0].body)
        assert len(message["blocks"]) <= 50
        for block in message["blocks"]:
            text = block["text"]["text"] if "text" in block else ""
            assert len(text) <= 3000
            if block["type"] == "section":
                live = re.findall(r"<[^>]*>", text)
                assert live == [f"<{PAGE}/explore?q=source%3Dlogs|records behind it>"]
                assert "http://evil" not in text
        assert "and 40 more" in json.dumps(message)


class TestEmail(NotifierContract):
    def peer(self) -> Peer:
        return smtp_peer()

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        return email.build(_mail(peer, tls="none"))

    def carries(self, peer: Peer) -> list[str]:
        return [received.headers["message-id"].strip("<>").removesuffix("@treering") for received in peer.received]

    def test_nothing_becomes_a_header_and_the_body_is_plain(self, opened: Peer, notifier: Notifier) -> None:
        notifier.send(delivery(alert(summary=HOSTILE)))
        mail = message_from_bytes(opened.received[0].body, policy=policy.default)
        assert mail["bcc"] is None
        assert mail.get_content_type() == "text/plain"
        text = mail.get_content()
        assert f"{PAGE}/explore?q=source%3Dlogs" in text
        assert "\x1b" not in text
        assert "\u202e" not in text

    def test_starttls_and_login(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate, key = _certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        monkeypatch.setenv("MAIL_PASSWORD", SECRET)
        with smtp_peer(tls=context) as peer:
            named = {"host": "localhost", "username": "ana", "password_env": "MAIL_PASSWORD"}
            email.build(_mail(peer, ca_file=str(certificate), **named)).send(delivery())
            assert self.carries(peer) == ["d-1"]
            with pytest.raises(Retryable):
                email.build(_mail(peer, **named)).send(delivery())  # a certificate that nobody knows
        with smtp_peer() as peer, pytest.raises(Permanent, match="does not offer"):
            email.build(_mail(peer, **named)).send(delivery())
        assert len(peer.received) == 0

    def test_a_password_needs_tls_and_addresses_are_addresses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAIL_PASSWORD", SECRET)
        with smtp_peer() as peer:
            with pytest.raises(UserError, match="without TLS"):
                email.build(_mail(peer, tls="none", username="ana", password_env="MAIL_PASSWORD"))
            with pytest.raises(UserError, match="not an e-mail address"):
                email.build(_mail(peer, sender="a@b\r\nBcc: c@d"))


def _mail(peer: Peer, **about: str) -> email.Config:
    fields = {"host": "127.0.0.1", "sender": "treering@example.org", "tls": "starttls", "page": PAGE, **about}
    return email.Config(to=("ops@example.org",), port=peer.port, timeout_s=TIMEOUT_S, **fields)  # type: ignore[arg-type]


def _certificate(folder: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no openssl: CI must have it")
        pytest.skip("needs openssl to make a certificate")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    return certificate, key


class TestAlertmanager(NotifierContract):
    retry_after_s = RETRY_AFTER_S

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        monkeypatch.setenv("AM_TOKEN", secret)
        url = f"http://127.0.0.1:{peer.port}/prefix/"
        return alertmanager.build(alertmanager.Config(url=url, token_env="AM_TOKEN", timeout_s=TIMEOUT_S, page=PAGE))

    def test_firing_ends_later_and_resolved_has_ended(self, opened: Peer, notifier: Notifier) -> None:
        notifier.send(delivery(alert(1), alert(2, Status.RESOLVED)))
        (received,) = opened.received
        assert received.path == "/prefix/api/v2/alerts"
        assert received.headers["authorization"] == f"Bearer {SECRET}"
        firing, resolved = json.loads(received.body)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        assert resolved["endsAt"] <= now < firing["endsAt"]

    def test_an_answer_that_is_none_is_said(self, opened: Peer, notifier: Notifier) -> None:
        with pytest.raises(Permanent, match="does not answer as Alertmanager"):
            notifier.silences()  # type: ignore[attr-defined]


class TestApprise(NotifierContract):
    refusal = Retryable  # Apprise does not tell why

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        if find_spec("apprise") is None:
            pytest.skip("needs the extra treering[apprise]")
        monkeypatch.setenv("APPRISE_URL", f"json://user:{secret}@127.0.0.1:{peer.port}/")
        return apprise.build(apprise.Config(url_env="APPRISE_URL", timeout_s=TIMEOUT_S, page=PAGE))

    def carries(self, peer: Peer) -> list[str]:
        return [found[1] for r in peer.received if (found := re.search(r"delivery (d-\d)", r.body.decode()))]


def test_every_notifier_is_in_the_contract_suite() -> None:
    assert registry.names("treering.alert") == ["alertmanager", "apprise", "email", "slack", "webhook"]
    for name in registry.names("treering.alert"):
        module = registry.load("treering.alert", name)
        assert name == module.NAME
        assert f"Test{name.capitalize()}" in globals()


def test_secrets_come_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("of the file\nsecond line", encoding="utf-8")
    monkeypatch.setenv("HERE", "of the environment")
    assert secret("key", file=str(file)) == "of the file"
    assert secret("key", env="HERE") == "of the environment"
    assert secret("key", needed=False) == ""
    for wrong in ({"plain": "a", "env": "HERE"}, {}, {"env": "NOT_THERE"}, {"file": str(tmp_path / "none")}):
        with pytest.raises(UserError):
            secret("key", **wrong)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://x/", "http://", "//host/path"])
def test_only_http_is_a_receiver(url: str) -> None:
    with pytest.raises(UserError):
        Endpoint(url, 1.0)


@given(st.one_of(st.text(), st.from_regex(r"\d{1,12}"), st.datetimes().map(str)))
def test_any_retry_after_is_a_wait(text: str) -> None:
    assert retry_after(text) >= 0


def test_links_lead_to_our_page_only() -> None:
    import msgspec

    for path in ("http://evil.example", "//evil.example", "javascript:alert(1)", "", "x"):
        assert link(msgspec.structs.replace(alert(), link=path), PAGE) == ""
    assert link(alert(), "") == ""


@given(st.text(max_size=2000))
def test_plain_is_one_bounded_line(text: str) -> None:
    found = plain(text)
    assert len(found) <= 300
    assert not set(found) & set("\r\n\x1b\x00\u202e\u2028")


def test_a_big_answer_is_not_read_whole() -> None:
    with http_peer(answer=b"x" * (5 << 20)) as peer:
        assert len(Endpoint(f"http://127.0.0.1:{peer.port}", 5.0).post(b"{}", {})) == 1 << 20
