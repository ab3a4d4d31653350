"""How a log ends that does not say that training ended: evidence that the run broke off, or none.

Evidence is a stated number of steps or epochs that was not reached, ranks that fall silent while others go on, and a
silence much longer than the log's own rhythm before the file was last written. The last is weak: a copied file has the
time of the copy, and a log in local time seems hours away, so only a silence that neither explains is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treering.parse.training.run import RunLog

_REPORTS = 5
_STRIDES = 5.0
_TIMES, _LEAST_S = 20.0, 600.0
_DAY_S, _HOUR_S, _ZONE_S = 86_400.0, 3600.0, 1800.0


@dataclass(frozen=True, slots=True)
class Written:
    """When a log's lines were written, in nanoseconds since 1970: its first and last dated lines, how many of them,
    when its file was written last (None where that is not known), and now."""

    first_ns: int
    last_ns: int
    lines: int
    file_ns: int | None
    now_ns: int

    @property
    def rhythm_s(self) -> float:
        """The mean time between lines."""
        return (self.last_ns - self.first_ns) / 1e9 / max(1, self.lines - 1)

    def _patience_s(self) -> float:
        return max(_LEAST_S, _TIMES * self.rhythm_s)

    @property
    def is_recent(self) -> bool:
        """Whether the next line may still come."""
        return abs(self.now_ns - self.last_ns) / 1e9 < self._patience_s()

    @property
    def silence_s(self) -> float:
        """Seconds between the last line and the file's last change, 0 where copying or a time zone may explain them."""
        if self.file_ns is None or (self.now_ns - self.file_ns) / 1e9 < _HOUR_S:
            return 0.0
        silence = (self.file_ns - self.last_ns) / 1e9
        off = min(silence % _ZONE_S, _ZONE_S - silence % _ZONE_S)
        is_zone = silence < 15 * _HOUR_S and off < max(60.0, 2 * self.rhythm_s)
        return silence if self._patience_s() < silence < 2 * _DAY_S and not is_zone else 0.0


def missing(run: RunLog) -> str:
    """Return what the run was to reach and did not, as `step 120 of 200`; empty when it did, or nothing says how much.

    What lies within one more report of the end is reached.
    """
    if run.bar is not None and run.bar[0] < run.bar[1] and run.bar_at == run.last_progress:
        return f"step {run.bar[0]:g} of {run.bar[1]:g}"
    if run.counted_by == "epoch":
        now, due = run.step, run.epochs
    else:
        now, due = run.step, run.total
    if now is None or due is None or now + run.stride >= due:
        return ""
    return f"{run.counted_by} {now:g} of {due:g}"


def silent(run: RunLog) -> dict[int, float]:
    """Return the ranks that fell silent while others went on, with the last step of each, the first to stop first."""
    reaches = {rank: one for rank, one in run.ranks.items() if one.reports >= _REPORTS}
    if len(reaches) < 2:
        return {}
    ahead = max(one.last for one in reaches.values())
    behind = {
        rank: one.last
        for rank, one in reaches.items()
        if ahead - one.last > _STRIDES * (one.last - one.first) / (one.reports - 1)
    }
    return dict(sorted(behind.items(), key=lambda pair: pair[1]))
