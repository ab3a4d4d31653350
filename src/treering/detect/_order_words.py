"""The words of content/rules/orders.yaml: what is ordered, what tools do, signs that a text speaks to an agent."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from treering.detect import _yaml
from treering.detect._values import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITES = re.compile(r">{1,2}\s*[\w~/.$]|\|\s*(?:sudo )?(?:tee|(?:ba|z|da)?sh|python\d?|xargs)\b")
"""What makes a program that prints change something."""
_SAID_WITH_CREATE = frozenset({"pay", "book"})
_ASKING = re.compile(r"[^\W\d_][\w'-]*|[.,;:!?\n]")
_ASKS = frozenset(("", ".", ",", ";", ":", "!", "?", "\n", "me", "us", "them", "it", "again", "also", "could", "would"))
"""Words and signs after which a verb asks for something."""


class Cue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign around an order that an agent is meant."""

    id: str
    scope: str
    weight: float
    near: str
    pattern: str


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file orders.yaml."""

    actions: dict[str, str]
    reads: list[str]
    nouns: dict[str, str]
    both: str
    looks: str
    commands: str
    glances: str
    answers: str
    leads: str
    no_verbs: str
    no_objects: str
    cues: list[Cue]
    delegates: str


class Words:
    """The words of orders.yaml, ready for use."""

    def __init__(self, book: Book) -> None:
        """Compile the patterns."""
        self.classes: dict[str, set[str]] = {}
        for action, verbs in book.actions.items():
            for verb in verbs.split(","):
                self.classes.setdefault(verb.strip(), set()).add(action)
        self._nouns: dict[str, set[str]] = {}
        for action, nouns in book.nouns.items():
            for noun in nouns.split(", "):
                self._nouns.setdefault(noun, set()).add(action)
        self.reads = frozenset(book.reads)
        self.both, self.looks, self.commands, self.glances, self.answers, self.leads, self.no_verbs, self.no_objects = (
            frozenset(text.replace(",", " ").split())
            for text in (
                book.both,
                book.looks,
                book.commands,
                book.glances,
                book.answers,
                book.leads,
                book.no_verbs,
                book.no_objects,
            )
        )
        self.cues = [(cue, re.compile(_spaced(cue.pattern), re.IGNORECASE)) for cue in book.cues]
        self.delegates = re.compile(_spaced(book.delegates), re.IGNORECASE)
        self._verbs = AhoCorasick([f"{verb} " for verb in self.classes], matchkind=MatchKind.LeftmostLongest)
        literals = [(near, number) for number, cue in enumerate(book.cues) for near in cue.near.split(", ")]
        self._owners = [number for _, number in literals]
        self._near = AhoCorasick([literal for literal, _ in literals])

    def verbs(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each verb in a text that more follows."""
        for _, start, end in self._verbs.find_matches_as_indexes(_lowered(text)):
            yield start, end - 1

    def signs(self, text: str) -> list[tuple[Cue, int, int]]:
        """Return the cues in a text with where they are."""
        found = self._near.find_matches_as_indexes(_lowered(text), overlapping=True)
        tried = sorted({self._owners[number] for number, _, _ in found})
        chosen = (self.cues[number] for number in tried)
        return [(cue, match.start(), match.end()) for cue, pattern in chosen for match in pattern.finditer(text)]

    def actions(self, verb: str) -> set[str]:
        """Return what a verb may mean, or a noun for what a verb says."""
        return self.classes.get(verb) or self._nouns.get(verb, set())

    def asked(self, text: str) -> set[str]:
        """Return what a person asks for, by the verbs that stand where one asks."""
        found: set[str] = set()
        before = ""
        for word in _ASKING.findall(text.casefold()):
            if before in _ASKS or before in self.leads:
                found |= self.actions(word)
            before = word
        return found

    def of_command(self, command: str) -> tuple[set[str], bool]:
        """Return what a command line may do by its first words, and whether its programs only look."""
        found: set[str] = set()
        said = parts(command)[:24]
        for word in said:
            found |= self.actions(word)
        if writes := bool(_WRITES.search(command[:1000])):
            found |= {"create", "update"}
        programs = [line.split(maxsplit=1)[0] for line in re.split(r"[;&|\n]+", command[:1000]) if line.strip()]
        return found, not writes and bool(programs) and all(program in self.glances for program in programs)

    def of_tool(self, name: str) -> tuple[set[str], bool]:
        """Return what a tool may do by the words of its name, and whether it only looks."""
        words = parts(name)
        found: set[str] = set()
        for word in words:
            found |= self.actions(word)
        return found, self.verb(name) in self.looks

    def done_by(self, name: str) -> set[str]:
        """Return what a tool does by its verb, and by what a verb like "place" is said with: an order, a booking."""
        verb = self.verb(name)
        found = set(self.actions(verb))
        if "create" in found:
            for word in parts(name):
                found |= self._nouns.get(word, set()) | (self.classes.get(word, set()) & _SAID_WITH_CREATE)
        return found

    def verb(self, name: str) -> str:
        """Return the first word of a tool's name that says what it does; empty if none does."""
        said = parts(name)
        verb = next((word for word in said if word in self.looks or word in self.classes), "")
        if verb in self.both:
            verb = next((word for word in said if word in self.looks), verb)
        return verb or next((word for word in said if word in self._nouns), "")


def _lowered(text: str) -> str:
    """Return a text in small letters and on one line, every character where it was."""
    lowered = text.lower()
    return (lowered if len(lowered) == len(text) else text).replace("\n", " ")


def _spaced(pattern: str) -> str:
    """Return a pattern of the file as one line; words in it may follow an underscore."""
    return re.sub(r"\n\s*", "", pattern.strip()).replace(r"\b(?:", r"(?<![^\W_])(?:")


@cache
def words() -> Words:
    """Return the words of the shipped file."""
    text = (resources.files("treering.content") / "rules" / "orders.yaml").read_text("utf-8")
    return Words(msgspec.convert(_yaml.read(text), Book))
