"""Agents that go round in circles: traces in which one tool is called with the same arguments over and over."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._evidence import evidence, named
from treering.model.finding import Evidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.model.rows import Rows

_MOST_TRACES = 2000
_MOST_CALLS = 64
_KEPT_EVIDENCE = 4
_CALL, _TOOL = frozenset({"chat", "text_completion", "generate_content"}), "execute_tool"
_ABOUT = {
    "user": "attributes.user.id",
    "agent": "attributes.gen_ai.agent.name",
    "session": "attributes.gen_ai.conversation.id",
    "service": "serviceName",
    "model": "attributes.gen_ai.request.model",
}


class LoopSettings(BaseConfig, frozen=True):
    """When an agent goes round in circles."""

    repeats: Annotated[int, Meta(ge=2, description="equal calls of one tool in a trace that are a loop")] = 10
    growth_calls: Annotated[int, Meta(ge=2, description="model calls in a trace before growth is looked at")] = 25
    growth: Annotated[float, Meta(gt=1, description="times the first context that the newest one must be")] = 4.0


class Repeated(msgspec.Struct):
    """Equal calls of one tool: how many, since when, the next number that is told."""

    tool: str
    count: int = 0
    first_ns: int = 0
    tell: int = 0
    shown: list[Evidence] = []


class Trace(msgspec.Struct):
    """What is known of one trace."""

    about: dict[str, str] = {}
    tools: dict[str, Repeated] = {}
    calls: int = 0
    first_ns: int = 0
    first_input: float = 0.0
    input: float = 0.0
    tokens: float = 0.0
    tell: int = 0


class Loops:
    """Follows traces; the one that was quiet longest is forgotten first."""

    def __init__(self, detector: str, settings: LoopSettings) -> None:
        """Start with nothing known."""
        self._detector = detector
        self._settings = settings
        self._traces: dict[str, Trace] = {}

    def observe(self, rows: Rows) -> Iterable[Finding]:
        """Return what the spans of a batch say about loops."""
        operations = rows.texts("attributes.gen_ai.operation.name")
        traces, about = rows.texts("traceId"), [(kind, rows.texts(field)) for kind, field in _ABOUT.items()]
        for index, operation in enumerate(operations):
            if operation is None:
                continue
            trace = self._trace(traces[index], about, index)
            if trace is None:
                continue
            name, held = trace
            if operation == _TOOL:
                yield from self._tool(rows, index, name, held)
            elif operation in _CALL:
                yield from self._call(rows, index, name, held)

    def _trace(
        self, given: str | None, about: Sequence[tuple[str, Sequence[str | None]]], index: int
    ) -> tuple[str, Trace] | None:
        name = given or next((column[index] for kind, column in about if kind == "session"), None)
        if not name:
            return None
        held = self._traces.pop(name, None)
        if held is None:
            # Most traces have one call: whom a trace concerns is noted from its second one on.
            held = self._traces[name] = Trace()
            if len(self._traces) > _MOST_TRACES:
                del self._traces[next(iter(self._traces))]
            return name, held
        self._traces[name] = held
        if len(held.about) < len(about):
            for kind, column in about:
                if kind not in held.about and (value := column[index]):
                    held.about[kind] = value[:200]
        return name, held

    def _tool(self, rows: Rows, index: int, name: str, trace: Trace) -> Iterable[Finding]:
        tool = (rows.texts("attributes.gen_ai.tool.name")[index] or "a tool")[:200]
        arguments = str(rows.values("attributes.gen_ai.tool.call.arguments")[index])
        mark = hashlib.blake2b(f"{tool}\0{arguments}".encode("utf-8", "replace"), digest_size=8).hexdigest()
        at_ns = int(rows.times[index])
        call = trace.tools.get(mark)
        if call is None:
            if len(trace.tools) >= _MOST_CALLS:
                del trace.tools[min(trace.tools, key=lambda key: trace.tools[key].count)]
            call = trace.tools[mark] = Repeated(tool, first_ns=at_ns, tell=self._settings.repeats)
        call.count += 1
        call.first_ns = min(call.first_ns, at_ns)
        if call.count > 1 and len(call.shown) < _KEPT_EVIDENCE:
            call.shown.append(evidence(rows, index, "attributes.gen_ai.tool.call.arguments", arguments))
        if call.count < call.tell:
            return
        call.tell *= 2
        shown = (*call.shown, evidence(rows, index, "attributes.gen_ai.tool.call.arguments", arguments))
        title = f"{trace.about.get('agent', 'an agent')} calls {tool} with the same arguments {call.count} times"
        facts = {"repeats": call.count, "threshold": self._settings.repeats, "tokens": trace.tokens}
        yield self._finding("tool_loop", title, (name, tool, mark), (call.first_ns, at_ns), trace, shown, facts)

    def _call(self, rows: Rows, index: int, name: str, trace: Trace) -> Iterable[Finding]:
        read = _count(rows.values("attributes.gen_ai.usage.input_tokens")[index])
        written = _count(rows.values("attributes.gen_ai.usage.output_tokens")[index])
        at_ns = int(rows.times[index])
        trace.calls += 1
        trace.tokens += read + written
        trace.first_ns = min(trace.first_ns or at_ns, at_ns)
        if not read:
            return
        trace.first_input = trace.first_input or read
        trace.input = max(trace.input, read)
        calls, growth = self._settings.growth_calls, self._settings.growth
        if trace.calls < max(calls, trace.tell) or trace.input < trace.first_input * growth:
            return
        trace.tell = trace.calls * 2
        agent = trace.about.get("agent", "an agent")
        title = f"the context of {agent} grew to {trace.input:,.0f} tokens over {trace.calls} calls"
        facts = {"calls": trace.calls, "first": trace.first_input, "newest": trace.input, "tokens": trace.tokens}
        shown = (evidence(rows, index, "attributes.gen_ai.usage.input_tokens", f"{read:.0f}"),)
        yield self._finding("context_grows", title, (name,), (trace.first_ns, at_ns), trace, shown, facts)

    def _finding(
        self,
        rule: str,
        title: str,
        key: tuple[str, ...],
        times: tuple[int, int],
        trace: Trace,
        shown: Sequence[Evidence],
        facts: dict[str, float],
    ) -> Finding:
        tool = key[1] if len(key) > 1 else None
        return Finding(
            detector=self._detector,
            rule=rule,
            title=title,
            severity=Severity.HIGH,
            key=key,
            start_ns=times[0],
            end_ns=max(times),
            noticed_ns=max(times),
            entities=named([*trace.about.items(), ("tool", tool), ("trace", key[0])]),
            evidence=tuple(shown),
            techniques=("owasp-llm@2025:LLM10",),
            facts=dict(facts),
        )

    def save(self) -> list[tuple[str, Trace]]:
        """Return the traces, the one that was quiet longest first."""
        return list(self._traces.items())

    def restore(self, state: list[tuple[str, Trace]]) -> None:
        """Go on from saved traces."""
        self._traces = dict(state)


def _count(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    return 0.0
