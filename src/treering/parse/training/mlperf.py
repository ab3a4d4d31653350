"""The MLPerf side of a run: its intervals, its evaluations against the benchmark's quality target."""

from __future__ import annotations

import importlib.resources
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.training.event import Event

_INTERVALS = ("init", "run", "eval", "block", "epoch")
# So many equal evaluations in a row, to the last bit, are no measurement of a model that still learns.
_STUCK = 3
_FALLEN = 0.1
_MOST_METRICS, _MOST_EVALUATIONS = 16, 10_000


class Target(msgspec.Struct, frozen=True):
    """What a metric must reach, and in which direction."""

    target: float
    better: str

    def reached(self, value: float) -> bool:
        """Whether `value` is good enough."""
        return value >= self.target if self.better == "higher" else value <= self.target


@cache
def targets() -> Mapping[str, Mapping[str, Target]]:
    """Return the targets of each benchmark's metrics."""
    folder = importlib.resources.files("treering.content").joinpath("training")
    table = msgspec.json.decode(folder.joinpath("mlperf_targets.json").read_bytes(), type=dict[str, Any])
    return {name: msgspec.convert(one, dict[str, Target]) for name, one in table.items() if isinstance(one, dict)}


@dataclass(slots=True)
class Mlperf:
    """The events of one benchmark run."""

    events: int = 0
    status: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    spent_ms: Counter[str] = field(default_factory=Counter)
    evals: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    first_ms: int | None = None
    last_ms: int | None = None
    longest_gap: tuple[int, int, str, str] = (0, 0, "", "")
    _open: dict[str, int] = field(default_factory=dict)
    _before: str = ""

    def add(self, event: Event) -> None:
        """Take in an event; the same event of another rank changes nothing."""
        self.events += 1
        moment, key = event.time_ms, event.key
        if moment is not None:
            self._time(moment, key)
            self._interval(moment, key)
        if key == "run_stop" and event.about.get("status"):
            self.status = str(event.about["status"])
        elif key == "eval_accuracy":
            self._evaluated(event)
        elif key.startswith(("submission_", "global_batch_size", "seed", "opt_name", "train_samples", "eval_samples")):
            self.facts.setdefault(key, event.value)

    def _time(self, moment: int, key: str) -> None:
        self.first_ms = moment if self.first_ms is None else min(self.first_ms, moment)
        if self.last_ms is not None and moment - self.last_ms > self.longest_gap[0]:
            self.longest_gap = (moment - self.last_ms, self.last_ms, self._before, key)
        if self.last_ms is None or moment > self.last_ms:
            self.last_ms, self._before = moment, key

    def _interval(self, moment: int, key: str) -> None:
        name, _, end = key.rpartition("_")
        if name not in _INTERVALS:
            return
        if end == "start":
            self._open.setdefault(name, moment)
        elif end == "stop" and (begun := self._open.pop(name, None)) is not None:
            self.spent_ms[name] += moment - begun

    def _evaluated(self, event: Event) -> None:
        value, moment = event.value, event.time_ms or 0
        pairs = value.items() if isinstance(value, dict) else [(str(event.about.get("metric") or "value"), value)]
        for name, number in pairs:
            if isinstance(number, int | float) and not isinstance(number, bool):
                self._value(str(name), moment, float(number))

    def _value(self, name: str, moment: int, number: float) -> None:
        if name not in self.evals and len(self.evals) >= _MOST_METRICS:
            return
        held = self.evals.setdefault(name, [])
        if held and held[-1] == (moment, number):
            return
        if len(held) >= _MOST_EVALUATIONS:
            del held[: _MOST_EVALUATIONS // 2]
        held.append((moment, number))

    @property
    def benchmark(self) -> str:
        """The benchmark's name, or an empty text."""
        return str(self.facts.get("submission_benchmark") or "")

    @property
    def target(self) -> Mapping[str, Target]:
        """The targets of the metrics that the log reports."""
        known = targets().get(self.benchmark, {})
        return {name: one for name, one in known.items() if name in self.evals}

    def reached(self) -> bool | None:
        """Whether the last value of every metric reaches its target; None where no target is known."""
        known = self.target
        if not known or len(known) < len(targets()[self.benchmark]):
            return None
        return all(one.reached(self.evals[name][-1][1]) for name, one in known.items())

    def collapsed(self) -> str | None:
        """Return why the model can be said to be broken: a metric that stands still to the bit, or has fallen away."""
        for name, pairs in self.evals.items():
            values = [value for _, value in pairs]
            if len(values) < _STUCK + 1:
                continue
            same = next((back for back in range(1, len(values)) if values[-back - 1] != values[-1]), len(values))
            lower = (one := targets().get(self.benchmark, {}).get(name)) is not None and one.better == "lower"
            if same >= _STUCK:
                return f"{name} has been exactly {values[-1]:g} in the last {same} evaluations"
            if not lower and max(values) > 0 and values[-1] < _FALLEN * max(values):
                return f"{name} fell from {max(values):.4g} to {values[-1]:.4g}"
        return None

    def seconds(self) -> dict[str, float]:
        """Return where the time went, in seconds."""
        total = {name: spent / 1000 for name, spent in self.spent_ms.items()}
        found: dict[str, float] = {}
        if "init" in total:
            found["initialisation"] = total["init"]
        run = total.get("run")
        if run is None and "run" in self._open and self.last_ms is not None:
            run = (self.last_ms - self._open["run"]) / 1000
        if run is not None:
            found["evaluation"] = min(run, total.get("eval", 0.0))
            found["training"] = run - found["evaluation"]
        if self.longest_gap[0]:
            found["longest silence"] = self.longest_gap[0] / 1000
        return found
