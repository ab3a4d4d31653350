"""One training run as its lines tell it: loss, gradient norm, pace, checkpoints, failed ranks."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from treering.detect import _statistics as statistics
from treering.model.finding import Evidence

_KEPT = 60
_LEAST = 12
_SUSTAINED = 3
_PAUSE_NS = 3600 * 10**9
_LATE_NS = 1200 * 10**9
Turn = Literal["", "begins", "goes on"]


class Measure(msgspec.Struct):
    """The newest healthy values of one number, and for how long it has been far above them."""

    values: list[float] = []
    high: int = 0
    since_ns: int = 0

    def read(self, value: float, at_ns: int, times: float, deviations: float) -> tuple[Turn, float]:
        """Take in a value; returns whether it has been far above its median for some readings now, and the median.

        Far above: `times` the median of the readings before, and by `deviations` robust standard deviations.
        """
        if len(self.values) < _LEAST:
            self._keep(value)
            return "", value
        # The newest readings may be part of the rise already.
        before = self.values[: max(_LEAST, len(self.values) * 2 // 3)]
        usual = statistics.median(before)
        spread = max(statistics.spread(before), abs(usual) * 0.02, 1e-12)
        if value <= usual * times or value <= usual + deviations * spread:
            self.high = 0
            self._keep(value)
            return "", usual
        self.high += 1
        if self.high == 1:
            self.since_ns = at_ns
        if self.high < _SUSTAINED:
            return "", usual
        return ("begins" if self.high == _SUSTAINED else "goes on"), usual

    def _keep(self, value: float) -> None:
        self.values = [*self.values[-_KEPT:], value]


class Run(msgspec.Struct):
    """What is known of a run; instants in nanoseconds, 0 before the first."""

    name: str = ""
    loss: Measure = msgspec.field(default_factory=Measure)
    grad: Measure = msgspec.field(default_factory=Measure)
    steps: list[int] = []
    checkpoints: list[tuple[int, str]] = []
    healthy_ns: int = 0
    broken_ns: int = 0
    failed_ns: int = 0
    failed_rank: int = -1
    ended: bool = False
    stalled: bool = False
    last: Evidence | None = None

    def begin(self) -> None:
        """Forget loss and gradients of a run before: this is another one of the same service and file."""
        self.loss, self.grad, self.steps = Measure(), Measure(), []
        self.broken_ns = self.failed_ns = 0
        self.failed_rank = -1

    def step(self, at_ns: int, shown: Evidence) -> None:
        """Note that the run reported its progress in the record `shown`; after a long pause it is another run."""
        if self.steps and at_ns - self.steps[-1] > _PAUSE_NS:
            self.begin()
        self.steps = sorted({*self.steps, at_ns})[-_KEPT:]
        if self.steps[-1] == at_ns:
            self.last = shown
        self.ended = self.stalled = False

    def saved(self, at_ns: int, path: str) -> None:
        """Note a checkpoint."""
        self.checkpoints = sorted({*self.checkpoints, (at_ns, path)})[-_KEPT:]

    def good_checkpoint(self, at_ns: int) -> str:
        """Return the newest checkpoint from before loss and gradients began to rise; empty when none is known."""
        rising = [measure.since_ns for measure in (self.loss, self.grad) if measure.high and measure.since_ns]
        until = min([at_ns, *rising])
        return next((path for saved_ns, path in reversed(self.checkpoints) if saved_ns < until), "")

    def silent_ns(self, now_ns: int, least_ns: int, times: float) -> int:
        """Return for how long the run has been silent where that is far longer than usual, else 0."""
        if self.ended or self.stalled or self.failed_ns or len(self.steps) < _LEAST:
            return 0
        pauses = [later - earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)]
        limit = max(least_ns, int(statistics.quantile(pauses, 0.95) * times))
        silent = now_ns - self.steps[-1]
        # When time jumps far beyond the limit, records are read late: then silence says nothing about the run.
        return silent if limit < silent <= limit + _LATE_NS else 0


def is_finite(value: float) -> bool:
    """Whether a value is a number at all."""
    return math.isfinite(value)
