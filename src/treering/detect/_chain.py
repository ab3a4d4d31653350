"""From the text that told an agent something to what it did: the hops as evidence, a title, plain facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.detect._agent_runs import OUTPUT, source_kind
from treering.detect._order_words import words
from treering.detect._values import folded, holds, is_strict, leaves, strict
from treering.model.finding import MAX_EVIDENCE, Evidence, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.detect._agent_runs import Run, Step
    from treering.detect._following import Act, Judgement

_GAP = r"(?:\\[nrt]|\W){1,16}"
_MOST_WORDS, _MOST_ACTS, _MOST_CARRIED = 40, 12, 8
_SENDS = frozenset({"send", "post", "admit", "visit", "pay"})
_EXFILTRATION = ("owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0086")
_DESTRUCTION = "mitre-atlas@2026.09:AML.T0101"


class Chain:
    """What happened because of an order, hop by hop."""

    def __init__(self, run: Run, judged: Sequence[Judgement]) -> None:
        """Put together what the orders of the surest source led to."""
        self._run, self._first, self._answer = run, judged[0], judged[0].answer
        acts: dict[tuple[int, str], Act] = {}
        for each in judged:
            for act in each.acts:
                acts.setdefault((act.step.seq, act.step.call), act)
        self._acts = sorted(acts.values(), key=lambda act: (act.step.at_ns, act.step.seq))[:_MOST_ACTS]
        self._sources = _alike(judged)
        self._carried = _carried(run, self._first, self._acts)

    @property
    def tools(self) -> list[str]:
        """The tools that did what was said."""
        return list(dict.fromkeys(act.step.name for act in self._acts if act.step.name))

    @property
    def has_effect(self) -> bool:
        """Whether something was changed or sent, not only looked at."""
        return any(not act.looks_only or act.values for act in self._acts)

    @property
    def last_ns(self) -> int:
        """When the last step for the order began."""
        ends = [act.step.at_ns for act in self._acts]
        if self._answer and self._run.answer:
            ends.append(self._run.answer.at_ns)
        return max(ends, default=self._first.source.at_ns)

    @property
    def techniques(self) -> tuple[str, ...]:
        """Techniques that follow from what was done."""
        done = set().union(*(words().of_tool(name)[0] for name in self.tools)) if self.tools else set()
        found = _EXFILTRATION if self._carried and done & _SENDS else ()
        return (*found, _DESTRUCTION) if "delete" in done else found

    @property
    def title(self) -> str:
        """One line: what caused what, to where, with what."""
        source = self._first.source
        who = f"{source_kind(source)} {source.document or source.name or 'result'}"[:120]
        order = " ".join(self._first.order.sentence.split())[:100]
        if self._answer:
            return f"{who} decided what was answered: {order}"
        if not self._acts:
            return f"{who} tells the agent: {order}"
        act = max(self._acts, key=self._telling)
        to = next((value for value in act.values if is_strict(folded(value))), next(iter(act.values), ""))
        carried = f" with {self._what()}" if self._carried else ""
        return f"{who} caused {act.step.name[:80] or 'a call'}{f' to {to[:80]}' if to else ''}{carried}"

    def _telling(self, act: Act) -> tuple[bool, bool, bool, float]:
        """Return how much a step says in a title: that it carried something, sent something, had an effect."""
        sent = act.step.arguments.casefold()
        carries = any(value in sent for _, values in self._carried for value in values)
        sends = bool(words().of_tool(act.step.name)[0] & _SENDS)
        return carries, sends, bool(act.values) or not act.looks_only, act.fit

    def _what(self) -> str:
        names = dict.fromkeys(step.document or step.name for step, _ in self._carried)
        count = sum(len(values) for _, values in self._carried)
        return f"{count} value{'s' if count > 1 else ''} from {', '.join(names)[:120]}"

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The record of every hop, in the order of time."""
        found = [self._shown(each) for each in self._sources]
        for step, values in self._carried:
            found.append(_evidence(self._run, step, step.field, values[0], ((0, len(values[0])),)))
        for act in self._acts:
            step = act.step
            found.append(_evidence(self._run, step, step.arguments_field, step.arguments, _spans(act)))
        if self._answer and self._run.answer:
            answer = self._run.answer
            found.append(_evidence(self._run, answer, OUTPUT, answer.arguments, (self._answer,)))
        return tuple(found[:MAX_EVIDENCE])

    def _shown(self, judged: Judgement) -> Evidence:
        near = judged.source.near[judged.place] if judged.place < len(judged.source.near) else judged.order.sentence
        return _evidence(
            self._run, judged.source, judged.source.field, near, tuple(located(near, judged.order.sentence))
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values: spans of source and steps, the order, its signs, what was carried."""
        source, order = self._first.source, self._first.order
        facts: dict[str, Any] = {
            "outcome": "impact" if self._acts or self._answer else "attempted",
            "source_span": source.span,
            "order": order.sentence[:300],
            "signs": list(order.cues),
            "order_score": round(self._first.score, 2),
        }
        if self._acts:
            facts["followed_spans"] = [act.step.span for act in self._acts]
            facts["followed"] = [act.step.name for act in self._acts]
            facts["fit"] = max(act.fit for act in self._acts)
        if self._carried:
            facts["carried"] = {step.document or step.name: len(values) for step, values in self._carried}
        return facts


def _alike(judged: Sequence[Judgement]) -> list[Judgement]:
    """Return one judgement of each source, the surest first, at most four."""
    found: dict[tuple[int, str, str], Judgement] = {}
    for each in judged:
        if bool(each.acts) == bool(judged[0].acts):
            found.setdefault((each.source.seq, each.source.call, each.source.document), each)
    return list(found.values())[:4]


def _carried(run: Run, first: Judgement, acts: Sequence[Act]) -> list[tuple[Step, list[str]]]:
    """Return the steps whose values the acting steps sent on, with those values."""
    task, order = folded(run.asked), folded(first.order.text)
    sent = {v for act in acts for _, leaf in leaves(act.step.arguments) for v in strict(leaf)}
    new = {value for value in sent if holds(task, value) < 0 and holds(order, value) < 0}
    found: list[tuple[Step, list[str]]] = []
    left = set(new)
    for step in run.in_order():
        given = step.arguments.casefold()
        values = [value for value in step.values if value in left and value not in given]
        if values:
            found.append((step, values))
            left -= set(values)
    return found[:_MOST_CARRIED]


def _evidence(run: Run, step: Step, field: str, text: str, spans: tuple[tuple[int, int], ...]) -> Evidence:
    shown, inside = excerpt(text, spans)
    inside = tuple((low, high) for low, high in inside if low < high)
    return Evidence(run.stream, step.seq, step.at_ns, field, shown, inside, "", run.trace, step.span)


def _spans(act: Act) -> tuple[tuple[int, int], ...]:
    """Return where the values that stand in the order are in the arguments."""
    text = act.step.arguments.casefold()
    if len(text) != len(act.step.arguments):
        return ()
    found = ((text.find(value.casefold()), len(value)) for value in act.values)
    return tuple(sorted({(at, at + length) for at, length in found if at >= 0}))


def located(text: str, sentence: str) -> Iterator[tuple[int, int]]:
    """Yield where a sentence stands in a text that may have folded, quoted or escaped it."""
    said = re.findall(r"\w+", sentence)[:_MOST_WORDS]
    for count in (len(said), 12, 5, 2):
        if count and (found := re.search(_GAP.join(map(re.escape, said[:count])), text)):
            yield found.span()
            return
