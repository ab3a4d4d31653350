"""Scores texts by the phrases they hold, in clear, encoded and disguised."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import yaml

from treering.core.errors import UserError
from treering.detect import _yaml
from treering.detect._phrases import Book, Phrases, Scanned
from treering.parse.textview import ROT13, View, decoded, fold, plain, straightened
from treering.parse.textview.disguise import leet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_CACHED = 20_000
_QUOTE, _QUOTED = 4, 0.4
_TOGETHER = 512
_MOST_CHARACTERS = 1_000_000
_TELLING = (
    "ignore",
    "instruction",
    "instructions",
    "previous",
    "system",
    "prompt",
    "reveal",
    "disregard",
    "forget",
    "rules",
)


class Verdict(NamedTuple):
    """Score of a text, the category that says most, the ids of the phrases, their spans, how they were disguised."""

    score: float
    category: str
    rules: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    kinds: tuple[str, ...]


class Hidden(NamedTuple):
    """What may be hidden in a text: encodings, disguises and odd characters; phrases in leetspeak."""

    odd: bool
    leet: bool


_EVERY_WAY = Hidden(odd=True, leet=True)
T = TypeVar("T")


def digest(text: str) -> str:
    """Return a short name of `text` that is the same in every process."""
    return hashlib.blake2b(_bytes(text), digest_size=8).hexdigest()


def memo(role: str, text: str) -> int:
    """Return by what a text is remembered: 64 bits of SipHash with a key of the process, as `_unread` has them."""
    return hash((role, text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def book(text: str, where: str) -> Book:
    """Return the rules in `text` (YAML). Raises `UserError` naming `where`."""
    try:
        return msgspec.convert(_yaml.read(text), Book)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise UserError(f"{where}: {error}", hint="see content/rules/prompts.yaml for the form") from error


@cache
def scanner(files: tuple[str, ...] = ()) -> Scanner:
    """Return the scanner for the shipped phrases and those of `files`. Raises `UserError` for a wrong file."""
    shipped = book((resources.files("treering.content") / "rules" / "prompts.yaml").read_text("utf-8"), "prompts.yaml")
    words, rules = dict(shipped.words), list(shipped.rules)
    for name in files:
        try:
            more = book(Path(name).read_text("utf-8"), name)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the phrases of {name}: {error}") from error
        words |= more.words
        rules += more.rules
    return Scanner(Book(words, rules))


def _hints() -> dict[str, list[str]]:
    spaced = [gap.join(word) for word in _TELLING for gap in (" ", ".", "-", "_", "*", "|", "/", ", ")]
    return {
        "spaced": spaced,
        "backwards": [word[::-1] for word in _TELLING if len(word) > 5],
        "rot13": [word.translate(ROT13) for word in _TELLING if len(word) > 5],
    }


class _Found:
    """What was found in one text so far."""

    def __init__(self) -> None:
        self.spans: dict[int, tuple[int, int]] = {}
        self.quoted: set[int] = set()
        self.kinds: dict[str, None] = {}

    def add(self, rule: int, view: View, start: int, end: int) -> None:
        if rule in self.spans:
            return
        self.spans[rule] = view.origin(start, end)
        if not view.kinds and _is_quoted(view.text, start, end):
            self.quoted.add(rule)
        self.kinds.update(dict.fromkeys(view.kinds))


def _is_quoted(text: str, start: int, end: int) -> bool:
    """Return whether quotation marks stand around what was found: it is then more often mentioned than used."""
    before, after = text[max(0, start - _QUOTE) : start], text[end : end + _QUOTE]
    return any(mark in before and mark in after for mark in "'\"")


class Scanner:
    """Keeps the verdicts of the last texts: conversations repeat what was said before."""

    def __init__(self, rules: Book) -> None:
        """Compile `rules`. Raises `UserError` naming a wrong one."""
        self.phrases = Phrases(rules, _hints())
        self._known: dict[int, Verdict | None] = {}

    def verdicts(self, said: Sequence[tuple[str, str]], hidden: Sequence[Hidden] | None = None) -> list[Verdict | None]:
        """Return what is to be said of each (role, text); None for a text without any phrase.

        `hidden` says of each what may be hidden in it, where that is known; everything otherwise.
        """
        names = [memo(role, text) for role, text in said]
        ways = dict(zip(names, zip(said, hidden or [_EVERY_WAY] * len(said), strict=True), strict=True))
        for part in portions({name: way for name, way in ways.items() if name not in self._known}):
            found = self._judge([pair for pair, _ in part.values()], [way for _, way in part.values()])
            self._known.update(zip(part, found, strict=True))
        out = [self._known[name] for name in names]
        while len(self._known) > _CACHED:
            del self._known[next(iter(self._known))]
        return out

    def mentions(self, text: str, role: str) -> list[str]:
        """Return the ids of the rules that say that `text` only talks about such things."""
        return [self.phrases.rules[number].id for number in self.phrases.mentions(fold(text), role)]

    def _judge(self, said: Sequence[tuple[str, str]], hidden: Sequence[Hidden]) -> list[Verdict | None]:
        roles = [role for role, _ in said]
        views = [plain(text) for _, text in said]
        found: dict[int, _Found] = {}
        hints = self._look(views, range(len(views)), roles, found).hints
        self._respelt(views, [number for number, ways in enumerate(hidden) if ways.leet], roles, found)
        for spelling, indexes in hints.items():
            places = sorted(indexes)
            self._look([straightened(views[i], spelling) for i in places], places, roles, found)
        for index, view in enumerate(views):
            for layer in decoded(view) if hidden[index].odd else ():
                self._look([layer], [index], roles, found)
        return [self._verdict(views[i], roles[i], found[i]) if i in found else None for i in range(len(views))]

    def _respelt(
        self, views: Sequence[View], chosen: Iterable[int], roles: Sequence[str], found: dict[int, _Found]
    ) -> None:
        """Look for phrases that only leetspeak hides."""
        spelt = [(i, leet(views[i].text)) for i in chosen]
        spelt = [(i, text) for i, text in spelt if text != views[i].text]
        places = [i for i, _ in spelt]
        scanned = self.phrases.scan([t for _, t in spelt], [roles[i] for i in places], [views[i].text for i in places])
        for index in {places[hit.place] for hit in scanned.hits}:
            for spelling in ("leet", "leet-l"):
                self._look([straightened(views[index], spelling)], [index], roles, found)

    def _look(
        self, views: Sequence[View], places: Sequence[int], roles: Sequence[str], found: dict[int, _Found]
    ) -> Scanned:
        scanned = self.phrases.scan([view.text for view in views], [roles[place] for place in places])
        for hit in scanned.hits:
            found.setdefault(places[hit.place], _Found()).add(hit.rule, views[hit.place], hit.start, hit.end)
        return scanned

    def _verdict(self, view: View, role: str, found: _Found) -> Verdict:
        rules = self.phrases.rules
        left = 1.0
        by_category: dict[str, float] = {}
        for number in found.spans:
            rule = rules[number]
            weight = rule.said_by(role)
            if role == "user" and number in found.quoted:
                weight *= _QUOTED
            left *= 1 - weight
            by_category[rule.category] = max(by_category.get(rule.category, 0.0), weight)
        score = 1 - left
        for number in self.phrases.mentions(view.text, role):
            score *= rules[number].weight
        category = max(by_category, key=lambda name: by_category[name])
        return Verdict(
            score,
            category,
            tuple(rules[number].id for number in found.spans),
            tuple(sorted(set(found.spans.values()))),
            tuple(found.kinds),
        )


def portions(ways: Mapping[int, tuple[tuple[str, str], T]]) -> Iterator[dict[int, Any]]:
    """Yield texts (name: pair of role and text, and whatever) in parts of a bounded number and, but for single ones,
    of characters."""
    part: dict[int, tuple[tuple[str, str], T]] = {}
    size = 0
    for name, way in ways.items():
        part[name] = way
        size += len(way[0][1])
        if len(part) == _TOGETHER or size > _MOST_CHARACTERS:
            yield part
            part, size = {}, 0
    if part:
        yield part
