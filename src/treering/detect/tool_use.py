"""Agents that use tools as they never did: a new tool, new arguments, a risky step right after a text from outside.

Per agent are remembered its tools, the names of arguments each was given, and which risky tools (those that delete,
pay, run something or let somebody in, by the words of their names) it ran right after one that reads what others wrote.
Nothing is told before an agent has done 200 runs over a day, and only where it had been doing the same for half of
that time. All are of low severity: releases bring new tools too; together with other signs they make an incident.

Misses: misuse by usual tools with usual arguments; agents that do something else every day; tools whose names say
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._order_words import words
from treering.detect._prompt_scan import digest
from treering.detect._recent import recent, remember
from treering.detect._values import parts
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

NAME = "tool_use"
ORDER_FREE = False
"""What is new depends on what came before."""
_ARGUMENTS, _TOOL = "attributes.gen_ai.tool.call.arguments", "attributes.gen_ai.tool.name"
_OPERATION = "attributes.gen_ai.operation.name"
_RISKY = frozenset({"delete", "pay", "run", "admit"})
_OUTSIDE = frozenset(
    "web page url site website browser mail mails email emails inbox message messages chat search review reviews "
    "ticket tickets comment comments issue issues document documents file feed news".split()
)
_MOST_AGENTS, _MOST_TOOLS, _MOST_SHAPES, _MOST_PAIRS, _MOST_TRACES = 100, 60, 8, 50, 1_000
_HOUR = 3600 * 10**9


class Config(BaseConfig, frozen=True):
    """How well an agent has to be known."""

    least: Annotated[int, Meta(ge=1, description="runs of tools before anything is told of an agent")] = 200
    learn_s: Annotated[float, Meta(ge=0, description="seconds an agent is only learnt")] = 86_400.0


class _Tool(msgspec.Struct):
    """How often a tool ran, digests of the argument names it was given, since which of its runs they are the same."""

    runs: int = 0
    shapes: list[str] = []
    settled: int = 0


class _Agent(msgspec.Struct):
    """What an agent does: since when, how often, since which run with the same tools."""

    since_ns: int
    runs: int = 0
    settled: int = 0
    tools: dict[str, _Tool] = {}
    pairs: list[str] = []


class _State(msgspec.Struct):
    agents: dict[str, _Agent] = {}
    outside: dict[str, str] = {}
    """The tool that last read something of others in a trace, if it was the last one."""


class ToolUse(AsRead[_State]):
    """Learns each agent's habits."""

    streams = frozenset({"spans", "logs"})

    def __init__(self, config: Config) -> None:
        """Start without knowing any agent."""
        self._config, self._state = config, _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return findings for runs of tools that are new for their agents."""
        if not rows.has(_TOOL):
            return ()
        whom, found = Whom(rows), list[Finding]()
        places = rows.present(_TOOL).nonzero()[0].tolist()
        for row in sorted(places, key=lambda place: (int(rows.times[place]), place)):
            tool = rows.value(_TOOL, row)
            if isinstance(tool, str) and tool and rows.value(_OPERATION, row) in ("execute_tool", None):
                found += self._ran(rows, whom, row, tool[:200])
        return folded(found)

    def _ran(self, rows: Rows, whom: Whom, row: int, name: str) -> Iterator[Finding]:
        at_ns, agent = int(rows.times[row]), self._agent(whom, rows, row)
        is_known = agent.runs >= self._config.least and at_ns - agent.since_ns >= self._config.learn_s * 1e9
        agent.runs += 1
        shape = _shape(rows.value(_ARGUMENTS, row) if rows.has(_ARGUMENTS) else None)
        tool = agent.tools.get(name)
        before = self._read_before(whom.trace(row), name)
        if tool is None:
            if is_known and 2 * agent.settled <= agent.runs:
                yield _finding(rows, whom, row, "new_tool", f"uses the tool {name[:80]} for the first time", (name,))
            agent.settled = agent.runs
            if len(agent.tools) < _MOST_TOOLS:
                agent.tools[name] = _Tool(1, [digest(shape)], 1)
        else:
            tool.runs += 1
            if digest(shape) not in tool.shapes and len(tool.shapes) < _MOST_SHAPES:
                if is_known and tool.runs > self._config.least // 4 and 2 * tool.settled <= tool.runs:
                    title = f"gives {name[:80]} arguments it never gave: {shape[:80] or 'none'}"
                    yield _finding(rows, whom, row, "new_arguments", title, (name, shape))
                tool.shapes, tool.settled = [*tool.shapes, digest(shape)], tool.runs
            pair = digest(f"{before}\0{name}")
            if before and words().of_tool(name)[0] & _RISKY and pair not in agent.pairs:
                if is_known and 2 * agent.settled <= agent.runs and tool.runs > 1:
                    title = f"runs {name[:80]} right after {before[:80]}, which it never did"
                    yield _finding(rows, whom, row, "risky_after_outside", title, (before, name))
                agent.pairs = [*agent.pairs, pair][-_MOST_PAIRS:]

    def _read_before(self, trace: str, name: str) -> str:
        """Return the tool that read something of others right before in a trace; remembers the present one."""
        outside = self._state.outside
        before = outside.pop(trace, "") if trace else ""
        if trace and words().of_tool(name)[1] and not _OUTSIDE.isdisjoint(parts(name)):
            remember(outside, trace, name, _MOST_TRACES)
        return before

    def _agent(self, whom: Whom, rows: Rows, row: int) -> _Agent:
        at_ns, name = int(rows.times[row]), f"{whom.service(row)}\0{whom.name('agent', row)}"
        agent = recent(self._state.agents, name, _MOST_AGENTS, _Agent, at_ns)
        agent.since_ns = min(agent.since_ns, at_ns)
        return agent


def _shape(arguments: Any) -> str:
    """Return the names of the arguments, sorted."""
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return "text"
    if not isinstance(arguments, dict):
        return type(arguments).__name__
    return ",".join(sorted(str(name)[:40] for name in arguments))[:300]


def _finding(rows: Rows, whom: Whom, row: int, rule: str, title: str, key: tuple[str, ...]) -> Finding:
    at_ns = int(rows.times[row])
    agent = whom.name("agent", row) or whom.service(row)
    value = rows.value(_ARGUMENTS, row) if rows.has(_ARGUMENTS) else None
    shown = value if isinstance(value, str) else str(rows.value(_TOOL, row))
    technique = "AML.T0053"
    return Finding(
        NAME,
        rule,
        f"{agent[:80] or 'an agent'} {title}",
        Severity.LOW,
        (agent, *key),
        at_ns,
        at_ns,
        at_ns,
        0.3,
        tuple(dict.fromkeys((*whom.entities(row), Entity("tool", str(rows.value(_TOOL, row))[:200])))),
        (proof(rows, row, _ARGUMENTS if isinstance(value, str) else _TOOL, shown),),
        ("owasp-agentic@2026:ASI02", "owasp-llm@2026:LLM03", f"mitre-atlas@2026.09:{technique}"),
        "AML.TA0005",
        {"tool": str(rows.value(_TOOL, row))[:200]},
    )


def build(config: Config) -> ToolUse:
    """Return the detector."""
    return ToolUse(config)


def _run(number: int, tool: str, arguments: str, trace: int | None = None) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.agent.name": "desk"}
    return {
        "@timestamp": 1_795_000_000_000_000_000 + number * _HOUR // 5,
        "serviceName": "desk",
        "traceId": f"{number if trace is None else trace:032x}",
        "attributes": {**attributes, "gen_ai.tool.call.arguments": arguments},
    }


_PAIR = ((("read_mail", '{"n": 1}')), ("pay_bill", '{"id": 4}'))
_USUAL = [_run(n, *_PAIR[n % 2]) for n in range(300)]
EXAMPLES = (
    Example("a tool that was never used", "spans", [*_USUAL, _run(310, "delete_user", "{}")], ["new_tool"]),
    Example(
        "arguments that were never given", "spans", [*_USUAL, _run(310, "pay_bill", '{"iban": "x"}')], ["new_arguments"]
    ),
    Example(
        "a payment right after a mail, for the first time",
        "spans",
        [*_USUAL, _run(310, *_PAIR[0], 7), _run(311, *_PAIR[1], 7)],
        ["risky_after_outside"],
    ),
    Example("the same as ever", "spans", _USUAL),
    Example("an agent that is new", "spans", [_run(n, f"tool_{n}", "{}") for n in range(50)]),
)
