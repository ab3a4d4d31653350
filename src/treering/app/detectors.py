"""All detectors together: records laid out in time, each detector given what it wants, one that fails kept apart."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array

from treering.core import registry
from treering.core.config import decode
from treering.core.errors import UserError
from treering.model.batch import Batch
from treering.model.finding import FINDINGS
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from treering.app.config import Detect
    from treering.app.watermark import Watermark
    from treering.core.telemetry import Telemetry
    from treering.model.finding import Finding
    from treering.stage.detector import Ask, Detector

GROUP = "treering.detect"
NOT_WATCHED = frozenset({FINDINGS, "incidents"})
SLICE_NS = 900 * 10**9
"""A batch that spans more of the records' time is given to detectors in pieces, with ticks between them."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Failure:
    """How often a detector failed, and how it did last."""

    count: int = 0
    last: str = ""


@dataclass(slots=True)
class Watched:
    """A detector at work."""

    name: str
    detector: Detector
    make: Callable[[], Detector]
    ticked_ns: int | None = None
    failure: Failure = field(default_factory=Failure)


class Detectors:
    """Runs detectors over batches. Not safe to use from two threads at once."""

    def __init__(self, make: Mapping[str, Callable[[], Detector]], telemetry: Telemetry | None = None) -> None:
        """Build the detectors by calling the functions in `make`, which are named as the detectors are."""
        self.watched = [Watched(name, build(), build) for name, build in make.items()]
        self._telemetry = telemetry

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that some detector wants."""
        return tuple(sorted({name for item in self.watched for name in item.detector.streams} - NOT_WATCHED))

    @property
    def failures(self) -> dict[str, Failure]:
        """The detectors that have failed."""
        return {item.name: item.failure for item in self.watched if item.failure.count}

    def take(
        self, batches: Sequence[Batch], watermark: Watermark, now_ns: int, clock_s: float, ask: Ask | None = None
    ) -> list[Finding]:
        """Give records to the detectors in the order of their time, ticking between; return what was found."""
        found: list[Finding] = []
        for pieces in laid_out(batches):
            for piece in pieces:
                rows = Rows(piece)
                watermark.see(rows, now_ns, clock_s)
                found += self.observe(rows)
            found += self.tick(watermark.move(clock_s), ask)
        return found

    def observe(self, rows: Rows) -> list[Finding]:
        """Give one batch to every detector that wants its stream."""
        found: list[Finding] = []
        if rows.stream in NOT_WATCHED or not rows.count:
            return found
        for item in self.watched:
            if rows.stream in item.detector.streams:
                found += self._guarded(item, lambda detector: detector.observe(rows))
        rows.derived.clear()
        return found

    def tick(self, now_ns: int, ask: Ask | None) -> list[Finding]:
        """Tell the time to every detector whose turn it is."""
        found: list[Finding] = []
        for item in self.watched:
            every_ns = int(item.detector.every_s * 1e9)
            if not every_ns or (item.ticked_ns is not None and now_ns < item.ticked_ns + every_ns):
                continue
            item.ticked_ns = now_ns
            found += self._guarded(item, lambda detector: detector.tick(now_ns, ask))
        return found

    def finish(self, now_ns: int, ask: Ask | None) -> list[Finding]:
        """Tell every detector the last instant, whether or not it is its turn."""
        for item in self.watched:
            item.ticked_ns = None
        return self.tick(now_ns, ask)

    def save(self) -> dict[str, bytes]:
        """Return the state of every detector that can say it."""
        states: dict[str, bytes] = {}
        for item in self.watched:
            try:
                states[item.name] = item.detector.save()
            except Exception as error:  # noqa: BLE001  one bad detector must not stop the others
                self._failed(item, error)
        return states

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Let detectors go on from saved states; one that cannot read its own starts anew."""
        for item in self.watched:
            if (state := states.get(item.name)) is None:
                continue
            try:
                item.detector.restore(state)
            except Exception as error:  # noqa: BLE001  one bad detector must not stop the others
                item.detector = item.make()
                self._failed(item, error)

    def _guarded(self, item: Watched, call: Callable[[Detector], Sequence[Finding]]) -> Sequence[Finding]:
        began = time.thread_time()
        try:
            found = call(item.detector)
        except Exception as error:  # noqa: BLE001  one bad detector must not stop the others
            self._failed(item, error)
            found = ()
        if self._telemetry is not None:
            self._telemetry.add("treering_detector_seconds_total", time.thread_time() - began, detector=item.name)
            if found:
                self._telemetry.add("treering_detector_findings_total", len(found), detector=item.name)
        return found

    def _failed(self, item: Watched, error: Exception) -> None:
        item.failure.count += 1
        item.failure.last = f"{type(error).__name__}: {error}"[:300]
        if self._telemetry is not None:
            self._telemetry.add("treering_detector_failures_total", detector=item.name)
        if item.failure.count == 1:
            _log.warning("the detector %s failed: %s", item.name, item.failure.last, exc_info=error)


def laid_out(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Yield the records in groups of one `SLICE_NS` of their own time, earliest first; order is kept within each."""
    groups: dict[int, list[Batch]] = {}
    for batch in batches:
        slots = Rows(batch).times // SLICE_NS
        first, last = int(slots.min()), int(slots.max())
        if first == last:
            groups.setdefault(first, []).append(batch)
            continue
        for slot in np.unique(slots).tolist():
            places = np.flatnonzero(slots == slot)
            first, length = int(places[0]), len(places)
            together = int(places[-1]) - first == length - 1
            data = batch.data.slice(first, length) if together else batch.data.take(Array.from_numpy(places))
            groups.setdefault(slot, []).append(Batch(batch.stream, data))
    for slot in sorted(groups):
        yield groups[slot]


def makers(settings: Detect) -> dict[str, Callable[[], Detector]]:
    """Return how to build each detector that the configuration asks for. Raises `UserError` for what it gets wrong."""
    known = registry.names(GROUP)
    chosen = known if settings.detectors is None else list(settings.detectors)
    for name in (*chosen, *settings.settings, *settings.off):
        if name not in known:
            registry.load(GROUP, name)
    found: dict[str, Callable[[], Detector]] = {}
    for name in chosen:
        if name in settings.off:
            continue
        if why := unavailable(name):
            if settings.detectors is None:
                continue
            raise UserError(f"the detector {name} {why}")
        found[name] = maker(name, settings.settings.get(name, {}))
    return found


def unavailable(name: str) -> str:
    """Return why the detector `name` cannot work in this installation, empty where it can."""
    reason: str = getattr(registry.load(GROUP, name), "unavailable", str)()
    return reason


def maker(name: str, table: Mapping[str, Any]) -> Callable[[], Detector]:
    """Return what builds the detector `name` with the settings in `table`. Raises `UserError`."""
    module = registry.load(GROUP, name)
    config = decode(dict(table), module.Config, f"detect.settings.{name}")
    return lambda: module.build(config)
