"""A lane of its own for a drill: detectors that see its records and nothing else's, and leave the others as they were.

The detectors begin with what the real ones have learnt, so a drill meets the baselines of now; what it does to them is
thrown away with the lane. Rules ask a store in which only the drill's records are.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from treering.app import canaries
from treering.app.asking import asker
from treering.app.detectors import Detectors, laid_out, makers
from treering.app.drill.line import CASE
from treering.core.clock import SystemClock
from treering.correlate.clue import Clue
from treering.correlate.fold import fold
from treering.model.batch import Batch
from treering.model.columns import SEQUENCE
from treering.model.finding import Finding, merged
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.config import Detect
    from treering.core.clock import Clock

_MOST_RECORDS, _MOST_FINDINGS, _AFTER_MINUTES = 200_000, 5_000, 15
_CASE = f"attributes.{CASE}"


@dataclass(slots=True)
class Noticed:
    """A finding of a drill, the cases whose records show it, when (by the machine's clock) it was first there."""

    finding: Finding
    heard_ns: int
    cases: set[str] = field(default_factory=set)

    def shown(self) -> dict[str, Any]:
        """Return it as plain values."""
        found = self.finding
        return {
            "detector": found.detector,
            "rule": found.rule,
            "severity": found.severity.value,
            "title": found.title,
            "start_ns": found.start_ns,
            "noticed_ns": found.noticed_ns,
            "heard_ns": self.heard_ns,
            "count": found.count,
            "cases": sorted(self.cases),
        }


class Lane:
    """Watches the records of one drill. Safe to ask from any thread; `close` when it is over."""

    def __init__(self, settings: Detect, clock: Clock | None = None) -> None:
        """Prepare; the detectors are built with the first records. `settings` are those of the real ones."""
        from treering.app.config import Settings
        from treering.app.pipeline import open_store

        self._lock = threading.RLock()
        self._clock = clock or SystemClock()
        self._folder = tempfile.TemporaryDirectory(prefix="treering-drill-")
        book = canaries.Canaries(Path(self._folder.name))
        self.canary = book.new("drill").text
        book.close()
        self._settings = canaries.watching(settings, Path(self._folder.name), instead=True)
        makers(self._settings)
        self.store = open_store(Settings(data=str(Path(self._folder.name) / "data")))
        self._ask = asker(self.store, self._clock.now_ns)
        self._detectors: Detectors | None = None
        self._cases: dict[int, str] = {}
        self.noticed: dict[str, Noticed] = {}
        self.records = 0
        self.high_ns = 0
        self.ended = False

    def take(self, batches: Sequence[Batch], states: Callable[[], Mapping[str, bytes]] = dict) -> list[Finding]:
        """Watch records; `states` gives what the real detectors have learnt. Returns the findings that are new."""
        with self._lock:
            if self._detectors is None:
                self._detectors = Detectors(makers(self._settings))
                self._detectors.restore(states())
            fresh: list[Finding] = []
            for pieces in laid_out(batches):
                for piece in pieces:
                    rows = Rows(piece)
                    self._note(rows)
                    fresh += self._keep(self._detectors.observe(rows))
            return fresh

    def tick(self, now_ns: int) -> list[Finding]:
        """Tell the detectors that it is `now_ns`."""
        with self._lock:
            return self._keep(self._detectors.tick(now_ns, self._ask)) if self._detectors else []

    def finish(self, now_ns: int) -> list[Finding]:
        """Let the quarter of an hour after `now_ns` pass in which nothing comes; the lane has ended then."""
        with self._lock:
            found = []
            for step in range(1, _AFTER_MINUTES + 1):
                found += self.tick(now_ns + step * 60 * 10**9)
            if self._detectors:
                found += self._keep(self._detectors.finish(now_ns + _AFTER_MINUTES * 60 * 10**9, self._ask))
            self.ended = True
            return found

    def close(self) -> None:
        """Throw everything away."""
        with self._lock:
            self.ended = True
            self.store.close()
            self._folder.cleanup()

    def report(self) -> dict[str, Any]:
        """Return what was noticed, and the incidents that it would be."""
        with self._lock:
            folded = fold([Clue(item.finding) for item in self.noticed.values()])
            failures = self._detectors.failures if self._detectors else {}
            return {
                "records": self.records,
                "ended": self.ended,
                "findings": [item.shown() for item in self.noticed.values()],
                "incidents": [
                    {
                        "title": one.title,
                        "kind": one.kind,
                        "severity": one.severity.value,
                        "findings": len(one.findings),
                    }
                    for one in folded.incidents
                ],
                "failures": {name: failure.last for name, failure in failures.items()},
            }

    def _note(self, rows: Rows) -> None:
        """Remember which record belongs to which case, and let rules ask for them."""
        self.records += rows.count
        self.high_ns = max(self.high_ns, int(rows.times.max()))
        for seq, case in zip(rows.seqs.tolist(), rows.texts(_CASE), strict=True):
            if case is not None and len(self._cases) < _MOST_RECORDS:
                self._cases[seq] = case
        kept = [name for name in rows.batch.data.schema.names if name != SEQUENCE]
        self.store.append([Batch(rows.stream, rows.batch.data.select(kept))])

    def _keep(self, found: Sequence[Finding]) -> list[Finding]:
        fresh = []
        for finding in found:
            cases = {self._cases[item.seq] for item in finding.evidence if item.seq in self._cases}
            held = self.noticed.get(finding.fingerprint)
            if held is None:
                if len(self.noticed) >= _MOST_FINDINGS:
                    continue
                held = self.noticed[finding.fingerprint] = Noticed(finding, self._clock.now_ns())
                fresh.append(finding)
            else:
                held.finding = merged(held.finding, finding)
            held.cases |= cases
        return fresh


def marked(finding: Finding, run: str) -> Finding:
    """Return a finding of a drill such that nothing takes it for a real one."""
    return msgspec.structs.replace(
        finding,
        title=f"drill: {finding.title}",
        key=("drill", run, *finding.key),
        facts={**finding.facts, "drill": run},
    )
