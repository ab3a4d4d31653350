"""How far the records' own time has come: up to there they are thought to be complete.

Each service of each stream is a lane. While lanes deliver, the slowest of them decides; one that delivers nothing for
`IDLE_S` seconds, or that has held the others back for `PATIENCE_S`, no longer does (the idleness timeout of stream
processors: Akidau and others, The Dataflow Model, VLDB 2015, §2.3). When nothing arrives at all, the machine's clock
moves time on, so that quiet windows close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.model.rows import Rows

IDLE_S = 5.0
PATIENCE_S = 30.0
AHEAD_NS = 300 * 10**9
_MOST_LANES = 10_000


class Lane(msgspec.Struct):
    """One service of one stream: its newest record, when it last delivered, since when it holds others back."""

    high_ns: int
    at_s: float
    behind_since_s: float | None = None


class Watermark:
    """Follows the newest record of each lane."""

    def __init__(self, lateness_s: float, value_ns: int = 0) -> None:
        """Stay `lateness_s` seconds behind the newest record; never fall below `value_ns`."""
        self.value_ns = value_ns
        self.high_ns = 0
        self._lateness_ns = int(lateness_s * 1e9)
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._last_s = 0.0

    def see(self, rows: Rows, now_ns: int, clock_s: float) -> None:
        """Note the records of a batch. Times more than five minutes ahead of the machine's clock do not count."""
        codes, names = rows.codes("serviceName")
        highs = np.zeros(len(names) + 1, dtype=np.int64)
        np.maximum.at(highs, codes, np.where(rows.times <= now_ns + AHEAD_NS, rows.times, 0))
        for lane, high in zip([*names, ""], highs.tolist(), strict=True):
            if high:
                self._note((rows.stream, lane), high, clock_s)
        self._last_s = clock_s

    def _note(self, key: tuple[str, str], high_ns: int, clock_s: float) -> None:
        self.high_ns = max(self.high_ns, high_ns)
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= _MOST_LANES:
                self._lanes = {name: held for name, held in self._lanes.items() if clock_s - held.at_s < IDLE_S}
            self._lanes[key] = Lane(high_ns, clock_s)
            return
        lane.high_ns = max(lane.high_ns, high_ns)
        lane.at_s = clock_s

    def move(self, clock_s: float) -> int:
        """Return the instant (nanoseconds) up to which records are thought to be complete; it never runs backwards."""
        if not self.high_ns:
            return self.value_ns
        quiet_ns = int(max(0.0, clock_s - self._last_s) * 1e9)
        complete = self.high_ns - self._lateness_ns + quiet_ns
        holding = [lane.high_ns for lane in self._lanes.values() if self._holds(lane, clock_s)]
        slowest = min(holding, default=complete)
        self.value_ns = max(self.value_ns, min(complete, slowest - self._lateness_ns + quiet_ns))
        return self.value_ns

    def _holds(self, lane: Lane, clock_s: float) -> bool:
        if clock_s - lane.at_s > IDLE_S:
            lane.behind_since_s = None
            return False
        if lane.high_ns >= self.high_ns - self._lateness_ns:
            lane.behind_since_s = None
        elif lane.behind_since_s is None:
            lane.behind_since_s = clock_s
        return lane.behind_since_s is None or clock_s - lane.behind_since_s < PATIENCE_S

    def finish(self) -> int:
        """Return the instant after the newest record: nothing more will come (a file that has ended)."""
        self.value_ns = max(self.value_ns, self.high_ns + 1)
        return self.value_ns

    def save(self) -> Mapping[str, Any]:
        """Return what `Watermark.restored` takes."""
        return {"value_ns": self.value_ns, "high_ns": self.high_ns}

    def restore(self, saved: Mapping[str, Any], clock_s: float) -> None:
        """Go on from what `save` returned."""
        self.value_ns, self.high_ns = int(saved["value_ns"]), int(saved["high_ns"])
        self._last_s = clock_s
