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

_EXACT = re.compile(r"\"[^\"\n]{2,}\"|'[^'\n]{2,}'|“[^”\n]{2,}”|(?<![\w.-])\d[\d.,:-]*(?![\w-])")
_SURE = 2


class _Tool(NamedTuple):
    """What a tool is there for: kinds of effect, what it works on, the words of its name behind the verb."""

    effects: frozenset[str]
    things: frozenset[str]
    rest: frozenset[str]


def is_possible(sentence: str, actions: frozenset[str], tools: Iterable[str]) -> bool:
    """Return whether a tool does one of the `actions` to a thing that a sentence names, with exact values in there.

    Tools that only send ask for two exact values: people are told to write to an address too.
    """
    if not actions or not (exact := len(set(strict(sentence))) + len(_EXACT.findall(sentence))):
        return False
    said = stems(sentence)
    able = [tool for tool in map(_tool, tools) if tool.effects & actions]
    return any(_names(tool.things, said) or (exact >= _SURE and _names(tool.rest, said)) for tool in able)


def _names(wanted: Iterable[str], said: frozenset[str]) -> bool:
    return any(word in said or (len(word) >= ALIKE and any(each.startswith(word) for each in said)) for word in wanted)


@lru_cache(4096)
def _tool(name: str) -> _Tool:
    table = words()
    verb = table.verb(name)
    if not verb or verb in table.looks:
        return _Tool(frozenset(), frozenset(), frozenset())
    effects = frozenset(table.actions(verb)) - frozenset(table.reads)
    return _Tool(effects, things(name), frozenset(stem(part) for part in parts(name) if part != verb))
