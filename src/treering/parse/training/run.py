"""`RunLog`: everything a training log says, kept in bounded memory while its lines pass."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.parse.training import failures, lines, metrics
from treering.parse.training.event import NAMES, Event
from treering.parse.training.failures import STATED, Failure, Failures, rank_of
from treering.parse.training.mlperf import Mlperf
from treering.parse.training.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.parse.training.ending import Written

# Any of these makes a file a training log; nothing else is looked at before.
MARKS = (
    ":::MLLOG", "lm loss", "elapsed time per iteration", "'loss'", "'train_runtime'", "torch.distributed", "torchrun",
    "Running training", "[DeepSpeed", "DeepSpeed info", "NCCL INFO", "busbw", "torchelastic", "Megatron", "slurmstepd",
    "ProcessGroupNCCL", "train_samples_per_second", "loss=", "loss:", " loss ", "Loss:", "Loss=", "s/it", "GPU_mem",
    '"loss":',
)  # fmt: skip
# A log of so many lines without a mark is none of a training run.
_MOST_BEFORE = 100_000
_MOST_SERIES = 64
_MOST_FAILURES = 200
_MOST_PHASES = 256
_MOST_MEASURED = 100_000
_MOST_RANKS = 10_000


@dataclass(slots=True)
class Reach:
    """How far one rank came, and in how many reports of steps."""

    first: float
    last: float
    reports: int = 1


@dataclass(slots=True)
class RunLog:
    """What became of the run in one log, as far as its lines tell."""

    active: bool = False
    passed: int = 0
    mlperf: Mlperf = field(default_factory=Mlperf)
    series: dict[str, Series] = field(default_factory=dict)
    step: float | None = None
    total: float | None = None
    epoch: float | None = None
    epochs: float | None = None
    stride: float = 0.0
    ranks: dict[int, Reach] = field(default_factory=dict)
    counted_by: str = "step"
    bar: tuple[float, float] | None = None
    bar_at: int = 0
    last_progress: int = 0
    written: Written | None = None
    restarts: int = 0
    summary: dict[str, float] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    bandwidth: list[float] = field(default_factory=list)
    bandwidth_unit: str = ""
    done_at: int = 0
    saved: int = 0
    begun: bool = False
    is_state: bool = False
    skipped: float = 0
    nan_iterations: float = 0
    errors: list[Failure] = field(default_factory=list)
    repeats: Counter[tuple[str, str]] = field(default_factory=Counter)
    _finder: Failures = field(default_factory=Failures)
    _held: list[tuple[int, Event | Failure]] = field(default_factory=list)

    @property
    def root_rank(self) -> int | None:
        """The rank that the launcher says failed first, if it says so."""
        return self._finder.root_rank

    @property
    def is_training(self) -> bool:
        """Whether there is a run (or a benchmark of its network) in the log."""
        return bool(self.mlperf.events or self.series or self.bandwidth or self.begun or self.summary)

    def feed(self, piece: Sequence[str]) -> None:
        """Take in lines of the log, in order; carriage returns resolved."""
        if self.active or self.passed < _MOST_BEFORE:
            self._read(piece, "\n".join(piece))
        self.passed += len(piece)

    def _read(self, piece: Sequence[str], text: str) -> None:
        self.active = self.active or any(mark in text for mark in MARKS)
        if not self.active:
            return
        # Most lines are of no interest; the hints that the piece has at all are few.
        progress = [hint for hint in lines.HINTS if hint in text]
        trouble = [hint for hint in failures.HINTS if hint in text]
        for number, line in enumerate(piece, self.passed + 1):
            if _has(line, progress) and (event := lines.read(line)) is not None:
                with suppress(OverflowError):  # integers beyond what a float holds
                    self._event(event, number)
                    if event.kind == "step" and event.step is not None:
                        self._reached(rank_of(line), event.step)
            if self._finder.waits or _has(line, trouble):
                self._failed(line, number)

    def _reached(self, rank: int | None, step: float) -> None:
        if rank is None:
            return
        if (reach := self.ranks.get(rank)) is not None:
            reach.last, reach.reports = max(reach.last, step), reach.reports + 1
        elif len(self.ranks) < _MOST_RANKS:
            self.ranks[rank] = Reach(step, step)

    def measured(self, fields: Mapping[str, Any], named: str = "", at_ns: int = 0) -> None:
        """Take in one object or row of the file of metrics `named`, which may say how far the run is."""
        if (event := metrics.measured(fields, named)) is not None:
            self._hold(event, at_ns)

    def said(self, text: str, at_ns: int = 0, *, is_error: bool = False) -> None:
        """Take in the message of a record in a file of them; an error may be what ended the run."""
        if is_error:
            self._hold(Failure(STATED, text.strip()[:400], 0, rank_of(text)), at_ns)
        elif _has(text, lines.HINTS) and (event := lines.read(text)) is not None:
            self._hold(event, at_ns)

    @staticmethod
    def tells(text: str) -> bool:
        """Whether a message says anything about the progress of a run."""
        return _has(text, lines.HINTS) and lines.read(text) is not None

    def _hold(self, one: Event | Failure, at_ns: int) -> None:
        if len(self._held) < _MOST_MEASURED:
            self._held.append((at_ns, one))

    def settle(self) -> None:
        """Take in what was measured and said in records, the oldest first: exports may begin with the newest."""
        held, self._held = self._held, []
        if held and held[0][0] > held[-1][0]:
            held.reverse()
        if any(isinstance(one, Event) for _, one in held):
            self.active = True
        for _, one in held if self.active else ():
            self.passed += 1
            if isinstance(one, Event):
                with suppress(OverflowError):
                    self._event(one, self.passed)
            else:
                one.line = self.passed
                self._note(one)

    def state(self, saved: Mapping[str, Any]) -> None:
        """Take in a `trainer_state.json` of the transformers Trainer, which holds the history of a run as numbers."""
        self.active = self.begun = self.is_state = True
        history = saved.get("log_history")
        for entry in history if isinstance(history, list) else []:
            if isinstance(entry, dict):
                values = {str(name): float(n) for name, n in entry.items() if isinstance(n, int | float)}
                step = values.pop("step", None)
                named = {NAMES.get(name, name): value for name, value in values.items()}
                self._progress(Event("step", step, None, named), self.passed)
        if isinstance(total := saved.get("max_steps"), int | float) and total > 0:
            self.total = float(total)

    def _failed(self, line: str, number: int) -> None:
        if (failure := self._finder.read(line, number)) is not None:
            self._note(failure)

    def _note(self, failure: Failure) -> None:
        if failure.key not in self.repeats and len(self.errors) < _MOST_FAILURES:
            self.errors.append(failure)
            self.repeats[failure.key] = 0
        if failure.key in self.repeats:
            self.repeats[failure.key] += 1

    def _event(self, event: Event, number: int) -> None:
        match event.kind:
            case "mllog":
                self.mlperf.add(event)
                self._mlperf_metrics(event)
            case "step":
                self._progress(event, number)
            case "summary" | "done":
                self.summary.update(event.values)
                self.done_at = number
            case "bar":
                if event.total is not None and event.step is not None and event.total > 1:
                    self._bar(event.step, event.total, event.values, number)
            case "phases" | "bandwidth":
                self._measured(event)
            case "begin":
                self.begun = True
                self.total = event.total or self.total
                self.epochs = event.values.get("epochs", self.epochs)
            case "epoch":
                self.epoch, self.epochs = event.step, event.total or self.epochs
            case "overflow":
                self.skipped += 1
            case _:
                self.saved += 1

    def _measured(self, event: Event) -> None:
        for name, value in event.values.items():
            if event.kind == "bandwidth" and len(self.bandwidth) < _MOST_MEASURED:
                self.bandwidth.append(value)
                self.bandwidth_unit = event.key
            elif event.kind == "phases" and (name in self.phases or len(self.phases) < _MOST_PHASES):
                self.phases[name] = self.phases.get(name, 0.0) + value

    def _progress(self, event: Event, number: int) -> None:
        values = dict(event.values)
        self.skipped += values.pop("skipped", 0)
        self.skipped = max(self.skipped, values.pop("skipped so far", 0))
        self.nan_iterations += values.pop("nan", 0)
        by = event.key or "step"
        if event.step is None and by == "epoch":
            if self.epoch is None:
                return
            event.step = self.epoch
        step = event.step if event.step is not None else float(self.passed + number)
        evaluates = any(name.startswith("eval") for name in values)
        if self.step is not None and step < self.step - 1 and not evaluates:
            self.restarts += 1
        if self.step is not None and step > self.step and by == self.counted_by and not evaluates:
            self.stride = step - self.step
        self.step, self.counted_by, self.last_progress = step, by, number
        if by == "epoch":
            self.epoch, self.epochs = step, event.total or self.epochs
        else:
            self.total = event.total or self.total
        for name, value in values.items():
            self._point(name, step, value)

    def _bar(self, step: float, total: float, values: Mapping[str, float], number: int) -> None:
        # Bars of evaluations and downloads come and go; the run's own has the most steps, or the most said of it.
        if self.bar is None or total >= self.bar[1]:
            self.bar = (step, total)
            if total == self.total:
                self.step = max(step, self.step or 0)
            for name, value in values.items():
                self._point(name, step, value)
            self.last_progress = self.bar_at = number

    def _mlperf_metrics(self, event: Event) -> None:
        step = event.about.get("step") or event.about.get("samples_count") or event.about.get("epoch_num")
        at = float(step) if isinstance(step, int | float) else float(self.mlperf.events)
        if event.key in {"loss", "throughput", "lr_abs"} and isinstance(event.value, int | float):
            self._point({"lr_abs": "learning rate"}.get(event.key, event.key), at, float(event.value))
        if event.key == "tracked_stats" and isinstance(event.value, dict):
            for name in ("throughput", "loss", "train_loss"):
                if isinstance(value := event.value.get(name), int | float):
                    self._point(NAMES.get(name, name) if name != "train_loss" else "loss", at, float(value))

    def _point(self, name: str, step: float, value: float) -> None:
        series = self.series.get(name)
        if series is None:
            if len(self.series) >= _MOST_SERIES:
                return
            series = self.series[name] = Series()
        series.add(step, value)


def _has(line: str, hints: Sequence[str]) -> bool:
    for hint in hints:  # noqa: SIM110  a generator would cost more than the search
        if hint in line:
            return True
    return False
