"""The detect stage: a thread that follows the store, gives new records to the detectors and writes what they find.

It never holds up ingest; it may fall behind, which `treering_detection_lag_records` shows. Position, detector states
and findings on their way are saved together (`checkpoints`), then the findings are written to the ledger; after a crash
between the two the same step is written again, which the ledger recognises. So for the same input every finding is
counted once, whatever is killed when.

Each batch has its price, however small, so records are gathered for as long as more keep coming: at most `AGE_S`
seconds and about `ENOUGH` records.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from treering.app.asking import asker
from treering.app.checkpoints import NAME as FILE
from treering.app.checkpoints import Checkpoint, Checkpoints
from treering.app.detectors import GROUP, Detectors, makers, unavailable
from treering.app.drill.drills import PREFIX
from treering.app.watermark import Watermark
from treering.core import registry
from treering.core.errors import Retryable

if TYPE_CHECKING:
    from pathlib import Path

    from treering.app.config import Detect
    from treering.app.drill.drills import Drills
    from treering.app.ledger import Ledger
    from treering.core.clock import Clock
    from treering.core.telemetry import Telemetry
    from treering.model.batch import Batch
    from treering.model.finding import Finding
    from treering.stage.store import Store

RUN = "live"
PAUSE_S = 0.1
AGE_S = 1.0
ENOUGH = 10_000
AT_ONCE = 20_000
_SAVE_S = 1.0
_SAVE_AT_LEAST_S = 15.0
_SAVE_SHARE = 20
_MOST_WAITING = 5_000

_log = logging.getLogger(__name__)


class Detection:
    """Follows `store` from where it stopped last time."""

    def __init__(
        self,
        settings: Detect,
        store: Store,
        ledger: Ledger,
        clock: Clock,
        telemetry: Telemetry,
        directory: Path | None,
        drills: Drills | None = None,
    ) -> None:
        """Build the detectors; nothing runs before `start`. Raises `UserError` for wrong settings."""
        self._drills = drills
        self.detectors = Detectors(makers(settings), telemetry)
        self.ledger = ledger
        self.position = -1
        self.watermark = Watermark(settings.lateness_s)
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._checkpoints = Checkpoints(None if directory is None else directory / FILE)
        self._ask = asker(store, clock.now_ns)
        self._unavailable = {name: why for name in registry.names(GROUP) if (why := unavailable(name))}
        self._found: list[Finding] = []
        self._leaving: tuple[Finding, ...] = ()
        self._step = 0
        self._saved = (-1, 0)
        self._saved_s = 0.0
        self._save_took_s = 0.0
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self.trouble = ""

    def start(self) -> None:
        """Go on from the last checkpoint, in a thread."""
        self._resume()
        self._thread = threading.Thread(target=self._run, name="treering-detect", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Save and end. May be called twice, and without `start`."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._checkpoints.close()

    @property
    def lag(self) -> int:
        """How many records are appended and not yet watched."""
        return max(0, self._store.newest_seq() - self.position)

    def settled(self) -> bool:
        """Whether everything appended so far has been watched and all that was found is written."""
        return self.lag == 0 and not self._found and not self._leaving

    def status(self) -> dict[str, Any]:
        """Return how detection is doing, for `treering doctor` and the page."""
        return {
            "detectors": [item.name for item in self.detectors.watched],
            "unavailable": self._unavailable,
            "position": self.position,
            "lag_records": self.lag,
            "watermark_ns": self.watermark.value_ns,
            "failures": {name: {"count": f.count, "last": f.last} for name, f in self.detectors.failures.items()},
            "trouble": self.trouble,
        }

    def _resume(self) -> None:
        saved = self._checkpoints.load(RUN)
        # A position beyond the newest record belongs to a store that was emptied since.
        if saved is None or saved.position > self._store.newest_seq():
            return
        self.position, self._step = saved.position, saved.step
        self._saved = saved.position, saved.about["watermark"]["value_ns"]
        self.detectors.restore(saved.states)
        self.watermark.restore(saved.about["watermark"], self._clock.monotonic())
        self._leaving = saved.findings
        self._deliver()

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                self.advance()
                self.trouble = ""
            except Retryable as error:
                self.trouble = error.message
                self._ends.wait(error.retry_after_s)
            except Exception as error:  # noqa: BLE001  detection goes on after what the store could not do now
                self.trouble = f"{type(error).__name__}: {error}"[:300]
                _log.exception("detection could not go on")
                self._ends.wait(5.0)
            else:
                self._gather()
        try:
            self._save()
        except Exception:  # noqa: BLE001  what was not saved is watched again at the next start
            _log.warning("detection could not save its state", exc_info=True)

    def _gather(self) -> None:
        """Wait until what has come is much, or old, or followed by nothing; or until it is time to save."""
        until_s, newest = self._clock.monotonic() + AGE_S, self._store.newest_seq()
        while newest - self.position < ENOUGH and not self._ends.wait(PAUSE_S):
            before, newest, clock_s = newest, self._store.newest_seq(), self._clock.monotonic()
            if clock_s >= until_s or self.position < newest == before or self._is_time(clock_s):
                return

    def advance(self) -> bool:
        """Watch the next records, save and write when it is time; returns whether there were any records."""
        clock_s = self._clock.monotonic()
        if len(self._found) >= _MOST_WAITING:
            self._save()
        position, batches = self._next()
        moved = position > self.position
        self._found += self.detectors.take(batches, self.watermark, self._clock.now_ns(), clock_s, self._ask)
        if not batches:
            self._found += self.detectors.tick(self.watermark.move(clock_s), self._ask)
        self.position = position
        self._tell()
        if self._is_time(clock_s):
            self._save()
        return moved

    def _next(self) -> tuple[int, list[Batch]]:
        """Return up to where to watch and the records; those of drills have gone to their lanes."""
        drills = self._drills
        streams = self.detectors.streams + (drills.streams if drills else ())
        position, batches = self._store.since(self.position, AT_ONCE, streams)
        if drills is None or not drills.streams:
            return position, batches
        drills.watch([batch for batch in batches if batch.stream.startswith(PREFIX)], self.detectors.save)
        drills.tick()
        return position, [batch for batch in batches if not batch.stream.startswith(PREFIX)]

    def _tell(self) -> None:
        self._telemetry.set("treering_detection_lag_records", self.lag)
        self._telemetry.set("treering_detection_watermark_seconds", self.watermark.value_ns / 1e9)

    def _is_time(self, clock_s: float) -> bool:
        """Whether to save: soon when something was found, else seldom, never for more than a small share of time."""
        if (self.position, self.watermark.value_ns) == self._saved and not self._found and not self._leaving:
            return False
        wait = _SAVE_S if self._found else _SAVE_AT_LEAST_S
        return clock_s - self._saved_s >= max(wait, _SAVE_SHARE * self._save_took_s)

    def _save(self) -> None:
        began = self._clock.monotonic()
        self._deliver()
        if self._found:
            self._step = max(self._step + 1, self._clock.now_ns())
        about = {"watermark": dict(self.watermark.save())}
        found = tuple(self._found)
        self._checkpoints.save(RUN, Checkpoint(self.position, self._step, self.detectors.save(), about, found))
        self._found = []
        self._leaving = found
        self._deliver()
        self._saved = self.position, self.watermark.value_ns
        self._saved_s = self._clock.monotonic()
        self._save_took_s = self._saved_s - began

    def _deliver(self) -> None:
        """Write the findings of the last checkpoint, again and again until the ledger has them."""
        if self._leaving:
            self.ledger.write(self._leaving, self._step)
            self._checkpoints.delivered(RUN)
            self._leaving = ()
