"""What became of a training run: one verdict from everything its log says, and how sure that is.

States only what the log shows. A log that ends without saying why is reported as that, and a run that its benchmark
calls aborted although it looked healthy is reported as both.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.parse.training import ending
from treering.parse.training.failures import STATED, STOPS

if TYPE_CHECKING:
    from treering.parse.training.failures import Failure
    from treering.parse.training.run import RunLog

SUCCEEDED, REACHED, MISSED, COLLAPSED = "succeeded", "target reached", "target missed", "collapsed"
NAN, DIVERGED, COMPLETED, STOPPED = "NaN", "diverged", "completed", "log just stops"
RUNNING, ABORTED, MEASURED, OPEN = "under way", "aborted", "bandwidth measured", "no end stated"
BAD = frozenset({MISSED, COLLAPSED, NAN, DIVERGED, STOPPED, ABORTED})
_SHOWN_FAILURES = 5
_BAD_GRADIENTS = 10


@dataclass(slots=True)
class Verdict:
    """The verdict on one log. `verdict` is one of the names above or the class of a failure (`out of memory` …)."""

    verdict: str
    why: str
    certain: bool = True
    first_error: Failure | None = None
    first_rank: int | None = None
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def bad(self) -> bool:
        """Whether the run did not end as it should."""
        return self.verdict in BAD or self.first_error is not None


def judge(run: RunLog) -> Verdict:
    """Return the verdict on the run of a log, which may still be written."""
    found = _mlperf(run) if run.mlperf.events else _other(run)
    _notes(run, found)
    _unknown(run, found)
    return found


def fatal(run: RunLog) -> list[Failure]:
    """Return the errors after the last progress, the first one first: those before it were survived."""
    late = [one for one in run.errors if one.line >= run.last_progress]
    causes = [one for one in late if not one.consequence]
    # A step is cancelled when one of its tasks has died: then what the launcher said before is nearer to the cause.
    if causes and causes[0].cause == "cancelled" and late[0].line < causes[0].line:
        return late
    return causes or late


def _mlperf(run: RunLog) -> Verdict:
    said, last = run.mlperf.status, _last_evaluation(run)
    if said == "success":
        return Verdict(SUCCEEDED, f"run_stop says success; {last}")
    if said is not None:
        return _aborted(run, f"run_stop says {said}", last)
    if errors := fatal(run):
        return _failed(run, errors)
    return _unfinished(run, last)


def _aborted(run: RunLog, how: str, last: str) -> Verdict:
    if collapsed := run.mlperf.collapsed():
        return Verdict(COLLAPSED, f"{how}: {collapsed}")
    if run.mlperf.reached() is False:
        return Verdict(MISSED, f"{how}: {last}; nothing else in the log looks wrong")
    return Verdict(ABORTED, f"{how}, although the log looks healthy to its end; {last}", certain=False)


def _unfinished(run: RunLog, last: str) -> Verdict:
    """Judge a run whose log ends, so far, without a run_stop."""
    end = "no run_stop: still running, or it ended without a word"
    if collapsed := run.mlperf.collapsed():
        return Verdict(COLLAPSED, f"{collapsed}; {end}", certain=False)
    reached = run.mlperf.reached()
    if reached is None:
        return Verdict(OPEN, f"{last}, no target known; {end}", certain=False)
    return Verdict(REACHED if reached else RUNNING, f"{last}; {end}", certain=False)


def _last_evaluation(run: RunLog) -> str:
    known = run.mlperf.target
    parts = []
    for name, pairs in run.mlperf.evals.items():
        value, one = pairs[-1][1], known.get(name)
        aim = f" (target {one.target:g}, {one.better} is better)" if one else ""
        parts.append(f"{'' if name == 'value' else name + ' '}{value:.5g}{aim}")
    if not parts:
        return "no evaluation in the log"
    count = max(len(pairs) for pairs in run.mlperf.evals.values())
    return f"last of {count} evaluations {', '.join(parts)}"


def _other(run: RunLog) -> Verdict:
    errors = fatal(run)
    # A class of its own says why a run died; a line's level only that something was wrong.
    errors = [one for one in errors if one.cause != STATED] or errors
    if errors and not _ended_before(run, errors[0]):
        return _failed(run, errors)
    return _sick(run) or _ended(run)


def _ended_before(run: RunLog, error: Failure) -> bool:
    """Whether training had ended when an error came that may have other reasons."""
    if error.cause == STATED:
        return run.done_at >= max(1, run.last_progress)
    return run.done_at > error.line and error.cause in STOPS


def _sick(run: RunLog) -> Verdict | None:
    """Judge the course of the loss."""
    loss, grad = run.series.get("loss"), run.series.get("grad norm")
    for name, series in (("loss", loss), ("gradient norm", grad)):
        # A single bad gradient is a step that the loss scaler skips; a loss of exactly 0 with it is not.
        dead = series is loss or (loss is not None and loss.last == 0.0)
        if series is not None and series.ended_bad and (dead or series.bad_at_end >= _BAD_GRADIENTS):
            why = f"the {name} has been NaN or infinite since {run.counted_by} {series.first_bad:g}; {_where(run)}"
            return Verdict(NAN, why)
    if loss is not None and loss.diverged and not _rewarded(run):
        why = f"the loss rose from {min(loss.values):.4g} to {loss.values[-1]:.4g}; {_where(run)}"
        return Verdict(DIVERGED, why, certain=False)
    return None


def _rewarded(run: RunLog) -> bool:
    """Whether the run maximises a reward: then its loss may rise, as that of GRPO does with the distance it keeps."""
    return any("reward" in name or "rew_mean" in name for name in run.series)


def _ended(run: RunLog) -> Verdict:
    at = _where(run)
    if run.done_at:
        return Verdict(COMPLETED, f"the log reports the end of training; {at}")
    if run.bandwidth:
        about = f"{len(run.bandwidth)} all-reduce measurements, median {statistics.median(run.bandwidth):.1f}"
        return Verdict(MEASURED, f"no training in it: {about} {run.bandwidth_unit}")
    if _all_done(run):
        return Verdict(COMPLETED, f"all steps are done, though no line says that training ended; {at}", certain=False)
    if run.is_state:
        return Verdict(RUNNING, f"a saved state {at}, not a log")
    return _broken_off(run) or Verdict(OPEN, f"no line tells of an end, and nothing of an early one; {at}")


def _all_done(run: RunLog) -> bool:
    if run.bar and run.bar[0] == run.bar[1] and not ending.missing(run):
        return True
    due = run.epochs if run.counted_by == "epoch" else run.total
    return due is not None and run.step is not None and run.step >= due


def _broken_off(run: RunLog) -> Verdict | None:
    """Judge a run that may have ended early, by evidence only."""
    written = run.written
    if behind := ending.silent(run):
        rank, step = next(iter(behind.items()))
        ahead = max(reach.last for reach in run.ranks.values())
        more = f" and {len(behind) - 1} more" if len(behind) > 1 else ""
        why = f"rank {rank}{more} says nothing after step {step:g}, others go on to {ahead:g}"
        return Verdict(STOPPED, why, certain=False, first_rank=rank)
    if short := ending.missing(run):
        if written is not None and written.is_recent:
            return Verdict(RUNNING, f"at {short}, and the last line is new")
        return Verdict(STOPPED, f"it ends at {short} without a word, if it is not still running", certain=False)
    if written is not None and (silence := written.silence_s):
        why = f"the file was written {silence / 60:,.0f} minutes after its last dated line (usual pause"
        why = f"{why} {written.rhythm_s:.3g} s), if it is no copy; {_where(run)}"
        return Verdict(STOPPED, why, certain=False)
    return None


def _failed(run: RunLog, errors: list[Failure]) -> Verdict:
    first = errors[0]
    alike = (one.rank for one in run.errors if one.cause == first.cause and one.line >= first.line)
    rank = run.root_rank if run.root_rank is not None else next((rank for rank in alike if rank is not None), None)
    more = run.repeats[first.key] - 1
    again = f" (and {more} more like it)" if more else ""
    why = f"{first.text}{again}; {_where(run)}"
    certain = not first.consequence and first.cause != STATED
    return Verdict(first.cause, why, certain=certain, first_error=first, first_rank=rank)


def _where(run: RunLog) -> str:
    if run.counted_by == "epoch" and run.step is not None:
        return f"at epoch {run.step:g}{f' of {run.epochs:g}' if run.epochs else ''}"
    if run.step is not None and run.total:
        return f"at step {run.step:g} of {run.total:g}"
    if run.bar is not None:
        return f"at step {run.bar[0]:g} of {run.bar[1]:g}"
    return f"at {run.step:g}" if run.step is not None else "before the first step that was logged"


def _notes(run: RunLog, found: Verdict) -> None:
    loss = run.series.get("loss")
    for name in ("loss", "grad norm"):
        series = run.series.get(name)
        if series is not None and (spikes := series.spikes()):
            step, value, usual = max(spikes, key=lambda one: one[1] / max(abs(one[2]), 1e-12))
            found.notes.append(f"{len(spikes)} spikes of {name}, the worst {value:.4g} at {step:g} (usual {usual:.4g})")
        if series is not None and series.bad and found.verdict != NAN:
            found.notes.append(f"{name} was NaN or infinite {series.bad} times, first at {series.first_bad:g}")
    if (tried := run.series.get("eval_loss")) is not None and (rise := tried.risen) is not None:
        step, best = rise
        found.notes.append(f"the evaluation's loss rises since {step:g}: {best:.4g} to {tried.values[-1]:.4g}")
    if run.skipped:
        found.notes.append(f"{run.skipped:g} iterations skipped (the loss scale was too high)")
    if run.nan_iterations:
        found.notes.append(f"{run.nan_iterations:g} iterations with NaN")
    if loss is not None and loss.plateau:
        found.notes.append("the loss has not moved in the last third")
    if run.restarts:
        found.notes.append(f"{run.restarts} restarts: the step went back")
    survived = [one for one in run.errors if one.line < run.last_progress and not one.consequence]
    if survived:
        found.notes.append(f"{len(survived)} kinds of errors before, after which it went on: {survived[0].text[:120]}")


def _unknown(run: RunLog, found: Verdict) -> None:
    if found.first_error is not None and found.first_rank is None and found.verdict not in STOPS:
        found.unknown.append("which rank failed first: no error line names one")
    if found.verdict in STOPS:
        found.unknown.append("whether training went well until it was stopped: no target is known")
    if not run.mlperf.events and "loss" not in run.series and not run.bandwidth:
        found.unknown.append("the course of the loss: no line prints it")
    if run.mlperf.events and found.verdict in {MISSED, ABORTED}:
        found.unknown.append("why the quality stayed below the target: such runs look like the others to the end")


def seconds(run: RunLog) -> dict[str, float]:
    """Return where the time went in seconds, as far as the log tells."""
    if run.mlperf.events:
        return run.mlperf.seconds()
    found = {}
    if "train_runtime" in run.summary:
        found["training"] = run.summary["train_runtime"]
    pace = run.series.get("iteration ms")
    if pace is not None and pace.values:
        found["a step (median)"] = statistics.median(pace.values) / 1000
        found["the slowest step"] = max(pace.values) / 1000
    elif (bar := run.series.get("seconds a step")) is not None and bar.values:
        found["a step (median)"] = statistics.median(bar.values)
    if run.phases:
        whole = sum(run.phases.values())
        longest = sorted(run.phases.items(), key=lambda pair: -pair[1])[:3]
        found |= {f"{name} (share)": value / whole for name, value in longest if whole}
    if (spent := run.series.get("eval_runtime")) is not None:
        found["evaluation"] = sum(spent.values)
    return found


def report(run: RunLog) -> dict[str, Any]:
    """Return verdict, errors, series and times as plain values."""
    found = judge(run)
    first = found.first_error
    return {
        "verdict": found.verdict,
        "why": found.why,
        "certain": found.certain,
        "first_error": None if first is None else {"line": first.line, "cause": first.cause, "text": first.text},
        "first_failing_rank": found.first_rank,
        "errors": [
            {"line": one.line, "cause": one.cause, "rank": one.rank, "times": run.repeats[one.key], "text": one.text}
            for one in fatal(run)[:_SHOWN_FAILURES]
        ],
        "notes": found.notes,
        "unknown": found.unknown,
        "step": run.step if run.step is not None else (run.bar[0] if run.bar else None),
        "total": (run.epochs if run.counted_by == "epoch" else run.total) or (run.bar[1] if run.bar else None),
        "seconds": {name: round(value, 3) for name, value in seconds(run).items()},
        "series": {name: series.about() for name, series in run.series.items() if series.count > 1},
        "evaluations": {name: [value for _, value in pairs][-20:] for name, pairs in run.mlperf.evals.items()},
        "benchmark": run.mlperf.benchmark or None,
    }
