"""Training runs that go wrong: NaN, loss spikes, exploding gradients, stalls, GPU errors, the rank that failed first.

Reads what the log formats find in the lines of training loops (`attributes.training.loss`, `.grad_norm`, `.rank` …),
and the words of PyTorch, NCCL and NVIDIA's driver (NVIDIA XID errors, deployment guide r580). A spike is three readings
in a row above the median of those before by half and by eight robust deviations. A run is a service on a host with its
file. It does not see a run that learns nothing, nor one that logs no numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._episodes import Episodes
from treering.detect._evidence import HOST, entities, evidence, named
from treering.detect._lines import holding, line
from treering.detect._recent import recent
from treering.detect._run import Run, is_finite
from treering.model.finding import Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.detect._run import Measure
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "training"
ORDER_FREE = False
_LOSSES = ("attributes.training.loss", "attributes.training.lm_loss")
_GRAD = "attributes.training.grad_norm"
_RANKS = ("attributes.training.rank", "attributes.training.local_rank")
_MOST_RUNS = 200
_HOUR_NS = 3600 * 10**9
_SEVERE_XIDS = frozenset({48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 140})
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<gpu>[0-9A-Fa-f:.]{4,20})\): (?P<number>\d{1,4})")
_MEMORY = re.compile(r"(?:CUDA|HIP) out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED")
_COLLECTIVE = re.compile(
    r"Watchdog caught collective operation timeout|NCCL (?:WARN|error)"
    r"|nccl(?:UnhandledCuda|System|Internal|Remote)Error"
)
_CHECKPOINT = re.compile(r"[Ss]aving (?:model )?checkpoint to (?P<path>\S{1,300})")
_FINISHED = re.compile(r"Training completed|[\"']train_runtime[\"']")
_WORDS = (
    "nvrm: xid", "out of memory", "outofmemoryerror", "cublas_status_alloc_failed", "collective operation timeout",
    "nccl warn", "nccl error", "ncclunhandledcudaerror", "ncclsystemerror", "ncclinternalerror", "ncclremoteerror",
    "checkpoint to", "training completed", "train_runtime", "running training",
)  # fmt: skip


class Config(BaseConfig, frozen=True):
    """When a run goes wrong."""

    spike: Annotated[float, Meta(gt=1, description="times the usual loss that is a spike")] = 1.5
    explosion: Annotated[float, Meta(gt=1, description="times the usual gradient norm that is an explosion")] = 3.0
    stall_s: Annotated[float, Meta(gt=0, description="least seconds without progress that are a stall")] = 300.0
    stall: Annotated[float, Meta(gt=1, description="times the usual pause between reports that is a stall")] = 10.0


class _State(msgspec.Struct):
    runs: dict[str, Run]
    episodes: Episodes


class Training:
    """Follows runs."""

    streams = frozenset({"logs"})
    every_s = 60.0

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._runs: dict[str, Run] = {}
        self._episodes = Episodes(_HOUR_NS)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the lines of a batch say, in their order."""
        spoken = set(holding(rows, _WORDS))
        measured = {place for name in (*_LOSSES, _GRAD) for place in _present(rows, name)}
        failed = {place for name in _RANKS for place in _present(rows, name)}
        found: list[Finding] = []
        for index in sorted(spoken | measured | failed):
            if index in spoken:
                found += self._words(rows, index)
            if index in measured:
                found += self._numbers(rows, index)
            if index in failed:
                found += self._rank(rows, index)
        return found

    def _run(self, rows: Rows, index: int) -> Run:
        columns = ("serviceName", HOST, "attributes.log.file.name")
        name = "\0".join(rows.texts(column)[index] or "" for column in columns)
        return recent(self._runs, name, _MOST_RUNS, Run)

    def _words(self, rows: Rows, index: int) -> Iterable[Finding]:
        text, at_ns = line(rows, index), int(rows.times[index])
        if found := _XID.search(text):
            number = int(found["number"])
            severity = Severity.HIGH if number in _SEVERE_XIDS else Severity.MEDIUM
            gpu = found["gpu"]
            yield self._told(rows, index, "gpu_error", severity, f"GPU {gpu} reports Xid {number}", found.span(),
                             gpu=gpu, xid=number)  # fmt: skip
        elif found := _MEMORY.search(text):
            yield self._told(rows, index, "out_of_memory", Severity.HIGH, "a GPU ran out of memory", found.span())
        elif found := _COLLECTIVE.search(text):
            title = "a collective operation between GPUs failed"
            yield self._told(rows, index, "collective", Severity.HIGH, title, found.span())
        elif found := _CHECKPOINT.search(text):
            run, path = self._run(rows, index), found["path"].rstrip("/")
            run.saved(at_ns, path)
            parts = path.split("/")
            run.name = parts[-2] if len(parts) > 1 else run.name
        elif _FINISHED.search(text):
            self._run(rows, index).ended = True
        elif "running training" in text.lower():
            self._run(rows, index).begin()

    def _told(
        self, rows: Rows, index: int, rule: str, severity: Severity, title: str, span: tuple[int, int], **facts: Any
    ) -> Finding:
        """Return a finding about a line that says by itself what is wrong; equal ones within an hour are folded."""
        at_ns, host = int(rows.times[index]), rows.texts(HOST)[index] or ""
        subject = (rule, rows.texts("serviceName")[index] or "", host, *(str(fact) for fact in facts.values()))
        episode = self._episodes.note(subject, at_ns)
        more = {name: str(value) for name, value in facts.items() if name == "gpu"}
        return Finding(
            detector=NAME,
            rule=rule,
            title=title + (f" on {host}" if host else ""),
            severity=severity,
            key=(*subject[1:], str(episode.start_ns)),
            start_ns=at_ns,
            end_ns=at_ns,
            noticed_ns=at_ns,
            entities=entities(rows, index, **more),
            evidence=(evidence(rows, index, "body", line(rows, index), (span,)),),
            facts=facts,
        )

    def _numbers(self, rows: Rows, index: int) -> Iterable[Finding]:
        run, at_ns = self._run(rows, index), int(rows.times[index])
        run.step(at_ns, evidence(rows, index, "body", line(rows, index)))
        loss = next((value for name in _LOSSES if (value := _number(rows, name, index)) is not None), None)
        grad = _number(rows, _GRAD, index)
        bad = [value for value in (loss, grad) if value is not None and not is_finite(value)]
        if loss is not None and not is_finite(loss):
            run.broken_ns = run.broken_ns or at_ns
            yield self._broken(rows, index, run)
            return
        if loss is not None:
            run.healthy_ns = at_ns
            run.broken_ns = 0
            yield from self._rise(rows, index, run, ("loss_spike", loss, self._config.spike), run.loss)
        if grad is not None and not bad:
            about = ("gradient_explosion", grad, self._config.explosion)
            yield from self._rise(rows, index, run, about, run.grad)

    def _broken(self, rows: Rows, index: int, run: Run) -> Finding:
        at_ns = int(rows.times[index])
        facts: dict[str, Any] = {"last_healthy_ns": run.healthy_ns}
        if checkpoint := run.good_checkpoint(run.broken_ns):
            facts["last_good_checkpoint"] = checkpoint
        return Finding(
            detector=NAME,
            rule="not_finite",
            title=f"the loss of {run.name or 'a training run'} is not a number",
            severity=Severity.CRITICAL,
            key=_key(rows, index, run.broken_ns),
            start_ns=min(run.broken_ns, at_ns),
            end_ns=at_ns,
            noticed_ns=at_ns,
            entities=entities(rows, index, run=run.name),
            evidence=(evidence(rows, index, "body", line(rows, index)),),
            facts=facts,
        )

    def _rise(
        self, rows: Rows, index: int, run: Run, about: tuple[str, float, float], measure: Measure
    ) -> Iterable[Finding]:
        rule, value, times = about
        at_ns = int(rows.times[index])
        turn, usual = measure.read(value, at_ns, times, 8.0)
        if not turn:
            return
        what = "loss" if rule == "loss_spike" else "gradient norm"
        yield Finding(
            detector=NAME,
            rule=rule,
            title=f"the {what} of {run.name or 'a training run'} rises to {value:.4g}, usually {usual:.4g}",
            severity=Severity.MEDIUM,
            key=_key(rows, index, measure.since_ns),
            start_ns=min(measure.since_ns, at_ns),
            end_ns=at_ns,
            noticed_ns=at_ns,
            score=min(1.0, 1 - usual / value) if value > 0 else 1.0,
            entities=entities(rows, index, run=run.name),
            evidence=(evidence(rows, index, "body", line(rows, index)),),
            facts={"observed": value, "usual": usual},
        )

    def _rank(self, rows: Rows, index: int) -> Iterable[Finding]:
        """Tell the first rank with an error; the errors of others that follow it within an hour are its consequence."""
        rank = next((value for name in _RANKS if (value := _number(rows, name, index)) is not None), None)
        error = rows.texts("attributes.exception.type")[index]
        if rank is None or not is_finite(rank) or not 0 <= rank < 1e6 or (error is None and not _failed(rows, index)):
            return
        run, at_ns = self._run(rows, index), int(rows.times[index])
        follows = run.failed_ns and abs(at_ns - run.failed_ns) < _HOUR_NS
        if follows and rank != run.failed_rank and at_ns >= run.failed_ns:
            return
        if not follows:
            run.failed_ns = at_ns
        run.failed_rank = int(rank)
        # The launcher's own report says which rank, not why.
        summary = error is None or error.endswith("ChildFailedError")
        text = rows.texts("attributes.exception.message")[index] or line(rows, index)
        yield Finding(
            detector=NAME,
            rule="rank_failed",
            title=f"rank {int(rank)} of {run.name or 'a training run'} failed first: {(error or text)[:80]}",
            severity=Severity.HIGH if summary else Severity.CRITICAL,
            key=_key(rows, index, run.failed_ns),
            start_ns=min(run.failed_ns, at_ns),
            end_ns=max(run.failed_ns, at_ns),
            noticed_ns=at_ns,
            entities=entities(rows, index, run=run.name, rank=str(int(rank))),
            evidence=(evidence(rows, index, "body", line(rows, index) or text),),
            facts={"rank": int(rank), "error": (error or "")[:200], "last_good_checkpoint": run.good_checkpoint(at_ns)},
        )

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  the lines say it all
        """Return the runs that have stopped to report."""
        found: list[Finding] = []
        for name, run in self._runs.items():
            silent = run.silent_ns(now_ns, int(self._config.stall_s * 1e9), self._config.stall)
            if silent:
                run.stalled = True
                found.append(self._stalled(name, run, now_ns, silent))
        return found

    def _stalled(self, name: str, run: Run, now_ns: int, silent_ns: int) -> Finding:
        service, host, file = name.split("\0")
        last_ns = run.steps[-1]
        about: list[tuple[str, str | None]] = [("service", service), ("host", host), ("run", run.name)]
        return Finding(
            detector=NAME,
            rule="stall",
            title=f"{run.name or 'a training run'} has not reported for {silent_ns / 60e9:.0f} minutes",
            severity=Severity.HIGH,
            key=(service, host, file, str(last_ns)),
            start_ns=last_ns,
            end_ns=now_ns,
            noticed_ns=now_ns,
            entities=named(about),
            evidence=(run.last,) if run.last is not None else (),
            facts={"silent_s": silent_ns / 1e9},
        )

    def save(self) -> bytes:
        """Return runs and open episodes."""
        return msgspec.msgpack.encode(_State(self._runs, self._episodes))

    def restore(self, state: bytes) -> None:
        """Go on from saved runs. Raises `ValueError`."""
        held = msgspec.msgpack.decode(state, type=_State)
        self._runs, self._episodes = held.runs, held.episodes


def _key(rows: Rows, index: int, since_ns: int) -> tuple[str, ...]:
    columns = ("serviceName", HOST, "attributes.log.file.name")
    return (*(rows.texts(column)[index] or "" for column in columns), str(since_ns))


def _present(rows: Rows, name: str) -> Iterable[int]:
    if not rows.has(name):
        return ()
    return [index for index, value in enumerate(rows.values(name)) if value is not None]


def _number(rows: Rows, name: str, index: int) -> float | None:
    value = rows.values(name)[index] if rows.has(name) else None
    if isinstance(value, str) and value.lower() in {"nan", "inf", "-inf", "infinity", "-infinity"}:
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _failed(rows: Rows, index: int) -> bool:
    return bool(rows.values("attributes.process.exit.code")[index])


def build(config: Config) -> Training:
    """Return the detector."""
    return Training(config)


def _report(number: int, loss: str, grad: str = "0.8") -> dict[str, Any]:
    def value(text: str) -> float | str:
        return text if text == "nan" else float(text)

    return {
        "@timestamp": 1_772_000_000_000_000_000 + number * 12 * 10**9,
        "serviceName": "trainer",
        "resource": {"attributes": {"host.name": "train-01"}},
        "body": f"{{'loss': '{loss}', 'grad_norm': '{grad}', 'epoch': '1.5'}}",
        "attributes": {"training.loss": value(loss), "training.grad_norm": value(grad)},
    }


def _line(number: int, body: str, **attributes: Any) -> dict[str, Any]:
    return _report(number, "1") | {"body": body, "attributes": attributes}


_HEALTHY = [_report(number, f"{1.3 + number % 7 / 50:.2f}", f"{0.8 + number % 5 / 20:.2f}") for number in range(40)]
_ERROR = {"training.rank": 2, "exception.type": "FloatingPointError", "exception.message": "loss is not finite"}

EXAMPLES = (
    Example("the loss becomes NaN", "logs", [*_HEALTHY, _report(40, "nan", "nan")], ("not_finite",), 60),
    Example("the loss jumps and stays", "logs", [*_HEALTHY, *(_report(40 + n, "2.9") for n in range(4))],
            ("loss_spike",), 60),
    Example("gradients explode", "logs", [*_HEALTHY, *(_report(40 + n, "1.3", f"{4 + n}") for n in range(4))],
            ("gradient_explosion",), 60),
    Example("a run falls silent", "logs", _HEALTHY, ("stall",), 1200),
    Example("another run begins with a high loss", "logs",
            [*_HEALTHY, _line(41, "***** Running training *****"), *(_report(42 + n, "6.1") for n in range(20))],
            (), 60),
    Example("a run ends", "logs", [*_HEALTHY, _line(41, "Training completed.")], (), 1200),
    Example("one rank fails, the others are stopped", "logs",
            [*_HEALTHY, _line(41, "FloatingPointError: loss is not finite", **_ERROR),
             _line(42, "RuntimeError", **(_ERROR | {"training.rank": 1, "exception.type": "RuntimeError"}))],
            ("rank_failed",), 60),
    Example("a GPU reports a memory error", "logs",
            [_line(1, "NVRM: Xid (PCI:0000:b1:00): 63, pid=1, Row Remapper: New row marked for remapping")],
            ("gpu_error",)),
    Example("out of memory, and a collective that fails", "logs",
            [_line(1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
             _line(2, "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)")],
            ("out_of_memory", "collective")),
    Example("a healthy run", "logs", _HEALTHY, (), 60),
)  # fmt: skip
