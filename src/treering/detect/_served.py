"""Which steps of an agent served what a person asked for, and whether a text that they named led it instead."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from treering.detect._order_words import words
from treering.detect._values import folded, holds, leaves, parts, stem, stems
from treering.detect._wishes import things

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.detect._agent_runs import Step
    from treering.detect._orders import Order
    from treering.detect._wishes import Task

_STARTS = frozenset({"run", "visit", "read"})
"""What tools do that only look, or lead to anything."""
_SEVERAL = 2


class Done:
    """A step as it is compared."""

    def __init__(self, step: Step) -> None:
        self.step, self.name = step, step.name.casefold()
        self.verb = words().verb(step.name)
        self.actions, self.looks = words().of_tool(step.name)
        self.is_command = bool(words().commands.intersection(parts(step.name)))
        if self.is_command:
            command = max((value for _, value in leaves(step.arguments)), key=len, default="")
            self.actions, self.looks = words().of_command(command)
        self.effects = self.actions if self.is_command else words().done_by(step.name)
        self.things = things(step.name)
        self.rest = self.things or frozenset(stem(part) for part in parts(step.name) if part != self.verb)
        self.is_named = len(self.name) > 3 and any(mark in self.name for mark in "_-.")
        self.is_surplus = False
        """Whether the person spoke of nothing in it, while other steps did what they asked for."""

    @cached_property
    def leaves(self) -> list[tuple[str, str]]:
        """Values of the arguments, as they are and folded."""
        found = ((value, folded(value)) for _, value in leaves(self.step.arguments))
        return [pair for pair in found if len(pair[1]) > 1]

    @property
    def is_run(self) -> bool:
        """Whether it is a tool's run, no document."""
        return bool(self.step.arguments_field) and not self.step.document

    @property
    def has_effect(self) -> bool:
        """Whether it changes or sends something."""
        return not self.looks and bool(self.effects) and not self.effects & _STARTS

    def is_spoken_of(self, task: Task) -> bool:
        """Whether the person used its verb or named its things."""
        return bool(self.rest & task.stems) or stem(self.verb) in task.stems

    def is_given_by(self, task: Task) -> bool:
        """Whether the person gave one of its values."""
        return any(holds(task.given, value) >= 0 for _, value in self.leaves)

    def does(self, order: Order) -> bool:
        """Whether it is of a kind that an order speaks of, to things or with values of it."""
        if not order.actions & self.effects:
            return False
        text = folded(order.text)
        return bool(self.rest & stems(order.text)) or any(holds(text, value) >= 0 for _, value in self.leaves)


def see_who_asked(done: Sequence[Done], task: Task) -> None:
    """Note in `task` whether it leaves open what is to be done, and in the steps which of them are beyond it.

    It is open where no step serves what the person said, or all with effects do what a text said that they named. Else
    steps are beyond it that have nothing of the person's where others have: who asks for a table at one place has not
    asked for a room at another, though both are booked.
    """
    served = [each for each in done if _serves(each, task)]
    task.is_open |= bool(task.effects - {"visit"}) and not served
    task.is_open |= not task.is_question and any(_leads(number, done, task) for number in range(len(done)))
    if task.is_open:
        return
    given = {each.name for each in served if each.is_given_by(task)}
    has_others = bool(given) or any(each.is_spoken_of(task) for each in served)
    for each in done:
        if not each.looks and each.is_run and not each.is_given_by(task):
            each.is_surplus = each.name in given or (has_others and not each.is_spoken_of(task))


def _serves(done: Done, task: Task) -> bool:
    """Return whether a step has an effect of a kind that the person spoke of, or any on what they named."""
    if done.looks:
        return False
    is_named = done.has_effect and (done.is_spoken_of(task) or done.is_given_by(task))
    return is_named or bool(done.effects & task.spoken)


def _leads(number: int, done: Sequence[Done], task: Task) -> bool:
    """Return whether a text that the person named says all that was done, in several ways, and nothing was theirs."""
    source = done[number].step
    if not source.orders or any(order.is_addressed for order in source.orders) or not task.named(source):
        return False
    later = [each for each in done[number + 1 :] if each.is_run and each.has_effect]
    return len({each.name for each in later}) >= _SEVERAL and all(
        not each.is_given_by(task) and any(each.does(order) for order in source.orders) for each in later
    )
