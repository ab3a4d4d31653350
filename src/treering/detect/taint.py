"""Injections that arrived in a tool's result or a document, and what an agent did because of them.

Every trace of an agent is followed: texts it was given, orders in them (`content/rules/orders.yaml`), what its tools
were given afterwards. Of a trace there is one finding: `injection_followed` with the source, the steps that did what it
said and the data they carried, or `injection_attempted` where nothing did. A trace is judged when it is over or has
been silent for `quiet_s`; late spans have it judged again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect import _agent_runs, _taint_examples
from treering.detect._agent_runs import Run
from treering.detect._chain import Chain
from treering.detect._following import Limits, judge
from treering.detect._prompt_scan import digest
from treering.detect._texts import DOCUMENT
from treering.detect._whom import Whom, restored
from treering.model.finding import Entity, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.detect._following import Judgement
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "taint"
ORDER_FREE = False
"""A trace that was thought to be over may go on: what was told of it then stays told."""
ATTEMPTED, FOLLOWED = "injection_attempted", "injection_followed"
_MOST_RUNS, _MOST_BYTES = 2_000, 3 << 20
_MOST_AGENTS, _MOST_TOOLS = 200, 60
_KEPT_NS = 1800 * 10**9
"""How long a trace that was judged waits for late spans."""
_WHO = ("user", "session", "service", "agent", "tenant", "trace")
_ROOTS = frozenset({"invoke_agent", "invoke_workflow"})
_TECHNIQUES = ("owasp-llm@2026:LLM01", "owasp-agentic@2026:ASI01", "mitre-atlas@2026.09:AML.T0051.001")
_IMPACT = ("owasp-agentic@2026:ASI02", "owasp-llm@2026:LLM03", "mitre-atlas@2026.09:AML.T0053")


class Config(BaseConfig, frozen=True):
    """How sure the detector has to be, and how long it waits."""

    attempt: Annotated[float, Meta(gt=0, description="score from which an order is an attempt by itself")] = 2.6
    followed: Annotated[float, Meta(gt=0, description="score of order and action together for an impact")] = 4.6
    quiet_s: Annotated[float, Meta(gt=0, description="seconds without a span after which a trace is judged")] = 120.0


class _State(msgspec.Struct):
    runs: dict[str, Run] = {}
    tools: dict[str, list[str]] = {}
    """Tools of each agent, those used last at the end."""


class Taint:
    """Follows the traces of agents."""

    streams = frozenset({"spans", "logs"})
    every_s = 5.0

    def __init__(self, config: Config) -> None:
        """Start with no trace."""
        self._limits = Limits(attempt=config.attempt, together=config.followed)
        self._quiet_ns = int(config.quiet_s * 1e9)
        self._state = _State()
        self._named: set[int] = set()
        """The records of the present batch whose names were read."""

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Take in what belongs to traces of agents; returns what had to be judged early for want of room."""
        if not _agent_runs.is_of_agents(rows):
            return ()
        whom = Whom(rows)
        self._named.clear()
        for index, name, step in _agent_runs.steps(rows):
            run = self._run(rows, whom, index)
            if run is not None:
                run.add(name, step)
                self._learn(run, step.name)
        known = {i for i in range(rows.count) if whom.trace(i) in self._state.runs} if self._state.runs else set[int]()
        talks: dict[str, list[int]] = {}
        for index in _agent_runs.talks(rows, known):
            talks.setdefault(whom.trace(index), []).append(index)
        for trace, (*earlier, index) in talks.items():
            held = self._state.runs.get(trace)
            run = None if held is not None and held.is_dull else self._run(rows, whom, index)
            if run is not None:
                _agent_runs.hear(rows, index, run, earlier)
        self._ends(rows, whom, known)
        for name in {whom.trace(index) for index in known}:
            self._state.runs[name].measure()
        return self._bounded()

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  all is in the state
        """Return findings of the traces that are over or silent."""
        found: list[Finding] = []
        done: list[str] = []
        for run in self._state.runs.values():
            if not run.is_judged and (run.is_over or now_ns - run.last_ns >= self._quiet_ns):
                found += self._judged(run)
            if run.is_judged and not (run.has_orders and now_ns - run.last_ns < _KEPT_NS):
                done.append(run.trace)
        for trace in done:
            del self._state.runs[trace]
        return found

    def save(self) -> bytes:
        """Return the traces in flight."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, _State)

    def _run(self, rows: Rows, whom: Whom, index: int) -> Run | None:
        """Return the run that a record belongs to, the newest last; None for a record without a trace."""
        trace = whom.trace(index)
        if not trace:
            return None
        run = self._state.runs.pop(trace, None) or Run(trace, rows.stream)
        self._state.runs[trace] = run
        run.last_ns = max(run.last_ns, _end(rows, index))
        run.is_judged = False
        if index not in self._named:
            self._named.add(index)
            known = {kind for kind, _ in run.who}
            run.who += [(k, name[:200]) for k in _WHO if k not in known and (name := whom.name(k, index))]
        return run

    def _learn(self, run: Run, tool: str) -> None:
        """Remember that an agent has a tool, for `_MOST_AGENTS` with `_MOST_TOOLS` each."""
        if not tool:
            return
        held = self._state.tools
        name = _agent(run)
        known = held.get(name)
        if known is None:
            known = held[name] = []
            if len(held) > _MOST_AGENTS:
                del held[next(iter(held))]
        if tool not in known:
            known.append(tool)
            del known[:-_MOST_TOOLS]

    def _ends(self, rows: Rows, whom: Whom, places: set[int]) -> None:
        """Note the traces whose first span has come: it is sent when all is done."""
        for index in places:
            operation = rows.value("attributes.gen_ai.operation.name", index)
            if isinstance(operation, str) and operation in _ROOTS and not rows.value("parentSpanId", index):
                run = self._run(rows, whom, index)
                if run is not None:
                    run.is_over = True

    def _bounded(self) -> list[Finding]:
        """Judge and forget the oldest runs where there are too many."""
        runs: dict[str, Run] = self._state.runs
        found: list[Finding] = []
        total = sum(run.size for run in runs.values())
        while len(runs) > _MOST_RUNS or (len(runs) > 1 and total > _MOST_BYTES):
            run = runs.pop(next(iter(runs)))
            total -= run.size
            if not run.is_judged:
                found += self._judged(run)
        return found

    def _judged(self, run: Run) -> list[Finding]:
        """Return the finding of a run, if there is one that was not told."""
        run.is_judged = True
        judged = judge(run, self._limits, self._state.tools.get(_agent(run), ()))
        if not judged:
            return []
        first = judged[0]
        rule = FOLLOWED if first.acts or first.answer else ATTEMPTED
        if rule in run.told or FOLLOWED in run.told:
            return []
        run.told.append(rule)
        return [_finding(run, rule, first, Chain(run, judged))]


def _agent(run: Run) -> str:
    """Return whose run it is: of which agent, else of which service."""
    known = dict(run.who)
    return known.get("agent") or known.get("service", "")


def _finding(run: Run, rule: str, first: Judgement, chain: Chain) -> Finding:
    is_impact = rule == FOLLOWED
    by_document = bool(first.source.document) and not is_impact  # it may be retrieved a thousand times
    source = Entity(DOCUMENT if first.source.document else "tool", first.source.document or first.source.name or "?")
    entities = [source, *(Entity("tool", name) for name in chain.tools), *(Entity(*pair) for pair in run.who)]
    return Finding(
        NAME,
        rule,
        chain.title,
        Severity.CRITICAL if is_impact and chain.has_effect else Severity.HIGH if is_impact else Severity.MEDIUM,
        (first.source.document, digest(first.order.text)) if by_document else (run.trace,),
        first.source.at_ns,
        max(first.source.at_ns, chain.last_ns),
        max(first.source.at_ns, run.last_ns),
        round(min(1.0, first.together / 10 if is_impact else first.score / 8), 3),
        tuple(dict.fromkeys(entities)),
        chain.evidence,
        (*_TECHNIQUES, *_IMPACT, *chain.techniques) if is_impact else _TECHNIQUES,
        "AML.TA0011" if is_impact else "AML.TA0005",
        chain.facts,
    )


def _end(rows: Rows, index: int) -> int:
    at_ns = int(rows.times[index])
    took = float(rows.numbers("durationInNanos")[index])
    return at_ns + (int(took) if 0 < took < 86_400 * 10**9 else 0)


def build(config: Config) -> Taint:
    """Return the detector."""
    return Taint(config)


EXAMPLES = _taint_examples.EXAMPLES
