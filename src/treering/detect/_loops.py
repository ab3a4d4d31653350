"""Agents that go round in circles: traces in which one tool is called with the same arguments over and over."""

from __future__ import annotations

import hashlib
from functools import cached_property
from itertools import islice, repeat
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._evidence import evidence, named
from treering.detect._grouped import Grouped, Names
from treering.model.finding import Evidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

_MOST_TRACES = 2000
_MOST_CALLS = 64
_KEPT_EVIDENCE = 4
_CALL, _TOOL = frozenset({"chat", "text_completion", "generate_content"}), frozenset({"execute_tool"})
_READ, _MADE = "attributes.gen_ai.usage.input_tokens", "attributes.gen_ai.usage.output_tokens"
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


_Once = tuple[int, float, int, float, float]
"""A trace of which one step is known: model calls, tokens, first instant, first and greatest input."""


class Loops:
    """Follows traces; the one that was quiet longest is forgotten first."""

    def __init__(self, detector: str, settings: LoopSettings) -> None:
        """Start with nothing known."""
        self._detector = detector
        self._settings = settings
        # Most traces have one step: that is kept as it comes, and becomes a `Trace` with the second one.
        self._traces: dict[str, Trace | _Once] = {}

    def observe(self, rows: Rows) -> Iterable[Finding]:
        """Return what the spans of a batch say about loops."""
        steps = _Steps(rows)
        kept = steps.kept(self._traces)
        at = 0
        for place in np.flatnonzero(~steps.are_single[kept]).tolist():
            self._note(steps, kept[at:place])
            yield from self._follow(rows, steps, int(kept[place]))
            at = place + 1
        self._note(steps, kept[at:])

    def _note(self, steps: _Steps, numbers: NDArray[np.int64]) -> None:
        """Add new traces, each with one model call, and forget those that were quiet longest."""
        if len(numbers):
            self._traces.update(steps.once(numbers))
        for name in [*islice(self._traces, max(0, len(self._traces) - _MOST_TRACES))]:
            del self._traces[name]

    def _follow(self, rows: Rows, steps: _Steps, number: int) -> Iterable[Finding]:
        name = steps.names[number]
        held = self._traces.pop(name, None)
        is_new = held is None
        trace = self._traces[name] = _trace(held)
        # Whom a trace concerns is noted from its second step on.
        if len(trace.about) < len(_ABOUT) and (steps.sizes[number] > 1 or not is_new):
            steps.note(number, trace.about, is_new=is_new)
        calls = int(steps.calls[number])
        if not steps.uses_tools[number] and trace.calls + calls < self._settings.growth_calls:
            if calls:
                steps.count(number, trace)
            return
        for place, uses_tool in steps.one_by_one(number):
            yield from self._tool(rows, place, name, trace) if uses_tool else self._call(rows, place, name, trace)

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
        read, written = (float(counts(rows.numbers(name)[index : index + 1])[0]) for name in (_READ, _MADE))
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
        shown = (evidence(rows, index, _READ, f"{read:.0f}"),)
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
        return [(name, _trace(held)) for name, held in self._traces.items()]

    def restore(self, state: list[tuple[str, Trace]]) -> None:
        """Go on from saved traces."""
        self._traces = dict(state)


def _trace(held: Trace | _Once | None) -> Trace:
    if isinstance(held, Trace):
        return held
    if held is None:
        return Trace()
    calls, tokens, first_ns, first_input, most = held
    return Trace(calls=calls, tokens=tokens, first_ns=first_ns, first_input=first_input, input=most)


class _Steps:
    """Model and tool calls of a batch by trace: the one whose last step comes last is the last."""

    def __init__(self, rows: Rows) -> None:
        operations, known = rows.codes("attributes.gen_ai.operation.name")
        names = Names(rows)
        codes = names.first("traceId", _ABOUT["session"])
        self._rows = rows
        self._places = np.flatnonzero((operations >= 0) & (codes >= 0))
        self._groups = Grouped(codes[self._places])
        is_call, is_tool = (np.array([name in kind for name in known] + [False])[operations] for kind in (_CALL, _TOOL))
        self._is_call, self._is_tool = is_call[self._places], is_tool[self._places]
        self.names = [names.texts[code] for code in codes[self._places[self._groups.firsts]].tolist()]
        self.sizes = self._groups.sizes
        self.calls = self._groups.sums(self._is_call.astype(np.int64))
        self.uses_tools = self._groups.sums(self._is_tool.astype(np.int64))
        self.are_single = (self.sizes == 1) & (self.calls == 1)

    def kept(self, known: Container[str]) -> NDArray[np.int64]:
        """Return the traces that matter: not those with one step that so many follow that it would be forgotten."""
        are_known = np.fromiter(map(known.__contains__, self.names), dtype=bool, count=len(self.names))
        self.are_single &= ~are_known
        numbers = np.arange(len(self.names))
        return np.flatnonzero(are_known | (self.sizes > 1) | (numbers >= len(numbers) - _MOST_TRACES))

    def once(self, numbers: NDArray[np.int64]) -> Iterator[tuple[str, _Once]]:
        """Return names and what is known of new traces that have one step each, which is a model call."""
        tokens, first_ns, inputs, most = (held[numbers].tolist() for held in self._totals)
        names = [self.names[number] for number in numbers.tolist()]
        return zip(names, zip(repeat(1), tokens, first_ns, inputs, most), strict=False)

    def note(self, number: int, about: dict[str, str], *, is_new: bool) -> None:
        """Note whom a trace concerns; of a new one the first step says nothing."""
        for kind, (first, later, codes, texts) in self._about.items():
            place = (later if is_new else first)[number]
            if place >= 0 and kind not in about:
                about[kind] = texts[codes[place]][:200]

    @cached_property
    def _about(self) -> dict[str, tuple[list[int], list[int], list[int], list[str]]]:
        found = {}
        for kind, field in _ABOUT.items():
            if self._rows.has(field):
                codes, texts = self._rows.codes(field)
                codes = codes[self._places]
                says = np.array([bool(text) for text in texts] + [False])[codes]
                first = self._groups.first_of(says).tolist()
                says[self._groups.firsts] = False
                found[kind] = first, self._groups.first_of(says).tolist(), codes.tolist(), texts
        return found

    def count(self, number: int, trace: Trace) -> None:
        """Add the calls of a trace, none of which can be told."""
        tokens, first_ns, first_input, most = self._totals
        trace.calls += int(self.calls[number])
        trace.tokens += float(tokens[number])
        trace.first_ns = min(trace.first_ns or int(first_ns[number]), int(first_ns[number]))
        trace.first_input = trace.first_input or float(first_input[number])
        trace.input = max(trace.input, float(most[number]))

    @cached_property
    def _totals(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Tokens, first instant, first input and greatest input of the model calls of each trace."""
        read, made = (counts(self._rows.numbers(name)[self._places]) * self._is_call for name in (_READ, _MADE))
        times = np.where(self._is_call, self._rows.times[self._places], np.iinfo(np.int64).max)
        first = self._groups.first_of(read > 0)
        inputs = np.where(first >= 0, read[first], 0.0) if len(read) else read
        tokens, first_ns = self._groups.sums(read + made), self._groups.least(times)
        return tokens, first_ns, inputs, self._groups.greatest(read)

    def one_by_one(self, number: int) -> Iterator[tuple[int, bool]]:
        """Yield the steps of a trace in their order, and whether each uses a tool."""
        for at in self._groups.members(number).tolist():
            if self._is_call[at] or self._is_tool[at]:
                yield int(self._places[at]), bool(self._is_tool[at])


def counts(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers of tokens, 0 for what is none."""
    return np.where((values >= 0) & (values < 1e12), values, 0.0)
