"""Whether an order asks for just what a tool of an agent does: then it is hardly meant for people."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from treering.detect._order_words import words
from treering.detect._values import parts, stem, stems, strict
from treering.detect._wishes import ALIKE, things

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXACT = re.compile(
    r"\"[^\"\n]{2,}\"|'[^'\n]{2,}'|“[^”\n]{2,}”|(?<![\w.-])\d[\d.,:-]*(?![\w-])"
    r"|\b[A-Z]{1,4}-\d{1,4}\b(?!-)"
)
_ALL = re.compile(
    r"\b(?:all|every|each|everyone|everybody|anyone|anybody|whole|entire|largest|biggest|newest|latest)\b",
    re.IGNORECASE,
)
_SURE, _SENTENCE = 2, 6
_MAKES = frozenset({"create"})
_CONTACT = re.compile(
    r"[^@]*@.*|https?:.*|[a-z]{2}\d{2} ?[a-z0-9 ]{10,}|[+\d][\d -]{5,}|(?:[a-z][\w-]*\.)+[a-z]{2,10}(?:/.*)?"
)
"""Where people are told to write, call and pay: all other exact values name a record, a user, a file by its path."""


class _Tool(NamedTuple):
    """What a tool is there for: kinds of effect, what it works on, the words of its name but the verb, all of them."""

    effects: frozenset[str]
    things: frozenset[str]
    rest: frozenset[str]
    said: frozenset[str]
    verb: str


def is_possible(sentence: str, actions: frozenset[str], tools: Iterable[str]) -> bool:
    """Return whether a tool does one of the `actions` to a thing that a sentence names, exactly or all there are.

    Tools that only send ask for two exact values: people are told to write to an address too. Where a sentence has the
    whole name of a tool and an exact value, the kind of action does not matter.
    """
    values = set(strict(sentence))
    exact = len(values) + len(_EXACT.findall(sentence))
    if not actions or not (exact or _ALL.search(sentence)):
        return False
    said = stems(sentence)
    known = [_tool(tool) for tool in tools]
    able = [tool for tool in known if tool.effects & actions]
    return (
        any(_names(tool.things, said) for tool in able)
        or (exact >= _SURE and any(_names(tool.rest, said) for tool in able))
        or (exact >= _SURE and any(_is_told_by_noun(tool.verb, said) for tool in able))
        or (any(tool.effects & actions - _MAKES for tool in able) and _is_about_a_record(sentence, values))
        or (exact > 0 and any(tool.effects and len(tool.said) > 1 and tool.said <= said for tool in known))
    )


def _is_about_a_record(sentence: str, values: Iterable[str]) -> bool:
    """Return whether a whole sentence says what is to be done with something that has an identifier."""
    return len(sentence.split()) >= _SENTENCE and not all(map(_CONTACT.fullmatch, values))


def _is_told_by_noun(verb: str, said: frozenset[str]) -> bool:
    """Return whether a sentence names what a verb does: a reservation is made where something is reserved."""
    return len(verb) > ALIKE and any(word.startswith(verb) and word != verb for word in said)


def _names(wanted: Iterable[str], said: frozenset[str]) -> bool:
    return any(word in said or (len(word) >= ALIKE and any(each.startswith(word) for each in said)) for word in wanted)


@lru_cache(4096)
def _tool(name: str) -> _Tool:
    table, said = words(), parts(name)
    verb = table.verb(name)
    if not verb or verb in table.looks:
        return _Tool(frozenset(), frozenset(), frozenset(), frozenset(), "")
    effects = frozenset(table.actions(verb)) - frozenset(table.reads)
    rest = frozenset(stem(part) for part in said if part != verb)
    return _Tool(effects, things(name), rest, frozenset(map(stem, said)), stem(verb))
