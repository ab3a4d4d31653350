"""Why runs die: errors in the lines of a training log, and the rank that had them.

The classes follow what drivers, NCCL, PyTorch, the kernel and Slurm print. One failure makes many ranks complain: what
follows the first, and what launchers say about the death of others, are consequences.
"""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from functools import cache

import msgspec

from treering.parse import stacktraces


@cache
def classes() -> tuple[tuple[str, ...], re.Pattern[str]]:
    """Return the names of the classes, the most telling first, and a pattern with a group for each."""
    data = importlib.resources.files("treering.content").joinpath("training", "failures.json").read_bytes()
    table = msgspec.json.decode(data, type=list[tuple[str, list[str]]])
    groups = "|".join(f"(?P<c{number}>{'|'.join(patterns)})" for number, (_, patterns) in enumerate(table))
    return tuple(name for name, _ in table), re.compile(groups)


# What only a line's level says.
STATED = "error"
STOPS = frozenset({"time limit", "preempted", "node failure", "cancelled"})
_TRACE = "Traceback (most recent call last):"
# Ray prints the trace of another process under this.
_REMOTE = re.compile(r"^ray\.exceptions\.\w+\(")
_ROOT = re.compile(r"Root Cause \(first observed failure\)")
_ROOT_RANK = re.compile(r"^\W*rank +: (\d+)")
# What a launcher says about a process, not what the process says.
_CONSEQUENCE = re.compile(
    r"ChildFailedError|Killing subprocess|closing signal SIGTERM|received SIGTERM|CalledProcessError|failed \(exitcode|"
    r"exited with exit code|tasks? [\d,-]+: |srun: error|Signals\.SIGTERM|SignalException"
)
_PREFIX = re.compile(r"(?:\[rank(\d+)\]: ?|\[?(\d+)\]?<std(?:err|out)>: ?|\s{0,4}(\d{1,5}): )")
_RANK = re.compile(r"\[[Rr]ank (\d+)\]|\b[Rr]ank[ =:]{1,3}(\d+)\b|\((?:local_)?rank:? (\d+)\)|\btask (\d+): ")
_EXCEPTION = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Failure|Timeout))(?::|$)")
# A line without any of these reports no error, unless it ends a stack trace.
HINTS = (
    "rror", "Traceback", "CANCELLED", "NVRM", "NCCL WARN", "NCCL.", "SIGSEGV", "SIGABRT", "memory", "Memory",
    "KeyboardInterrupt", "NaN", "nan ", "core dumped", "Segmentation", "Root Cause", "Watchdog", "No space left",
    "quota", "DataLoader worker", "ECC", "bad_alloc", "om-kill", "om_kill", "OOM", "fallen off", "CUDNN_STATUS",
    "device-side", "launch failure", "timed out", "timeout", "loss is", "loss was", "loss became", "ALLOC_FAILED",
    "SIGKILL", "exitcode", "exit code", "Killed", "loss scale", ": task", "ERROR", "CRITICAL", "FATAL",
)  # fmt: skip


@dataclass(slots=True)
class Failure:
    """An error: its class, what the log says, the number of its line, and the rank that printed it, if it says so."""

    cause: str
    text: str
    line: int
    rank: int | None = None
    consequence: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What is the same when many ranks say the same."""
        return self.cause, re.sub(r"\d+", "#", self.text[:120])


class Failures:
    """Finds errors in lines that come in order."""

    def __init__(self) -> None:
        """Begin outside any stack trace."""
        self._traces: dict[str, int] = {}
        self._in_root = 0
        self.root_rank: int | None = None

    @property
    def waits(self) -> bool:
        """Whether the next line matters whatever is in it: a stack trace or a summary has begun."""
        return bool(self._traces or self._in_root)

    def read(self, line: str, number: int) -> Failure | None:
        """Return the error that line `number` reports or ends, or None."""
        prefix = _PREFIX.match(line)
        text = line[prefix.end() :] if prefix else line
        label = prefix[0] if prefix else ""
        if self._root(text):
            return None
        if _TRACE in text or _REMOTE.search(text):
            if len(self._traces) < 4096:
                self._traces[label] = number
            return None
        if label in self._traces and text and not text[0].isspace():
            begun = self._traces.pop(label)
            named = _EXCEPTION.match(text) or stacktraces.opens(text)
            if named:
                return self._failure(text, begun, line, _cause(text) or "exception")
        if (cause := _cause(text)) is None:
            return None
        return self._failure(text, number, line, cause)

    def _root(self, text: str) -> bool:
        """Read torchelastic's summary, which names the rank that failed first."""
        if _ROOT.search(text):
            self._in_root = 8
            return True
        if self._in_root:
            self._in_root -= 1
            if found := _ROOT_RANK.match(text):
                self.root_rank, self._in_root = int(found[1]), 0
                return True
        return False

    def _failure(self, text: str, number: int, line: str, cause: str) -> Failure:
        return Failure(cause, text.strip()[:400], number, rank_of(line), _CONSEQUENCE.search(text) is not None)


def _cause(text: str) -> str | None:
    names, pattern = classes()
    found = pattern.search(text)
    return names[int((found.lastgroup or "c0")[1:])] if found else None


def rank_of(line: str) -> int | None:
    """Return the rank that a line names as its own, or None."""
    found = _PREFIX.match(line) or _RANK.search(line)
    return int(next(group for group in found.groups() if group is not None)) if found else None
