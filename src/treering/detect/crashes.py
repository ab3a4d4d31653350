"""Processes that die: killed for memory, gone by a fault, started again and again.

Reads log lines: the kernel's and the runtimes' own words for a death (Linux `mm/oom_kill.c`, systemd's
`unit_log_failure`, Kubernetes' `BackOff` events, vLLM's engine monitor). A death is told at its first line; further
ones of the same process on the same host within an hour are folded into it, and from the third on it is a loop. A line
repeated by two senders counts once per record: the fold then says a greater number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._episodes import Episodes
from treering.detect._evidence import HOST, entities, evidence
from treering.detect._lines import holding, line
from treering.model.finding import Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "crashes"
ORDER_FREE = False
_HOUR_NS = 3600 * 10**9


class Config(BaseConfig, frozen=True):
    """When deaths are a loop."""

    loop: Annotated[int, Meta(ge=2, description="deaths of one process within the window that are a loop")] = 3
    window_s: Annotated[float, Meta(gt=0, description="seconds within which deaths are counted for a loop")] = 3600.0


class _Sign(NamedTuple):
    """A way in which logs say that a process died: a word to look for, the line's shape, whether it is the kernel's."""

    rule: str
    word: str
    shape: re.Pattern[str]
    severity: Severity
    title: str


_SIGNS = (
    _Sign(
        "oom_kill",
        "killed process",
        re.compile(r"[Kk]illed process \d{1,10} \((?P<process>[^)]{1,100})\)"),
        Severity.HIGH,
        "the kernel killed {process} for memory",
    ),
    _Sign("oom_kill", "oomkilled", re.compile(r"\bOOMKilled\b"), Severity.HIGH, "{process} ran out of memory"),
    _Sign(
        "died",
        "died unexpectedly",
        re.compile(r"(?P<process>[\w:.-]{1,100}) (?:has )?died unexpectedly"),
        Severity.HIGH,
        "{process} died",
    ),
    _Sign(
        "died",
        "main process exited",
        re.compile(r"(?P<process>[\w@:.-]{1,100}): [Mm]ain process exited, code=\w{1,20}, status=(?!0/)"),
        Severity.MEDIUM,
        "{process} died",
    ),
    _Sign(
        "died",
        "segfault at",
        re.compile(r"(?P<process>[^\s\[]{1,100})\[\d+\]: segfault at"),
        Severity.HIGH,
        "{process} died of a segmentation fault",
    ),
    _Sign(
        "restart_loop",
        "crashloopbackoff",
        re.compile(r"\bCrashLoopBackOff\b"),
        Severity.HIGH,
        "{process} is started again and again",
    ),
    _Sign(
        "restart_loop",
        "back-off restarting",
        re.compile(r"[Bb]ack-off restarting failed container (?P<process>[\w.-]{0,100})"),
        Severity.HIGH,
        "{process} is started again and again",
    ),
)
_WORDS = tuple(dict.fromkeys(sign.word for sign in _SIGNS))


class Crashes:
    """Follows deaths by process and host."""

    streams = frozenset({"logs"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start with nothing known."""
        self._config = config
        self._deaths = Episodes(_HOUR_NS)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the lines of a batch say about deaths."""
        found: list[Finding] = []
        for index in holding(rows, _WORDS):
            text = line(rows, index)
            low = text.lower()
            for sign in _SIGNS:
                if sign.word in low and (shape := sign.shape.search(text)):
                    found += self._death(rows, index, sign, shape)
                    break
        return found

    def _death(self, rows: Rows, index: int, sign: _Sign, shape: re.Match[str]) -> Sequence[Finding]:
        at_ns = int(rows.times[index])
        service, host = rows.texts("serviceName")[index] or "", rows.texts(HOST)[index] or ""
        process = shape.groupdict().get("process") or service or "a process"
        episode = self._deaths.note((sign.rule, host, process), at_ns)
        shown = evidence(rows, index, "body", line(rows, index), (shape.span(),))
        one = Finding(
            detector=NAME,
            rule=sign.rule,
            title=sign.title.format(process=process) + (f" on {host}" if host else ""),
            severity=sign.severity,
            key=(host, process, str(episode.start_ns)),
            start_ns=at_ns,
            end_ns=at_ns,
            noticed_ns=at_ns,
            entities=entities(rows, index, process=process),
            evidence=(shown,),
            facts={"deaths": episode.count},
        )
        loop = self._loop(one, episode.marks, at_ns)
        return (one,) if loop is None or sign.rule == "restart_loop" else (one, loop)

    def _loop(self, one: Finding, marks: Sequence[int], at_ns: int) -> Finding | None:
        within = [mark for mark in marks if 0 <= at_ns - mark <= self._config.window_s * 1e9]
        if len(within) < self._config.loop:
            return None
        process = next(iter(one.values("process")), "a process")
        host = next(iter(one.values("host")), "")
        return msgspec.structs.replace(
            one,
            rule="restart_loop",
            title=f"{process} dies again and again" + (f" on {host}" if host else ""),
            start_ns=min(within),
            severity=Severity.CRITICAL,
            facts={"deaths": len(within), "threshold": self._config.loop, "window_s": self._config.window_s},
        )

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: deaths are told as they are read."""
        return ()

    def save(self) -> bytes:
        """Return the open episodes."""
        return msgspec.json.encode(self._deaths)

    def restore(self, state: bytes) -> None:
        """Go on from saved episodes. Raises `ValueError`."""
        self._deaths = msgspec.json.decode(state, type=Episodes)


def build(config: Config) -> Crashes:
    """Return the detector."""
    return Crashes(config)


def _kill(second: int, pid: int, process: str = "VLLM::EngineCor") -> dict[str, Any]:
    return {
        "@timestamp": f"2026-03-01T04:{second // 60:02}:{second % 60:02}Z",
        "serviceName": "kernel",
        "resource": {"attributes": {"host.name": "gpu-01"}},
        "body": f"Memory cgroup out of memory: Killed process {pid} ({process}) total-vm:97456627kB",
    }


EXAMPLES = (
    Example("one kill for memory", "logs", [_kill(10, 218)], ("oom_kill",)),
    Example(
        "three kills within an hour are a loop",
        "logs",
        [_kill(10, 218), _kill(500, 219), _kill(900, 220)],
        ("oom_kill", "restart_loop"),
    ),
    Example(
        "an engine that dies",
        "logs",
        [{"@timestamp": 1, "serviceName": "vllm", "body": "Engine core proc EngineCore_DP0 died unexpectedly"}],
        ("died",),
    ),
    Example(
        "a service that ends in peace, and talk about death",
        "logs",
        [
            {"@timestamp": 1, "body": "web.service: Main process exited, code=exited, status=0/SUCCESS"},
            {"@timestamp": 2, "body": "the user asked why a killed process leaves a zombie"},
        ],
    ),
)
