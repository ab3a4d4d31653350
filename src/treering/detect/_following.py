"""Whether an agent did what a text told it, by what its tools were given: compared with the order and with its task.

For an order speak values that stand in it and not in the task, the tool it names, verb and things that fit the tool's
name; against it, that the person asked for the same or for whatever the text says. A step counts for the order of a
text that it fits best, so what a person wanted done of a text is not blamed on another sentence of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from treering.detect._obeyed_answer import said
from treering.detect._order_words import words
from treering.detect._orders import Order
from treering.detect._possible import is_possible
from treering.detect._served import Done, see_who_asked
from treering.detect._values import folded, holds, is_number, is_strict, stems, strict
from treering.detect._wishes import ALIKE, Task, things

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.detect._agent_runs import Run, Step

_ECHO, _SHORTEST, _LONG = 40, 16, 60
_MOST_VALUES, _LITERAL, _THING = 5.0, 2.5, 0.8
_PRESSING, _PHRASE, _DIGITS, _POSSIBLE = 0.5, 3, 4, 1.6
_UNASKED, _SURPRISE, _SOME = 1.0, 1.5, 1.5
_SEVERAL = 2
_THOUSANDS = re.compile(r"(?<=\d)[,'](?=\d{3}\b)")
_IDENTIFIER = re.compile(r"[A-Za-z]\w*_\w+|[A-Z]{5,}|[\w.-]{2,}/[\w.-]{2,}")
_RARE = frozenset({"delete", "cancel", "admit"})
"""What a text and an agent hardly speak of by chance."""
_EFFECTS = frozenset({"send", "post", "pay", "delete", "cancel", "book", "update", "admit"})


class Limits(NamedTuple):
    """From which scores on there is something to tell.

    `attempt`: an order by itself; `document` more in a retrieved document, which often tells people what to do, unless
    it speaks to a model. `order` and `fit` (`sure_fit` where an order
    is surely one to agents): an order and a step that does it, which must reach `together`;
    orders between `hint` and `order` have to reach `doubtful` with it. For an effect of a kind that nobody asked for,
    an order from `least` on is enough that reaches `unasked` with it: people's texts are seldom carried out unasked.
    """

    attempt: float = 2.6
    document: float = 1.0
    order: float = 1.5
    hint: float = 0.7
    fit: float = 2.2
    sure_fit: float = 1.7
    together: float = 4.6
    doubtful: float = 4.8
    least: float = 0.3
    unasked: float = 2.8


class Act(NamedTuple):
    """A step that does what an order said: how well it fits, the values of it that stand in the order.

    `unasked`: it changes or sends something of a kind that the person did not speak of.
    """

    step: Step
    fit: float
    values: tuple[str, ...]
    looks_only: bool
    unasked: bool


class Judgement(NamedTuple):
    """An order that reached an agent, how surely it is one to agents, what was done for it or where it was said."""

    source: Step
    place: int
    order: Order
    score: float
    acts: tuple[Act, ...]
    answer: tuple[int, int] | None

    @property
    def together(self) -> float:
        """How surely it was followed."""
        return self.score + max((act.fit for act in self.acts), default=0.0)


class _Told:
    """An order as it is compared."""

    def __init__(self, order: Order, near: str = "") -> None:
        self.order, self.text, self.near = order, folded(order.text), near
        if _THOUSANDS.search(self.text):
            self.text += "\n" + _THOUSANDS.sub("", self.text)  # arguments have plain numbers
        self.stems = stems(order.text)
        self.actions = order.actions
        self.values = strict(order.sentence)
        self._head, self.said = folded(order.sentence)[:_ECHO], stems(order.sentence)
        self.meant = self.score = 0.0
        """How surely the person asked for it, and how surely it is an order to agents that they did not ask for."""

    def judge(self, source: Step, tools: Iterable[str], able: Iterable[str], task: Task) -> None:
        """Work out `meant` and `score`, knowing the tools of this run and all that the agent is `able` to use."""
        self.meant = task.means(source, self.actions, self.near)
        self.score = _sound(self, tools) - self.order.penalty * self.meant + _possible(self, able, task)

    def lift(self, source: Step, done: Done, task: Task) -> float:
        """Return how much less than `meant` says the person asked for what a step did."""
        if not self.meant or task.is_open:
            return 0.0
        same = self.actions & done.effects or self.actions
        meant = 0.0 if done.is_surplus else task.means(source, same, self.near)
        return self.order.penalty * (self.meant - meant)

    def is_in(self, value: str, *, is_command: bool) -> bool:
        """Whether a value repeats the order itself: then it was carried along, not followed.

        A command that has most words of an order does what it says.
        """
        if len(self._head) >= _SHORTEST and self._head in value:
            return True
        said = self.said
        return (
            not is_command and len(value) >= _LONG and len(said) >= 4 and 10 * len(said & stems(value)) >= 7 * len(said)
        )


def judge(run: Run, limits: Limits, able: Iterable[str] = ()) -> list[Judgement]:
    """Return the orders in a run that are worth telling of or were followed, the surest first.

    `able` are tools that the agent is known to have from other runs.
    """
    ordered = run.in_order()
    if not any(step.orders for step in ordered):
        return []
    task, done = Task(run), [Done(step) for step in ordered]
    see_who_asked(done, task)
    tools = {step.name for step in done if step.name}
    able = tools.union(able)
    found = []
    for number, source in enumerate(ordered):
        if not source.orders:
            continue
        near = [*source.near, *([""] * len(source.orders))]
        told = [_Told(order, text) for order, text in zip(source.orders, near, strict=False)]
        for each in told:
            each.judge(source, tools, able, task)
        acts = _acts(told, done, number, task, limits)
        for place, each in enumerate(told):
            enough = limits.attempt + (limits.document if source.document and not each.order.is_addressed else 0.0)
            answer = None if acts[place] else said(run, source, each.order, is_sure=each.score >= enough)
            if each.score >= enough or acts[place] or answer:
                found.append(Judgement(source, place, each.order, round(each.score, 2), acts[place], answer))
    return sorted(found, key=lambda each: (not each.acts, not each.answer, -each.together))


def _sound(told: _Told, tools: Iterable[str]) -> float:
    """Return how much an order sounds like one to an agent that has these tools."""
    score = told.order.score
    if any(any(mark in name for mark in "_-.") and holds(told.text, name) >= 0 for name in tools):
        score += 1.5
    if any(told.actions & words().of_tool(name)[0] for name in tools):
        score += 0.4
    if told.actions and told.actions <= words().reads:
        score -= 0.3
    return score


def _possible(told: _Told, able: Iterable[str], task: Task) -> float:
    """Return what it says for an order that a tool of the agent does just that, which nobody asked for."""
    if told.meant or task.is_open or not is_possible(told.order.sentence, told.actions - task.actions, able):
        return 0.0
    return _POSSIBLE


def _acts(
    told: Sequence[_Told], done: Sequence[Done], number: int, task: Task, limits: Limits
) -> list[tuple[Act, ...]]:
    """Return for each order of step `number` the later steps that do what it said."""
    found: list[list[Act]] = [[] for _ in told]
    weak: list[list[Act]] = [[] for _ in told]
    if max(each.score + each.order.penalty * each.meant for each in told) < limits.least:
        return [()] * len(told)
    before = {each.name for each in done[: number + 1]}
    for each in done[number + 1 :]:
        if not each.is_run:
            continue
        fits = [_fit(order, each, task, told) for order in told]
        place = max(range(len(told)), key=lambda i: (fits[i].fit, told[i].score))
        lift = told[place].lift(done[number].step, each, task)
        score, is_meant = told[place].score + lift, told[place].meant * told[place].order.penalty > lift
        act = fits[place]._replace(unasked=fits[place].unasked and not is_meant)
        is_strong = any(_is_telling(value) for value in act.values) and not (act.looks_only and each.is_command)
        if act.looks_only and not is_strong and (each.name in before or score < limits.attempt + _PRESSING):
            continue
        enough = 2 * _THING if act.looks_only and not is_strong else limits.fit
        if score >= limits.attempt + _PRESSING and each.name not in before:
            enough = min(enough, limits.sure_fit)
        if act.fit >= enough - 1e-9 and score >= (limits.least if act.unasked else limits.hint):
            found[place].append(act._replace(fit=round(act.fit + lift, 2)))
        elif act.fit >= _THING - 1e-9 and not is_meant and each.name not in before:
            weak[place].append(act)
    found = [_together(acts, some) for acts, some in zip(found, weak, strict=True)]
    found = [_enough(acts, each.score, limits) for acts, each in zip(found, told, strict=True)]
    taken = {id(act.step) for acts in found for act in acts}
    return [tuple(act for act in acts if not _serves(act, taken, done)) for acts in found]


def _together(acts: list[Act], weak: Sequence[Act]) -> list[Act]:
    """Return steps that do what an order says, with those that fit it less but that nobody asked for either."""
    return [*acts, *(act for act in weak if act.unasked)] if acts else _as_a_plan(weak)


def _as_a_plan(weak: Sequence[Act]) -> list[Act]:
    """Return steps that fit an order a little each, if tools not used before do several things that it speaks of.

    One of them has an effect that nobody asked for: to read the customers and to post something by itself says little.
    """
    if len({act.step.name for act in weak}) < _SEVERAL or not any(act.unasked for act in weak):
        return []
    fit = round(sum(act.fit for act in weak), 2)
    return [act._replace(fit=fit, unasked=True) for act in weak]


def _enough(acts: list[Act], score: float, limits: Limits) -> list[Act]:
    """Return the steps that an order is to be blamed for; a second one makes the first surer."""
    together = limits.together if score >= limits.order else limits.doubtful
    fits = sorted((act.fit for act in acts), reverse=True)
    more = min(1.0, fits[1] / 2) if len(fits) > 1 else 0.0
    return [act for act in acts if score + act.fit + more >= (limits.unasked if act.unasked else together)]


def _serves(act: Act, taken: set[int], done: Sequence[Done]) -> bool:
    """Return whether a step only looked up what another step, which no order speaks of, then worked on."""
    if not act.looks_only or any(_is_telling(value) for value in act.values):
        return False
    mine = things(act.step.name)
    return any(each.step.at_ns > act.step.at_ns and id(each.step) not in taken and mine & each.things for each in done)


def _is_telling(value: str) -> bool:
    """Return whether a value hardly occurs twice by chance."""
    return " " in value or is_strict(folded(value)) or bool(_IDENTIFIER.fullmatch(value))


def _is_short_for(thing: str, said: Iterable[str]) -> bool:
    """Return whether a word of a tool's name begins one of a text, as repo does repository."""
    return len(thing) >= ALIKE and any(word.startswith(thing) for word in said)


def _fit(told: _Told, done: Done, task: Task, all_told: Sequence[_Told]) -> Act:
    """Return how well a step fits an order."""
    is_unasked = _is_unasked(done, task)
    carried, asked, values = _compared(told, done, task, all_told, is_unasked=is_unasked)
    named = done.is_named and holds(told.text, done.name) >= 0
    shared = {each for each in done.rest if each in told.stems or _is_short_for(each, told.stems)}
    new, known = shared - task.stems, shared & task.stems
    fit = carried - asked + min(2 * _THING, _THING * len(new)) + 0.2 * len(known)
    fit += (_LITERAL if named else 0.0) + (1.0 if told.actions & done.actions else 0.0)
    is_strong = any(_is_telling(value) for value in values)
    wanted = bool((done.effects or done.actions) & task.actions) and (not done.things or bool(done.things & task.stems))
    if (wanted or (done.looks and done.things <= task.stems)) and not is_strong:
        fit -= 2.0 if not named else 3.0
    elif is_unasked:
        same = told.actions & done.effects & _EFFECTS
        by_word = done.verb in told.order.verbs or (same <= _RARE and told.order.is_addressed)
        is_same = bool(same) and bool(values or shared or by_word)
        fit += _UNASKED * (is_strong + is_same if task.only_asks or not known else is_same)
        fit += _SURPRISE if task.only_asks and fit >= _SOME else 0.0
    if told.values and not is_strong and not done.looks:
        fit -= 0.8
    return Act(done.step, round(fit, 2), tuple(values), done.looks, is_unasked)


def _is_unasked(done: Done, task: Task) -> bool:
    """Return whether a step changes or sends something of a kind that a person who left nothing open did not name."""
    return not task.is_open and not done.looks and (done.is_surplus or not done.effects & task.actions)


def _compared(
    told: _Told, done: Done, task: Task, all_told: Sequence[_Told], *, is_unasked: bool
) -> tuple[float, float, list[str]]:
    """Return what the values of a step's arguments say for the order and for the task, and those that stand in it."""
    for_order: list[float] = []
    for_task, values = 0.0, []
    for leaf, value in done.leaves:
        if holds(task.given, value) >= 0:
            if not (is_unasked and holds(told.text, value) >= 0):  # else it only says what it was done to
                for_task += 1.5 if is_strict(value) else 0.4
        elif any(each.is_in(value, is_command=done.is_command) for each in all_told):
            continue
        elif holds(told.text, value) >= 0:
            for_order.append(_weight(value))
            values.append(leaf)
        elif (base := value.partition("?")[0]) != value and is_strict(base) and holds(told.text, base) >= 0:
            for_order.append(3.0)
            values.append(leaf)
        elif inner := [each for each in strict(value) if holds(told.text, each) >= 0 and holds(task.given, each) < 0]:
            for_order.append(2.5)
            values += inner
        elif done.is_command and (inner := _tokens(value, told, task)):
            for_order += [_THING + 0.4 * len(inner)]
            values += inner
        elif " " in value:
            mine, theirs = _overlaps(leaf, told, task)
            for_order += [1.5] if mine else []
            for_task += 1.5 if theirs else 0.0
    best = max(for_order, default=0.0)
    return min(_MOST_VALUES, best + 0.5 * (sum(for_order) - best)), min(2.0, for_task), values


def _tokens(command: str, told: _Told, task: Task) -> list[str]:
    """Return the words of a command line, its programs and options aside, that an order and not the task speaks of."""
    said = [word.strip("'\"`") for word in command.split()[1:40]]
    return [w for w in said if len(w) > 3 and w[0] != "-" and holds(told.text, w) >= 0 and holds(task.given, w) < 0][:4]


def _weight(value: str) -> float:
    """Return how much it says that a value stands in the order."""
    if is_number(value):
        return (0.4, 0.6, 1.0)[min(len(value), 3) - 1] if len(value) < _DIGITS else 1.5
    if is_strict(value):
        return 3.0
    if value.count(" ") >= _PHRASE:
        return 3.0
    return 2.2 if " " in value else 1.2 if len(value) > 3 else 0.4


def _overlaps(leaf: str, told: _Told, task: Task) -> tuple[bool, bool]:
    """Return whether most of what a longer value says stands in the order and not in the task, and the reverse."""
    said = stems(leaf)
    new, known = said - task.stems, said & task.stems
    mine = len(new) >= 3 and 2 * len(new & told.said) >= len(said)
    return mine, not mine and len(known) >= 3 and 3 * len(known) >= 2 * len(said)
