"""Phrase rules: a file of patterns, compiled to one search for what they need and expressions for the few texts left.

One Aho-Corasick automaton (Aho and Corasick 1975) over the literals of all rules reads a whole column at once; a rule's
expression is tried only near its literals. So a text without them costs a few nanoseconds a character, and no text
costs more than `MAX_TRIES` tries of a rule on stretches of bounded length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple

import ahocorasick_rs
import msgspec

from treering.core.errors import UserError
from treering.parse.textview import fold, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REACH = 220
"""Characters on each side of a literal within which its rule's expression has to match."""
MAX_TRIES = 24
ENOUGH = 0.01
"""Doubt (1 minus the score) below which further rules are not tried."""
_BREAK = "\n\x00\n"
_TOKEN = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.| <(\d+)> | ~(\d+) | ")
_NAME = re.compile(r"\{([a-z]\w*)\}")
_GAP = r"[\W_]{1,6}"
_SHORTEST = 3


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pattern as its file has it; see the head of content/rules/prompts.yaml."""

    id: str
    title: str
    category: str
    weight: float
    near: list[str]
    pattern: str
    also: list[str] = []
    indirect: float | None = None
    roles: tuple[str, ...] = ("user", "document", "tool")
    words: Literal["whole", "part"] = "whole"
    match: list[str] = []
    no_match: list[str] = []

    def said_by(self, role: str) -> float:
        """Return the weight of the rule in what `role` says."""
        return self.weight if role == "user" or self.indirect is None else self.indirect


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    words: dict[str, str]
    rules: list[Rule]


class Hit(NamedTuple):
    """`rule` matched `text[start:end]` of the text numbered `place`."""

    place: int
    rule: int
    start: int
    end: int


class Scanned(NamedTuple):
    """The matches, and by the name of a hint the numbers of the texts that hold it."""

    hits: list[Hit]
    hints: dict[str, set[int]]


class Phrases:
    """The compiled rules."""

    def __init__(self, book: Book, hints: Mapping[str, Sequence[str]] | None = None) -> None:
        """Compile `book`; `hints` are more literals, reported by name. Raises `UserError` naming the rule.

        `literals` are what rules are tried near, with their numbers (those of hints are negative); `also` by rule.
        """
        self.rules = book.rules
        alternatives = {name: _alternatives(name, text) for name, text in book.words.items()}
        self._patterns = [_compile(rule, alternatives) for rule in book.rules]
        self.also = [tuple(_literals(rule, rule.also, alternatives)) for rule in book.rules]
        self._leads = [rule.near == [rule.pattern[: rule.pattern.find("}") + 1]] for rule in book.rules]
        self._mentions = [number for number, rule in enumerate(book.rules) if rule.category == "mention"]
        self._allowed: dict[str, set[int]] = defaultdict(set)
        literals: dict[str, list[int]] = defaultdict(list)
        for number, rule in enumerate(book.rules):
            for role in rule.roles:
                self._allowed[role].add(number)
            for literal in _literals(rule, rule.near if rule.category != "mention" else (), alternatives):
                literals[literal].append(number)
        self._names = list(hints or {})
        for name, texts in (hints or {}).items():
            for text in texts:
                literals[text].append(-1 - self._names.index(name))
        self.literals: Mapping[str, Sequence[int]] = literals
        self._owners = list(literals.values())
        self._search = ahocorasick_rs.AhoCorasick(list(literals))

    def scan(self, texts: Sequence[str], roles: Sequence[str], than: Sequence[str] = ()) -> Scanned:
        """Return what is found in folded `texts`, each said by one of `roles`; at most one match of a rule in a text.

        Of texts that were only respelt from `than`, literals that both have are not looked at again.
        """
        near: dict[tuple[int, int], list[tuple[int, int]]] = {}
        hints: dict[str, set[int]] = {}
        for index, start, end, owner in self._literals(texts):
            if than and texts[index][start:end] == than[index][start:end]:
                continue
            allowed = self._allowed[roles[index]]
            for number in self._owners[owner]:
                if number in allowed:
                    near.setdefault((index, number), []).append((start, end))
                elif number < 0:
                    hints.setdefault(self._names[-1 - number], set()).add(index)
        return Scanned(self._strongest(texts, roles, near), hints)

    def _strongest(
        self, texts: Sequence[str], roles: Sequence[str], near: Mapping[tuple[int, int], list[tuple[int, int]]]
    ) -> list[Hit]:
        """Try the rules of each text, those that say most first, until there is hardly any doubt left."""
        hits: list[Hit] = []
        doubt: dict[int, float] = {}
        order = sorted(near, key=lambda key: (key[0], -self.rules[key[1]].weight, key[1]))
        for index, number in order:
            if doubt.get(index, 1.0) <= ENOUGH:
                continue
            if hit := self._match(texts[index], number, near[index, number]):
                hits.append(Hit(index, number, *hit))
                doubt[index] = doubt.get(index, 1.0) * (1 - self.rules[number].said_by(roles[index]))
        return hits

    def mentions(self, text: str, role: str) -> list[int]:
        """Return the rules that say that folded `text` only talks about such things."""
        bounded = text[: 16 * REACH]
        return [n for n in self._mentions if role in self.rules[n].roles and self._patterns[n].search(bounded)]

    def _literals(self, texts: Sequence[str]) -> Iterable[tuple[int, int, int, int]]:
        """Yield number of the text, start, end and owner of each literal that occurs."""
        starts, at = [], 0
        for text in texts:
            starts.append(at)
            at += len(text) + len(_BREAK)
        joined = _BREAK.join(texts)
        for owner, start, end in self._search.find_matches_as_indexes(joined, overlapping=True):
            index = bisect_right(starts, start) - 1
            yield index, start - starts[index], end - starts[index], owner

    def _match(self, text: str, number: int, places: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Try a rule around its literals; one that begins with them is tried nowhere else."""
        pattern, also, done = self._patterns[number], self.also[number], -1
        for start, end in places[:MAX_TRIES]:
            if end <= done:
                continue
            high = min(len(text), end + REACH)
            if also and not _holds(text[max(0, start - REACH) : high], also):
                continue
            if self._leads[number]:
                found = pattern.match(text, max(0, start - 1), high) or pattern.match(text, start, high)
            else:
                found = pattern.search(text, max(0, start - REACH), high)
                done = high - REACH // 2
            if found:
                return found.span()
        return None


def _holds(text: str, literals: Sequence[str]) -> bool:
    return any(map(text.__contains__, literals))


def _alternatives(name: str, text: str) -> list[str]:
    parts = [plain(piece.strip()).cased for piece in text.replace("\n", " ").split(",")]
    for part in parts:
        if part.count("{") != part.count("}"):
            raise UserError(f"words {name}: {part!r} has half a bracket", hint="a comma ends an alternative")
    return [part for part in parts if part]


def _compile(rule: Rule, words: Mapping[str, list[str]]) -> re.Pattern[str]:
    def named(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise UserError(f"rule {rule.id}: no words named {match[1]!r}", hint=f"known: {', '.join(words)}")
        return "(?:" + "|".join(words[match[1]]) + ")"

    text = _TOKEN.sub(_token, _NAME.sub(named, plain(rule.pattern).cased))
    if rule.words == "whole":
        text = rf"(?<![^\W_])(?:{text})(?![^\W_])"
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise UserError(f"rule {rule.id}: {error}", hint=f"in {rule.pattern!r}") from error


def _token(match: re.Match[str]) -> str:
    if match[1]:
        return rf"{_GAP}(?:[^\W_]{{1,30}}{_GAP}){{0,{match[1]}}}?"
    if match[2]:
        return rf".{{0,{match[2]}}}?"
    return f"(?:{_GAP})" if match[0] == " " else match[0]


def _literals(rule: Rule, needed: Sequence[str], words: Mapping[str, list[str]]) -> Iterable[str]:
    for name in needed:
        listed = _NAME.fullmatch(name)
        for text in words[listed[1]] if listed else [name]:
            literal = _longest(text) if listed else fold(text)
            if len(literal) < (_SHORTEST if literal.isascii() else 2):
                raise UserError(f"rule {rule.id}: {text!r} of {name!r} is too short to look for")
            yield literal


def _longest(alternative: str) -> str:
    """Return the longest text that every match of a simple expression holds."""
    bare = re.sub(r"\(\?:[^()]*(?:\([^()]*\)[^()]*)*\)[?*]?|\[[^\]]*\][?*]?|\\.[?*+]?|.[?*]", "\x00", alternative)
    return max(bare.split("\x00"), key=len).strip(" ")
