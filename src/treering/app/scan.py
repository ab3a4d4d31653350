"""Back-fill: the detectors over what is stored already, or over files in a store of their own.

Records are read in the order they were stored and laid out in time; a scan of stored records saves where it stands and
goes on when it is started again under the same name. Its findings are folded into the ledger without adding counts: it
may see what has been watched before.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from treering.app.asking import asker
from treering.app.checkpoints import Checkpoint, Checkpoints
from treering.app.detectors import Detectors, makers
from treering.app.watermark import Watermark
from treering.core.errors import UserError
from treering.model.batch import Batch
from treering.model.finding import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from treering.app.config import Detect
    from treering.app.ledger import Ledger
    from treering.core.clock import Clock
    from treering.model.finding import Finding
    from treering.stage.detector import Detector
    from treering.stage.store import Store

FILE = "scans.sqlite"
AT_ONCE = 50_000
_SAVE_S = 5.0


@dataclass(slots=True)
class Progress:
    """How far a scan is: records read, the numbers it has passed and will end at, seconds it ran, findings."""

    records: int = 0
    position: int = -1
    end: int = -1
    seconds: float = 0.0
    findings: int = 0
    running: bool = False
    trouble: str = ""

    def shown(self) -> dict[str, Any]:
        """Return everything as plain values, with share and rate."""
        share = 1.0 if self.end < 0 else min(1.0, (self.position + 1) / (self.end + 1))
        rate = self.records / self.seconds if self.seconds else 0.0
        return {**asdict(self), "share": round(share, 4), "records_per_second": round(rate)}


class Scan:
    """Runs detectors over the records of a store from its beginning to what is there now."""

    def __init__(
        self, make: Mapping[str, Callable[[], Detector]], store: Store, clock: Clock, since_ns: int | None = None
    ) -> None:
        """Watch the records of `store` from the instant `since_ns` on; `make` builds the detectors by name."""
        self.detectors = Detectors(make)
        self.progress = Progress(end=store.newest_seq())
        self.found: dict[str, Finding] = {}
        self.watermark = Watermark(30.0)
        self.since_ns = since_ns
        self._store = store
        self._clock = clock
        self._ask = asker(store, clock.now_ns)
        self._began_s = clock.monotonic()
        self._before_s = 0.0
        self._step_s = 0.0

    def step(self) -> bool:
        """Watch the next records; returns whether there were any."""
        at = self.progress
        position, batches = self._store.since(at.position, AT_ONCE, self.detectors.streams)
        if position == at.position or at.position >= at.end:
            self._keep(self.detectors.finish(self.watermark.finish(), self._ask))
            return False
        kept = [part for batch in batches if (part := self._recent(batch)) is not None]
        # There is no waiting for late records here: each step is a second to the watermark's patience.
        self._step_s += 1.0
        self._keep(self.detectors.take(kept, self.watermark, self._clock.now_ns(), self._step_s, self._ask))
        at.position = position
        at.records += sum(batch.rows for batch in kept)
        at.seconds = self._before_s + self._clock.monotonic() - self._began_s
        return True

    def _recent(self, batch: Batch) -> Batch | None:
        if self.since_ns is None:
            return batch
        from treering.model.rows import Rows

        times = Rows(batch).times
        if int(times.min()) >= self.since_ns:
            return batch
        if int(times.max()) < self.since_ns:
            return None
        import numpy as np
        from arro3.core import Array

        return Batch(batch.stream, batch.data.take(Array.from_numpy(np.flatnonzero(times >= self.since_ns))))

    def _keep(self, found: Sequence[Finding]) -> None:
        for finding in found:
            name = finding.fingerprint
            self.found[name] = merged(self.found[name], finding) if name in self.found else finding
        self.progress.findings = len(self.found)

    def state(self) -> Checkpoint:
        """Return where the scan stands."""
        about = {
            "watermark": dict(self.watermark.save()),
            "records": self.progress.records,
            "seconds": self.progress.seconds,
            "since_ns": self.since_ns,
        }
        return Checkpoint(self.progress.position, 0, self.detectors.save(), about, tuple(self.found.values()))

    def resume(self, saved: Checkpoint) -> None:
        """Go on from `state`."""
        self.progress.position = saved.position
        self.progress.records = int(saved.about["records"])
        self._before_s = float(saved.about["seconds"])
        self.since_ns = saved.about["since_ns"]
        self.detectors.restore(saved.states)
        self.watermark.restore(saved.about["watermark"], 0.0)
        self._keep(saved.findings)


class Scans:
    """Scans of the stored records of one data directory, one at a time."""

    def __init__(self, settings: Detect, store: Store, ledger: Ledger, clock: Clock, directory: Path | None) -> None:
        """Scan `store`, write findings to `ledger`, keep positions in `directory`."""
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._path = None if directory is None else directory / FILE
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._scan: Scan | None = None

    def begin(self, since: str) -> dict[str, Any]:
        """Start (or go on with) the scan of the last `since`, as `30d`, in a thread; returns its progress.

        Raises `UserError` for a time span that is none, and when another scan runs.
        """
        from treering.app.config import seconds

        since_ns = self._clock.now_ns() - seconds(since) * 10**9
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise UserError("a scan runs already", hint="GET /api/scan tells how far it is")
            scan = self._scan = Scan(makers(self._settings), self._store, self._clock, since_ns)
            scan.progress.running = True
            self._stopping.clear()
            self._thread = threading.Thread(target=self._guarded, args=(scan, since), name="treering-scan", daemon=True)
            self._thread.start()
        return scan.progress.shown()

    def progress(self) -> dict[str, Any] | None:
        """Return the progress of the scan that runs or ran last, None when there was none."""
        return None if self._scan is None else self._scan.progress.shown()

    def run(self, since: str, told: Callable[[dict[str, Any]], None]) -> Sequence[Finding]:
        """Scan in this thread, telling the progress after each step.

        An interrupt ends the scan after the step that it comes in, when its place is saved: raises `KeyboardInterrupt`.
        """
        from treering.app.config import seconds

        since_ns = self._clock.now_ns() - seconds(since) * 10**9
        scan = self._scan = Scan(makers(self._settings), self._store, self._clock, since_ns)
        with _noted(self._stopping):
            self._run(scan, since, told)
        if self._stopping.is_set():
            raise KeyboardInterrupt
        return list(scan.found.values())

    def stop(self) -> None:
        """Save where the running scan stands and end it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _guarded(self, scan: Scan, since: str) -> None:
        try:
            self._run(scan, since, lambda _: None)
        except Exception as error:  # noqa: BLE001  whoever asks for the progress is told
            scan.progress.trouble = f"{type(error).__name__}: {error}"[:300]
        finally:
            scan.progress.running = False

    def _run(self, scan: Scan, since: str, told: Callable[[dict[str, Any]], None]) -> None:
        checkpoints = Checkpoints(self._path)
        try:
            saved = checkpoints.load(since)
            if saved is not None and saved.position <= self._store.newest_seq():
                scan.resume(saved)
            saved_s = self._clock.monotonic()
            while not self._stopping.is_set() and scan.step():
                told(scan.progress.shown())
                if self._clock.monotonic() - saved_s > _SAVE_S:
                    checkpoints.save(since, scan.state())
                    saved_s = self._clock.monotonic()
            if self._stopping.is_set():
                checkpoints.save(since, scan.state())
                return
            self._ledger.write(scan.found.values(), self._clock.now_ns(), replay=True)
            checkpoints.forget(since)
        finally:
            checkpoints.close()


@contextlib.contextmanager
def _noted(stopping: threading.Event) -> Iterator[None]:
    """Have the first interrupt of the process set `stopping`: raised inside a step, it would leave half of it done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: object) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
