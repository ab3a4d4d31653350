"""What an agent was asked, by the words of the person: kinds of action, things, whether to do what a text says."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from treering.detect._order_words import words
from treering.detect._values import folded, holds, is_strict, leaves, parts, stem, stems

if TYPE_CHECKING:
    from treering.detect._agent_runs import Run, Step

ALIKE = 4
"""Letters that a word needs so that a longer one may be the same."""
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?\n]?")
_ASKS_FOR = re.compile(
    r"\b(?:could|can|would|will) (?:you|we)\b|\bplease\b|\bdo you mind\b|\bmind \w+ing\b", re.IGNORECASE
)
_OPENING = re.compile(
    r"^\W*(?:(?:please|then|and|also|now|first|next|finally|hi|hello|hey|dear|thanks|so|just|kindly|for me|go and|"
    r"i want to|i would like to|i'd like to|i need to|i need you to|i want you to|help me|"
    r"could you|can you|will you|would you|you)\b[ ,]*)+",
)
_PAYS = frozenset({"pay"})
_FOR_ME = re.compile(r"\b(?:give|show|tell|send|get|find|let|make|write|read) (?:me|us|sure)\b")
_RELATIVE = frozenset({"what", "whatever", "all", "any", "everything"})
_DUE = re.compile(r"\b(?:should|must|shall|may|yours|has to|have to|needs? to|is to|are to)\b")
"""With such a word a sentence without a question mark that begins with "what" says what is to be done."""
_SHOWS_ME = re.compile(r"\W*(?:please )?(?:give|show|tell|send) (?:me|us)\b")
_TO = re.compile(
    r"\b(?:send|forward|e?mail|post|share|write|message|invite|pay|transfer)\b.{1,60}\b(?:to|with)\b"
    r"|\b(?:message|text|e?mail|tell|inform|notify|page) "
    r"(?!(?:me|us|the|my|our|her|his|them|him|all|each|every\w*|whoever)\b)[\w.@' -]{2,40}\b(?:that|about|of)\b"
)
_NEEDS = re.compile(r"\b(?:needs?|wants?|like|wish|should|fix|solve|help|ensure)\b")
_TELLS = re.compile(r"\b(?:ask|tell|let .{1,40} know|write|reach|call)\b")
_TELLING = frozenset({"send", "post"})
_SENDING = frozenset({"send", "post", "admit", "pay"})
"""Where a person says to whom, sending somewhere else is not what they asked for."""
_VAGUE = frozenset({"user", "data", "item", "tool", "all", "by", "to", "with", "for", "from", "my", "in", "of", "and"})


class Task:
    """What the agent was asked, and whether that is to do what a text says."""

    def __init__(self, run: Run) -> None:
        self.text = folded(run.asked)
        self.given = folded(run.asked + "\n" + run.instructed)
        self.stems = stems(run.asked)
        wishes = [each for each in _SENTENCE.findall(run.asked) if _is_wish(each)]
        self.delegates = any(words().delegates.search(each) for each in wishes)
        asked = _FOR_ME.sub("", self.text)
        self.actions = {action for word in asked.split() for action in words().actions(word.strip(".,:;!?"))}
        self.nouns = {each for each in self.stems if not words().actions(each) and len(each) > ALIKE}
        if _TELLS.search(self.text):
            self.actions.add("send")
        effects = words().asked(_FOR_ME.sub("", folded("\n".join(wishes)))) - words().reads
        self.only_asks = not effects and not self.delegates and not _NEEDS.search(self.text)
        self.is_question = not self.delegates and all(map(_asks, _SENTENCE.findall(self.text)))
        """Whether it only asks to be told something."""
        self.is_open = self.delegates or not (effects or self.is_question)
        """Whether what is to be done is left to the agent or to a text: then no effect is a surprise."""
        self.effects = effects
        telling = _TELLING if self.actions & _TELLING else frozenset[str]()
        self.spoken = frozenset((self.actions | telling) - words().reads)
        """Kinds of effect that the person speaks of at all."""
        self.wanted = effects - (_SENDING if _TO.search(self.text) else frozenset())
        self.shown = self._shown(run)

    def _shown(self, run: Run) -> frozenset[str]:
        """Return what stands in folders and lists that the person named: they mean what is in there."""
        plain = (step for step in run.in_order() if not step.orders and step.values)
        return frozenset(value for step in plain if self._spoken(step) for value in step.values)

    def _spoken(self, step: Step) -> list[str]:
        """Return what a step was asked for that the person spoke of."""
        given = (folded(value) for _, value in leaves(step.arguments) if len(value) > 3)
        return [value for value in given if holds(self.text, value) >= 0]

    def means(self, source: Step, actions: frozenset[str], near: str) -> float:
        """Return how surely the person asked for what a text says, or named the text and asked for what an order says.

        Where it is left open what is to be done, texts about what the person speaks of say it.
        1 is surely, 0 not at all. A bill that is to be paid says to whom, whether or not the person names it exactly.
        """
        named = self.named(source)
        if self.is_open:
            said = set() if named else things(source.name).union(*(stems(v) for _, v in leaves(source.arguments)))
            return 1.0 if named or any(is_alike(mine, theirs) for mine in said for theirs in self.stems) else 0.0
        same = actions & self.wanted
        if named:
            return (1.0 if any(map(is_strict, named)) else 0.5) if same else 0.0
        return 1.0 if same >= _PAYS and stems(near) & self.nouns else 0.0

    def named(self, source: Step) -> list[str]:
        """Return what a step was asked for that the person spoke of, or that stands in what they had looked at."""
        return self._spoken(source) or [v for _, v in leaves(source.arguments) if folded(v) in self.shown]


def _is_wish(sentence: str) -> bool:
    """Return whether a sentence is not only a question: what they say is asked, not done."""
    return not sentence.rstrip().endswith("?") or bool(_ASKS_FOR.search(sentence))


def _asks(sentence: str) -> bool:
    """Return whether a sentence in small letters asks for an answer, or only tells something."""
    said = _OPENING.sub("", sentence).split()
    if not said or not _is_wish(sentence):
        return True
    if _SHOWS_ME.match(sentence):
        return True
    first = said[0].strip(",.;:!-")
    if first in _RELATIVE and _DUE.search(sentence):
        return False
    kinds = words().actions(first)
    return (first in words().answers and first != "do") or (bool(kinds) and kinds <= words().reads)


def is_alike(one: str, other: str) -> bool:
    """Return whether a stem is the other or its beginning: mail, mailbox."""
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) >= ALIKE and long.startswith(short))


@lru_cache(4096)
def things(name: str) -> frozenset[str]:
    """Return the stems of the words in a tool's name behind its verb."""
    table, said = words(), [part for part in parts(name) if part not in _VAGUE]
    verb = table.verb(name)
    same = table.actions(verb)
    return frozenset(
        stem(part) for part in said if part != verb and part not in table.looks and not same & table.actions(part)
    )
