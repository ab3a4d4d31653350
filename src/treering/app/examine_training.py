"""Training runs among the files: what became of each, who failed first."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from treering.app.examiner import Examiner, File, Remark
from treering.parse.training import verdict as judging
from treering.parse.training.ending import Written
from treering.parse.training.failures import STOPS
from treering.parse.training.run import RunLog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.parse.digest import Group

_MOST_RUNS = 10_000
_DETAILED = 200
_LONGEST = 300
_JSON = re.compile(r'\s*(?:[\[{]\s*$|\[?\s*\{\s*"[^"]*"\s*:)')
_ERROR = 17
# What the kernel says of the machine under a run, in whatever log: NVIDIA's Xid messages, processes killed for memory.
_MACHINE = {"NVRM: Xid": "GPU fault", "ut of memory: Killed process": "out of memory"}
_WEIGHTS = {judging.MISSED: 65.0, judging.STOPPED: 70.0, judging.ABORTED: 60.0, judging.RUNNING: 20.0}


class Training(Examiner):
    """One run a file."""

    name = "training_runs"

    def __init__(self) -> None:
        """Begin without runs."""
        self.runs: list[dict[str, Any]] = []
        self.verdicts: Counter[str] = Counter()
        self._remarks: list[Remark] = []
        self._unknown: Counter[str] = Counter()
        self._run = RunLog()
        self._file = ""
        self._read = File("", None, 0)
        self._span: tuple[int, int] | None = None
        self._dated = 0
        self._documents: bool | None = None
        self._machine: dict[str, tuple[int, str]] = {}

    def wants(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is an object of metrics, a loss by step, or its message tells of progress."""
        attributes, body = record.get("attributes"), record.get("body")
        if self._documents and isinstance(body, str) and self._run.tells(body):
            return True
        return any("loss" in name for name in (attributes if isinstance(attributes, dict) else record))

    def begin(self, file: File) -> None:
        """Take the next run."""
        self._run, self._read, self._documents, self._machine = RunLog(), file, None, {}
        self._file, self._span, self._dated = file.name, None, 0

    def lines(self, lines: Sequence[str]) -> None:
        """Read what lines say about a run; a file of JSON is no log of one."""
        if self._documents is None:
            self._documents = _is_json(lines[0])
        if not self._documents:
            self._run.feed(lines)
            for mark, cause in _MACHINE.items():
                if said := [line for line in lines if mark in line]:
                    count, first = self._machine.get(cause, (0, said[0][:_LONGEST]))
                    self._machine[cause] = (count + len(said), first)

    def record(self, record: Mapping[str, Any], stream: str) -> None:  # noqa: ARG002  a file of its own
        """Take in a saved state of the transformers Trainer, or an object of metrics."""
        attributes = record.get("attributes")
        if isinstance(moment := record.get("@timestamp"), int):
            self._date(moment, moment)
        if "log_history" in record and "global_step" in record:
            self._run.state(record)
            return
        at_ns = moment if isinstance(moment, int) else 0
        if "body" not in record:
            fields = attributes if isinstance(attributes, dict) and "step" not in record else record
            self._run.measured(fields, self._file, at_ns)
        elif self._documents and isinstance(body := record["body"], str):
            self._run.said(body, at_ns, is_error=(record.get("severityNumber") or 0) >= _ERROR)

    def group(self, group: Group) -> None:
        """Note when lines were written."""
        if group.first_ns is not None and group.last_ns is not None:
            self._date(group.first_ns, group.last_ns, group.count)

    def _date(self, first_ns: int, last_ns: int, count: int = 1) -> None:
        begun, ended = self._span or (first_ns, last_ns)
        self._span = min(begun, first_ns), max(ended, last_ns)
        self._dated += count

    def end(self) -> None:
        """Judge the run."""
        self._run.settle()
        if not self._run.is_training:
            self._remark_machine()
            return
        if self._span is not None:
            self._run.written = Written(*self._span, self._dated, self._read.written_ns, self._read.now_ns)
        found = judging.judge(self._run)
        self.verdicts[found.verdict] += 1
        if len(self.runs) < _MOST_RUNS:
            about = judging.report(self._run)
            if len(self.runs) >= _DETAILED:
                about = {name: about[name] for name in ("verdict", "why", "certain", "first_failing_rank")}
            self.runs.append({"file": self._file, **about})
        self._unknown.update(found.unknown)
        self._remark(found)

    def _remark(self, found: judging.Verdict) -> None:
        if found.bad or (found.verdict == judging.RUNNING and not found.certain):
            rank = "" if found.first_rank is None else f", rank {found.first_rank} first"
            weight = 58.0 if found.verdict in STOPS else _WEIGHTS.get(found.verdict, 92.0 if found.certain else 85.0)
            self._remarks.append(Remark(weight, "training run", f"{found.verdict}{rank}", found.why, self._file))
        for note in found.notes:
            weight = 45.0 if "went on" in note or "NaN" in note else 34.0
            self._remarks.append(Remark(weight, "training run", note, f"verdict {found.verdict}", self._file))

    def _remark_machine(self) -> None:
        for cause, (count, first) in self._machine.items():
            what = f"the kernel reports: {cause}{f', {count} times' if count > 1 else ''}"
            self._remarks.append(Remark(88.0, "machine", what, first.strip(), self._file))

    def judged(self) -> int:
        """Return the number of runs."""
        return self.verdicts.total()

    def remarks(self) -> list[Remark]:
        """Return the runs that did not end well, and what is odd about the others."""
        return self._remarks

    def unknown(self) -> list[str]:
        """Return what no log of a run tells."""
        return [f"{what}{f' ({count} runs)' if count > 1 else ''}" for what, count in self._unknown.most_common(4)]

    def details(self) -> Any:
        """Return the verdicts and the runs."""
        return {"verdicts": dict(self.verdicts.most_common()), "runs": self.runs} if self.runs else None


def _is_json(line: str) -> bool:
    """Whether a file that begins so is JSON, other than docker's around the lines of a log."""
    return _JSON.match(line) is not None and not line.startswith('{"log":')
