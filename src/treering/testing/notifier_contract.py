"""What every notifier must do, whatever its protocol: subclass `NotifierContract` in a test and fill in the hooks.

A peer on loopback takes deliveries, is busy, refuses, is slow, answers twice, hangs up, drips. After each the notifier
must have returned or raised what tells the queue the truth, in time, without its secrets in the error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from treering.core.errors import Permanent, Retryable, TreeringError
from treering.model.delivery import Alert, Delivery, Status
from treering.model.finding import Severity
from treering.testing.peers import Peer, http_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.stage.notifier import Notifier

SECRET = "s3cr3t-of-the-receiver"  # noqa: S105  it is none
TIMEOUT_S = 2.0
HOSTILE = (
    "<script>alert(1)</script> <!channel> \r\nBcc: eve@evil.example\r\n\r\n\x1b[31m \u202e *b* [x](http://evil.example)"
)
START = 1_795_456_800_000_000_000


def alert(number: int = 0, status: Status = Status.FIRING, summary: str = "too many errors") -> Alert:
    """An alert of a rule on errors."""
    return Alert(
        rule="errors",
        status=status,
        severity=Severity.HIGH,
        summary=summary,
        starts_ns=START,
        ends_ns=START + 60 * 10**9 if status is Status.RESOLVED else 0,
        labels={"alertname": "errors", "service": f"rag-{number}"},
        facts={"value": 12.5},
        link="/explore?q=source%3Dlogs",
    )


def delivery(*alerts: Alert, name: str = "d-1") -> Delivery:
    """A delivery of alerts, one unless given."""
    return Delivery(name, "somebody", {"alertname": "errors"}, alerts or (alert(),), START)


class NotifierContract:
    """The suite."""

    retry_after_s: float = 0.0
    refusal: type[TreeringError] = Permanent

    def peer(self) -> Peer:
        """Return what deliveries are sent to; HTTP unless overridden."""
        return http_peer()

    def build(self, peer: Peer, secret: str, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        """Return a notifier that sends to `peer` with a timeout of `TIMEOUT_S`, `secret` being part of its settings."""
        raise NotImplementedError

    def carries(self, peer: Peer) -> list[str]:
        """Return the delivery ids that the peer's requests carry, in order."""
        return [received.headers.get("idempotency-key", "") for received in peer.received]

    @pytest.fixture
    def opened(self) -> Iterator[Peer]:
        """A peer that listens."""
        with self.peer() as peer:
            yield peer

    @pytest.fixture
    def notifier(self, opened: Peer, monkeypatch: pytest.MonkeyPatch) -> Notifier:
        """A notifier that sends to it."""
        return self.build(opened, SECRET, monkeypatch)

    def test_what_is_taken_is_delivered_once_with_its_id(self, opened: Peer, notifier: Notifier) -> None:
        """Return only when it is taken; the id is the same at every attempt."""
        notifier.send(delivery())
        notifier.send(delivery())
        notifier.send(delivery(name="d-2"))
        assert self.carries(opened) == ["d-1", "d-1", "d-2"]

    def test_busy_is_tried_again(self, opened: Peer, notifier: Notifier) -> None:
        """`Retryable`, with what the receiver asks for."""
        opened.mode = "busy"
        with pytest.raises(Retryable) as raised:
            notifier.send(delivery())
        assert raised.value.retry_after_s >= self.retry_after_s
        assert SECRET not in str(raised.value)
        opened.mode = "ok"
        notifier.send(delivery())

    def test_refused_is_not(self, opened: Peer, notifier: Notifier) -> None:
        """`Permanent` (or what the protocol can tell)."""
        opened.mode = "refuse"
        with pytest.raises(self.refusal) as raised:
            notifier.send(delivery())
        assert SECRET not in str(raised.value)

    @pytest.mark.parametrize("mode", ["slow", "drip", "cut"])
    def test_without_an_answer_it_ends_in_time_and_is_tried_again(
        self, opened: Peer, notifier: Notifier, mode: str
    ) -> None:
        """Whether it was taken is unknown: at least once means again."""
        opened.mode = mode
        began = time.monotonic()
        with pytest.raises(Retryable) as raised:
            notifier.send(delivery())
        assert time.monotonic() - began < TIMEOUT_S * 4 + 4
        assert SECRET not in str(raised.value)

    def test_a_second_answer_changes_nothing(self, opened: Peer, notifier: Notifier) -> None:
        """It belongs to no request: the next one must not take it for its own."""
        opened.mode = "twice"
        notifier.send(delivery())
        opened.mode = "busy"
        with pytest.raises(Retryable):
            notifier.send(delivery(name="d-2"))

    def test_nobody_there_is_tried_again(self, opened: Peer, notifier: Notifier) -> None:
        """Its server may come back."""
        opened.__exit__()
        with pytest.raises(Retryable) as raised:
            notifier.send(delivery())
        assert SECRET not in str(raised.value)

    def test_texts_of_strangers_and_many_alerts_arrive(self, opened: Peer, notifier: Notifier) -> None:
        """Bounded, and escaped for the format (each notifier's own test looks at how)."""
        hostile = alert(summary=HOSTILE * 50)
        notifier.send(delivery(hostile, *(alert(n, Status.RESOLVED, HOSTILE) for n in range(200))))
        (received,) = opened.received
        assert len(received.body) < 1 << 20
