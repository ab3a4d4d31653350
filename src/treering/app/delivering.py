"""The queue of deliveries to their receivers: at least once, in order within a group, never held up by another one.

A delivery keeps its id over all attempts. What is retried waits longer each time (exponential backoff with full
jitter, Brooker, "Exponential Backoff And Jitter", 2015), at least as long as `Retry-After` says. Each receiver has a
thread of its own, so a slow one slows nobody else.
"""

from __future__ import annotations

import logging
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from treering.app.config import seconds
from treering.core import registry
from treering.core.config import decode
from treering.core.errors import Permanent, Retryable, TreeringError, UserError
from treering.core.ids import time_id
from treering.model.delivery import Alert, Delivery, Status
from treering.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from treering.app.alert_settings import Alerts
    from treering.app.alertbook import Alertbook, Queued
    from treering.core.clock import Clock
    from treering.core.telemetry import Telemetry
    from treering.stage.notifier import Notifier

GROUP = "treering.alert"
FIRST_S, LONGEST_S = 2.0, 900.0
_MOST_WAIT_S = 3600.0
_LONGEST_ERROR = 500
_log = logging.getLogger(__name__)


class Receivers:
    """The configured notifiers by name."""

    def __init__(self, settings: Alerts) -> None:
        """Build them. Raises `UserError` naming the receiver whose settings or secrets are wrong."""
        self.kinds: dict[str, str] = {}
        self.notifiers: dict[str, Notifier] = {}
        for name, about in settings.receivers.items():
            self._add(name, dict(about), settings.page)

    def _add(self, name: str, about: dict[str, Any], page: str) -> None:
        kind = about.pop("kind", None)
        if not isinstance(kind, str):
            raise UserError(f"receiver {name!r} has no kind", hint=f"one of {', '.join(registry.names(GROUP))}")
        module = registry.load(GROUP, kind)
        config = decode({"page": page, **about}, module.Config, f"receiver {name!r}")
        try:
            self.notifiers[name] = module.build(config)
        except UserError as error:
            raise UserError(f"receiver {name!r}: {error.message}", hint=error.hint) from error
        self.kinds[name] = kind


class Delivering:
    """Sends what is queued."""

    def __init__(
        self, settings: Alerts, book: Alertbook, receivers: Receivers, clock: Clock, telemetry: Telemetry
    ) -> None:
        """Send through `receivers`; nothing happens before `pump`."""
        self.book = book
        self.receivers = receivers
        self._give_up_ns = seconds(settings.give_up) * 10**9
        self._clock = clock
        self._telemetry = telemetry
        self._random = random.Random()  # noqa: S311  jitter needs no secrets
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._busy: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def pump(self) -> None:
        """Hand every delivery that is due to its receiver's thread, unless it is there already."""
        with self._lock:
            self._busy = {name: work for name, work in self._busy.items() if not work.done()}
            for queued in self.book.due(self._clock.now_ns()):
                if queued.delivery.id not in self._busy:
                    pool = self._pool(queued.delivery.receiver)
                    self._busy[queued.delivery.id] = pool.submit(self._try, queued)

    def drain(self) -> None:
        """Return when every attempt that was begun has ended."""
        with self._lock:
            begun = list(self._busy.values())
        for work in begun:
            work.result()

    def stop(self) -> None:
        """Begin no more attempts and wait for those in flight, each of which ends in its own time."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self, receiver: str) -> ThreadPoolExecutor:
        if receiver not in self._pools:
            self._pools[receiver] = ThreadPoolExecutor(1, thread_name_prefix=f"alert-{receiver}")
        return self._pools[receiver]

    def _try(self, queued: Queued) -> None:
        try:
            self._attempt(queued)
        except Exception:  # noqa: BLE001  the delivery stays in the queue
            _log.warning("a delivery could not be noted", exc_info=True)

    def _attempt(self, queued: Queued) -> None:
        delivery = queued.delivery
        problem = self._send(delivery)
        now = self._clock.now_ns()
        tried = msgspec.structs.replace(
            delivery,
            attempts=delivery.attempts + 1,
            delivered_ns=0 if problem else now,
            error="" if problem is None else problem.message[:_LONGEST_ERROR],
        )
        if problem is None:
            self._note(tried, "delivered", now)
        elif isinstance(problem, Retryable) and now - delivery.created_ns < self._give_up_ns:
            self._note(tried, "waiting", now + int(self._wait_s(tried.attempts, problem) * 1e9))
        else:
            self._note(tried, "failed", now)

    def _send(self, delivery: Delivery) -> TreeringError | None:
        notifier = self.receivers.notifiers.get(delivery.receiver)
        if notifier is None:
            return Permanent("this receiver is no longer configured")
        try:
            notifier.send(delivery)
        except (Retryable, Permanent) as error:
            return error
        except Exception as error:  # noqa: BLE001  one notifier's bug must not end the queue; its text may hold secrets
            return Retryable(f"the notifier failed: {type(error).__name__}")
        return None

    def _wait_s(self, attempts: int, problem: Retryable) -> float:
        longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 20))
        asked = min(problem.retry_after_s, _MOST_WAIT_S)
        return asked + self._random.uniform(0.25, 1.0) * longest

    def _note(self, delivery: Delivery, state: str, next_ns: int) -> None:
        self.book.tried(delivery, state, next_ns)
        self._telemetry.add("treering_alert_attempts_total", receiver=delivery.receiver, state=state)

    def test(self, receiver: str, author: str) -> Delivery:
        """Send a test alert to `receiver` now, past the queue, and return it with its error if there was one.

        Raises `UserError` when there is no such receiver.
        """
        if receiver not in self.receivers.notifiers:
            known = ", ".join(self.receivers.notifiers) or "none is configured"
            raise UserError(f"no receiver {receiver[:60]!r}", hint=f"known: {known}")
        now = self._clock.now_ns()
        alert = Alert(
            rule="test",
            status=Status.FIRING,
            severity=Severity.INFORMATIONAL,
            summary=f"a test of the receiver {receiver} by {author}",
            starts_ns=now,
            labels={"alertname": "test", "severity": "informational", "receiver": receiver},
            link="/alerts",
        )
        delivery = Delivery(time_id(now), receiver, {"alertname": "test"}, (alert,), now, attempts=1)
        problem = self._send(delivery)
        done = 0 if problem else self._clock.now_ns()
        return msgspec.structs.replace(delivery, delivered_ns=done, error="" if problem is None else problem.message)


def shown(receivers: Mapping[str, str]) -> list[dict[str, str]]:
    """Return receivers as the API lists them: names and kinds, nothing of their settings."""
    return [{"name": name, "kind": kind} for name, kind in receivers.items()]
