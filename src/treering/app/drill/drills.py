"""Drills against a running server: which runs there are, where their records go, what is noticed of them.

A run is announced first; only records that carry its secret are taken for a drill. They are kept in streams of their
own (`drill-spans`, `drill-logs`, `drill-metrics`), so that no query, rule, alert or baseline meets them, are watched in
a lane of their own, and what is noticed goes to `drill-findings`. Whoever tags an attack as a drill without having
announced one hides nothing: its records are records like any other.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from treering.app.drill.lane import Lane, marked
from treering.app.drill.line import RUN
from treering.app.drill.results import Entry, Results
from treering.core.access import digest, new_token
from treering.core.errors import TreeringError, UserError
from treering.core.files import replaced
from treering.model.batch import Batch, batch
from treering.model.finding import FINDINGS, Finding, to_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from treering.app.config import Detect
    from treering.app.drill.score import Result
    from treering.core.clock import Clock
    from treering.stage.store import Store

FILE = "drills.json"
PREFIX = "drill-"
STREAMS = ("drill-logs", "drill-metrics", "drill-spans")
_COLUMN = f"{RUN}:s"
_MOST_RUNS = 4
_LONGEST_S, _KEPT_S = 3600.0, 3600.0

_log = logging.getLogger(__name__)


class Run(msgspec.Struct):
    """An announced run: the SHA-256 of its secret, what it is called, until when its records are taken."""

    sha256: str
    label: str
    until_ns: int


class Drills:
    """The runs of one data directory. Safe to use from any thread."""

    def __init__(self, settings: Detect, store: Store, clock: Clock, directory: Path | None) -> None:
        """Go on with the runs that had been announced when the server was stopped."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._path = None if directory is None else directory / FILE
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {run.sha256: run for run in _kept(self._path)}
        self._lanes: dict[str, Lane] = {}
        self._ending: set[str] = set()
        self.results = Results(directory)

    def begin(self, label: str, minutes: float) -> dict[str, Any]:
        """Announce a run; returns its secret, a canary to plant, and the server's time.

        Raises `UserError` for a time beyond an hour, and when there are too many runs at once.
        """
        if not 0 < minutes * 60 <= _LONGEST_S:
            raise UserError("a drill takes at most 60 minutes")
        with self._lock:
            self._forget()
            if len(self._runs) >= _MOST_RUNS:
                raise UserError(f"{_MOST_RUNS} drills run already", hint="wait until one has ended")
            secret, now_ns = new_token(), self._clock.now_ns()
            name = digest(secret)
            self._runs[name] = Run(name, label[:200], now_ns + int(minutes * 60e9))
            lane = self._lanes[name] = Lane(self._settings, self._clock)
            self._keep()
        return {"run": secret, "canary": lane.canary, "now_ns": now_ns}

    def end(self, secret: str) -> None:
        """Take no more records of a run; it is settled with the next step of detection. Raises `UserError`."""
        self._known(secret)
        with self._lock:
            self._ending.add(digest(secret))

    def report(self, secret: str) -> dict[str, Any]:
        """Return what has been noticed of a run so far. Raises `UserError` for one that was not announced."""
        run = self._known(secret)
        with self._lock:
            lane = self._lanes.get(run.sha256)
        found = lane.report() if lane is not None else {"records": 0, "ended": False, "findings": [], "incidents": []}
        return {"label": run.label, **found}

    def note(self, secret: str, result: Result, by: str) -> None:
        """Keep how a run went, as who ran it has counted. Raises `UserError` for one that was not announced."""
        run = self._known(secret)
        self.results.add(Entry(self._clock.now_ns(), run.label, by[:200], result))

    def sorted_out(self, given: Batch) -> list[Batch]:
        """Return a batch with the records of announced runs in streams of their own."""
        values = _tags(given) if self._runs and not given.stream.startswith(PREFIX) else []
        if not values:
            return [given]
        now_ns = self._clock.now_ns()
        known = {value for value in set(values) if value and self._is_open(value, now_ns)}
        ours: NDArray[np.bool_] = np.array([value in known for value in values])
        if ours.all():
            return [Batch(PREFIX + given.stream, given.data)]
        if not ours.any():
            return [given]
        return [Batch(given.stream, _taken(given, ~ours)), Batch(PREFIX + given.stream, _taken(given, ours))]

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that detection has to follow for the runs there are."""
        return STREAMS if self._runs else ()

    def watch(self, batches: Sequence[Batch], states: Callable[[], Mapping[str, bytes]]) -> None:
        """Give each run its records; called by detection, whose detectors' `states` a lane begins with."""
        for given in batches:
            stream = given.stream.removeprefix(PREFIX)
            values = _tags(given)
            names = [digest(value) if value else "" for value in values]
            for name in dict.fromkeys(names):
                if (lane := self._lane(name)) is not None:
                    mine = np.array([other == name for other in names], dtype=bool)
                    self._write(name, lane.take([Batch(stream, _taken(given, mine))], states))

    def tick(self) -> None:
        """Tell the lanes the time, settle those that are to end, forget the old ones; called by detection."""
        if not self._runs:
            return
        now_ns = self._clock.now_ns()
        with self._lock:
            lanes, ending = list(self._lanes.items()), set(self._ending)
        for name, lane in lanes:
            if lane.ended:
                continue
            over = name in ending or now_ns > self._runs[name].until_ns
            self._write(name, lane.finish(now_ns) if over else lane.tick(now_ns))
        with self._lock:
            self._forget()

    def close(self) -> None:
        """Throw the lanes away."""
        with self._lock:
            for lane in self._lanes.values():
                lane.close()
            self._lanes = {}

    def _is_open(self, secret: str, now_ns: int) -> bool:
        run = self._runs.get(digest(secret))
        return run is not None and now_ns <= run.until_ns

    def _known(self, secret: str) -> Run:
        run = self._runs.get(digest(secret))
        if run is None:
            raise UserError("no such drill, or it ended long ago")
        return run

    def _lane(self, name: str) -> Lane | None:
        """Return the lane of a run, a new one after a restart; None for records of a run that is forgotten."""
        with self._lock:
            lane = self._lanes.get(name)
            if lane is None and name in self._runs:
                lane = self._lanes[name] = Lane(self._settings, self._clock)
            return None if lane is None or lane.ended else lane

    def _write(self, name: str, found: Sequence[Finding]) -> None:
        """Add what was noticed to the stream of findings of drills."""
        if not found:
            return
        records = [_record(finding, self._runs[name].label) for finding in found]
        try:
            self._store.append([batch(PREFIX + FINDINGS, records, received_ns=self._clock.now_ns())])
        except TreeringError:
            _log.warning("what a drill found could not be stored", exc_info=True)

    def _forget(self) -> None:
        now_ns = self._clock.now_ns()
        for name, run in list(self._runs.items()):
            if now_ns > run.until_ns + _KEPT_S * 1e9:
                del self._runs[name]
                self._ending.discard(name)
                if (lane := self._lanes.pop(name, None)) is not None:
                    lane.close()
                self._keep()

    def _keep(self) -> None:
        if self._path is not None:
            replaced(self._path, msgspec.json.encode(list(self._runs.values())))


def _tags(given: Batch) -> list[str | None]:
    """Return the tag of each record; empty when the batch has none."""
    name = next((name for name in given.data.schema.names if name.endswith(_COLUMN)), None)
    return [] if name is None else list(given.data.column(name).to_pylist())


def _kept(path: Path | None) -> list[Run]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Run]) if path is not None else []
    except (OSError, msgspec.MsgspecError):
        return []


def _taken(given: Batch, mask: Any) -> Any:
    from arro3.core import Array

    return given.data if mask.all() else given.data.take(Array.from_numpy(np.flatnonzero(mask)))


def _record(finding: Finding, label: str) -> dict[str, Any]:
    evidence = tuple(
        msgspec.structs.replace(item, stream=PREFIX + item.stream.removeprefix(PREFIX)) for item in finding.evidence
    )
    return to_record(marked(msgspec.structs.replace(finding, evidence=evidence), label))
