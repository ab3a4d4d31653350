"""The desk of alerts: rules, groups, queue and receivers of one data directory, and the thread that drives them."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from treering import query
from treering.app.alertbook import Alertbook
from treering.app.alerting import Alerting
from treering.app.asking import asker
from treering.app.delivering import Delivering, Receivers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from treering.app.alert_settings import Alerts
    from treering.core.clock import Clock
    from treering.core.telemetry import Telemetry
    from treering.stage.store import Store

_PAUSE_S = 1.0
_log = logging.getLogger(__name__)


class AlertDesk:
    """Alerts of one data directory. Safe to use from any thread."""

    def __init__(
        self,
        settings: Alerts,
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        directory: Path | None = None,
        records_now_ns: Callable[[], int] | None = None,
    ) -> None:
        """Open the book in `directory`. Raises `UserError` for rules and routes that contradict themselves."""
        self.settings = settings
        self.book = Alertbook(directory)
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self.alerting = Alerting(settings, self.book, clock, self._answers, records_now_ns or clock.now_ns)
        self._put = asker(store, clock.now_ns)
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    @cached_property
    def delivering(self) -> Delivering:
        """The queue with its receivers, built when they are first needed: their secrets may not be at hand."""
        return Delivering(self.settings, self.book, Receivers(self.settings), self._clock, self._telemetry)

    def start(self) -> None:
        """Go on, in a thread. Raises `UserError` when a receiver's settings or secrets are wrong."""
        assert self.delivering  # receivers that cannot be built are the user's to know now
        self._thread = threading.Thread(target=self._run, name="treering-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End attempts in flight and close the book. May be called twice, and without `start`."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if "delivering" in self.__dict__:
            self.delivering.stop()
        self.book.close()

    def _run(self) -> None:
        while not self._ends.wait(_PAUSE_S):
            try:
                self.step()
            except Exception:  # noqa: BLE001  what could not be done now is done at the next step
                _log.warning("alerts could not be brought up to date", exc_info=True)

    def step(self) -> None:
        """Ask, group, and hand what is due to the receivers."""
        self.alerting.tick()
        self.delivering.pump()

    def _answers(self, text: str, start_ns: int, end_ns: int) -> Sequence[dict[str, Any]]:
        """Return the rows of a rule's query; nothing while none of its streams has a record."""
        streams = query.sources(query.parse(text, "logs"))
        if not any(self._store.streams(name) for name in streams if not name.startswith("-")):
            return []
        return self._put(text, start_ns, end_ns)
