"""A drill against a running server: announced, sent as OTLP like anybody's telemetry, and asked about until settled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treering.app.drill.corpus import cases
from treering.app.drill.line import requests
from treering.app.drill.results import kept
from treering.app.drill.score import Result, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.drill.corpus import Technique

_LOOK_S = 0.25


class Target(Protocol):
    """Calls a server."""

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer of an operation."""
        ...

    def send(self, method: str, path: str, body: bytes = b"") -> Any:
        """Return the answer to a request whose body is JSON."""
        ...


def rehearse(
    target: Target, techniques: Sequence[Technique], wait_s: float, told: Callable[[int], None] = lambda _: None
) -> Result:
    """Return how the techniques go on a server; waits up to `wait_s` seconds for what it has not watched yet.

    `told` is called with how many cases are sent. Raises what the server refuses with.
    """
    begun = target.post("/api/drills", {"label": "treering drill", "minutes": min(60.0, 15.0 + wait_s / 60)})
    run = str(begun["run"])
    ahead_ns = int(begun["now_ns"]) - time.time_ns()
    attacks = [case for technique in techniques for case in cases(technique, str(begun["canary"]))]
    starts: dict[str, int] = {}
    sent: dict[str, int] = {}
    try:
        for number, case in enumerate(attacks, 1):
            starts[case.id] = time.time_ns() + ahead_ns - int(case.span_s * 1e9)
            for signal, body in requests(case, run, starts[case.id]):
                target.send("POST", f"/v1/{signal}", body)
            sent[case.id] = time.time_ns() + ahead_ns
            told(number)
        total = sum(len(case.lines) for case in attacks)
        _waited(target, {"run": run}, wait_s, lambda seen: int(seen["records"]) >= total)
    finally:
        target.post("/api/drills/run", {"run": run, "end": True})
    report = _waited(target, {"run": run}, wait_s, lambda seen: bool(seen["ended"]))
    result = scored(attacks, report, starts, sent)
    target.post("/api/drills/result", {"run": run, "result": msgspec.to_builtins(kept(result))})
    return result


def _waited(target: Target, asked: Mapping[str, Any], wait_s: float, done: Callable[[Any], bool]) -> Any:
    until = time.monotonic() + wait_s
    while True:
        report = target.post("/api/drills/run", asked)
        if done(report) or time.monotonic() > until:
            return report
        time.sleep(_LOOK_S)
