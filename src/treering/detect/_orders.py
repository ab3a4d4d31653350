"""Orders in a text that a tool or a document gave: what is to be done, and how much it sounds as if an agent is meant.

Each order is a sentence in the imperative with what belongs to it, scored by the signs of content/rules/orders.yaml
around it. A score says nothing about what was done; `treering.detect._following` compares orders with actions.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from treering.detect import _yaml
from treering.detect._values import parts, strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_TEXT = 60_000
MOST_ORDERS = 8
_BEFORE, _SENTENCE, _BELONGS = 500, 400, 600
_BOUNDARY = ".!?:;\n>-–—#|]})*,/"
_NO_START = "@/$-"
_LEADS = frozenset({
    "please", "kindly", "then", "and", "also", "now", "first", "instead", "must", "should", "do", "just", "immediately",
    "to", "you", "next", "finally", "simply", "need", "directly", "assistant", "agent", "ai", "todo", "ps", "p.s",
})  # fmt: skip
_NO_OBJECT = frozenset(
    {"is", "are", "was", "were", "of", "by", "has", "have", "had", "will", "and", "or", "can", "may", "from", "if", "accordingly"}
)
_END = re.compile(r"[.!?](?=\s|$|<|[A-Z]{2})|\n\s*\n|-->|[\])}]\s*$")
_NEXT_WORD = re.compile(r"\s+[\"'“`*_(\[<$]{0,3}([\w$/@.'-]+)")
_FOLDS = re.compile(r"\\?\n[ \t]+\\?(?![ \t]*-\s)(?![ \t]*[\w .'-]{1,40}:(?:\s|$))")
_FOLD = re.compile(r"\\?\s*\n\s*(?:\\(?=[ \t]))?")
_HUMAN = re.compile(r"(?<![\w.-])(?:me|my|mine|i|i'm|we|us|our|ours)(?![\w-]|\.\w)", re.IGNORECASE)
_POLITE = re.compile(r"\b(?:please|kindly|thanks|thank you)\b", re.IGNORECASE)
_KEY = re.compile(r"^[ \t]*(?:- )*[\w .-]{1,40}:(?:\s|$)|^[ \t]*- ", re.MULTILINE)
_QUOTED = re.compile(r"""(?:(?<=: )|(?<=- )|^)(?:'((?:[^']|''){0,4000})'|"((?:[^"\\]|\\.){0,4000})")""", re.MULTILINE | re.DOTALL)
_UNKNOWN = re.compile(r"(?:^|[\n>:]\s{0,3}|[.!?]\s{1,3}|[a-z0-9]_|\bTODO:? )([A-Z][a-z]{2,14}) (?=(?:the|all|every|each|any|your|him|her|them|it|user)\b)")
_NO_VERB = frozenset(
    "the this that these those and but for from with when while where what who how why all any both not are was were has had "
    "have his her its our their your you she they there here then than after before during since until about over under into "
    "onto upon within without through across between among because although though unless once also only even just like near "
    "ignore disregard forget most many some each every either neither such same other both see besides despite until towards".split()
)
_NEAR, _MOST_STARTS = 260, 200


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
    looks: str
    cues: list[Cue]
    delegates: str


class Order(msgspec.Struct, frozen=True):
    """One order: its sentence and what belongs to it, verbs, cues, its score before anything is known of tools."""

    text: str
    sentence: str
    verbs: tuple[str, ...]
    cues: tuple[str, ...]
    score: float

    @property
    def actions(self) -> frozenset[str]:
        """What it may ask for."""
        table = words()
        return frozenset(action for verb in self.verbs for action in table.actions(verb))

    @property
    def is_addressed(self) -> bool:
        """Whether something before it says that a model is meant or that other instructions end."""
        return any(name in ADDRESSING for name in self.cues)


    @property
    def penalty(self) -> float:
        """How much less it says where a person asked for what a text says."""
        return 0.5 if self.is_addressed else 1.0 if self.cues and self.cues != ("presses",) else 2.0


ADDRESSING = frozenset({"addresses_model", "binds_model", "plays_a_role", "speaks_of_the_task", "overrides", "phrases"})


class Words:
    """The words of orders.yaml, ready for use."""

    def __init__(self, book: Book) -> None:
        """Compile the patterns."""
        self.classes: dict[str, set[str]] = {}
        for action, verbs in book.actions.items():
            for verb in verbs.split(","):
                self.classes.setdefault(verb.strip(), set()).add(action)
        self.reads = frozenset(book.reads)
        self.looks = frozenset(word.strip() for word in book.looks.split(","))
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
        """Return what a verb may mean."""
        return self.classes.get(verb, set())

    def of_tool(self, name: str) -> tuple[set[str], bool]:
        """Return what a tool may do by the words of its name, and whether it only looks."""
        words = parts(name)
        found: set[str] = set()
        for word in words:
            found |= self.actions(word)
        verb = next((word for word in words if word in self.looks or word in self.classes), "")
        return found, verb in self.looks


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


def unfolded(result: str) -> list[str]:
    """Return the texts in a tool's result, read as JSON, as YAML with folded lines, or as it is."""
    result = result[:MOST_TEXT]
    if result[:1] in "[{":
        try:
            return list(_strings(msgspec.json.decode(result), 0))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            pass
    if not _KEY.match(result) or 2 * len(_KEY.findall(result)) < result.count("\n"):
        return [_plain(result)]
    quoted = [_plain(_unfold(match[1] if match[2] is None else match[2])) for match in _QUOTED.finditer(result)]
    rest = _KEY.split(_FOLDS.sub(" ", _QUOTED.sub("", result)))
    return [text for text in (*quoted, *map(_plain, rest)) if text]


def _unfold(quoted: str) -> str:
    """Return a quoted scalar of YAML on the lines that it has."""
    return _FOLD.sub(lambda fold: "" if fold[0][0] == "\\" else "\n" if fold[0].count("\n") > 1 else " ", quoted)


def _plain(text: str) -> str:
    """Return a scalar of YAML without escapes."""
    if "\\" in text:
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\ ", " ")
    return text.strip().replace("''", "'")


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif depth < 8:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _strings(inner, depth + 1)


def orders(result: str) -> list[Order]:
    """Return the orders in a tool's result or a document that sound most like orders, at most `MOST_ORDERS`."""
    found = [order for text in unfolded(result) for order in _orders(text)]
    if len(found) > MOST_ORDERS:
        kept = sorted(found, key=lambda order: -order.score)[:MOST_ORDERS]
        found = [order for order in found if order in kept]
    return found


def _orders(text: str) -> list[Order]:
    known = words()
    starts = [start for low, high in known.verbs(text) if (start := _imperative(text, low, high)) is not None]
    taken = {start.at for start in starts}
    more = ((match.start(1), match[1].casefold()) for match in _UNKNOWN.finditer(text))
    starts += [_Start(at, "", 0.8) for at, word in more if at not in taken and word not in _NO_VERB]
    sentences = _sentences(text, sorted(starts)[:_MOST_STARTS])
    if not sentences:
        return []
    low = max(0, sentences[0][0].at - _BEFORE)
    signs = [(cue, start + low, end + low) for cue, start, end in known.signs(text[low : sentences[-1][0].at + _BELONGS])]
    found = []
    for number, (first, end, verbs) in enumerate(sentences):
        last = sentences[number + 1][0].at if number + 1 < len(sentences) else len(text)
        found.append(_order(text, (first.at, end, min(last, first.at + _BELONGS)), verbs, first.base, signs))
    return found


class _Start(NamedTuple):
    """Where an order may begin, its verb, how surely it is one."""

    at: int
    verb: str
    base: float


def _sentences(text: str, starts: Sequence[_Start]) -> list[tuple[_Start, int, tuple[str, ...]]]:
    """Return the sentences that are orders: first verb, end, all verbs."""
    found: list[tuple[_Start, int, tuple[str, ...]]] = []
    for start in starts:
        if found and start.at < found[-1][1] and start.base < 1:
            first, end, verbs = found[-1]
            found[-1] = first, end, (*verbs, start.verb) if start.verb else verbs
            continue
        end = _END.search(text, start.at, min(start.at + _SENTENCE, len(text)))
        if found and start.at < found[-1][1]:
            found[-1] = found[-1][0], start.at, found[-1][2]
        found.append((start, end.end() if end else start.at + _SENTENCE, (start.verb,) if start.verb else ()))
    return found


def _imperative(text: str, at: int, end: int) -> _Start | None:
    """Return the verb between two places if it stands as an order, else None."""
    if at and text[at - 1] in _NO_START:
        return None
    after = _NEXT_WORD.match(text, end)
    if after is None or after[1].casefold() in _NO_OBJECT:
        return None
    said = text[at:end]
    verb, is_capital = said.casefold(), said[:1].isupper()
    is_new = is_capital and said[1:].islower() and not after[1][:1].isupper()
    if at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        return _Start(at, verb, 0.8) if is_new and not text[at - 1].islower() else None
    before = text[max(0, at - 24) : at].rstrip(" \t\"'“”`*_([<")
    if not before or before[-1] in _BOUNDARY:
        return _Start(at, verb, 0.6 if before.endswith((",", "-", "/")) else 1.0)
    last = before.split()[-1]
    if last.casefold().strip(".,:;!\"'") in _LEADS:
        return _Start(at, verb, 0.6)
    if is_new or (is_capital and not last[:1].isupper()):
        return _Start(at, verb, 0.8 if is_new else 0.6)
    return None


def _order(
    text: str,
    bounds: tuple[int, int, int],
    verbs: tuple[str, ...],
    base: float,
    signs: Iterable[tuple[Cue, int, int]],
) -> Order:
    """Return the order in a text whose sentence and what belongs to it have these bounds."""
    at, end, last = bounds
    near = min(last, end + _NEAR)
    cues: dict[str, float] = {}
    for cue, start, stop in signs:
        is_before = cue.scope == "before" and at - _BEFORE <= start and stop <= at + 2
        if is_before or (cue.scope == "within" and at <= start < near):
            cues[cue.id] = cue.weight
    score = base + sum(cues.values()) + _tone(text, at, text[at:end])
    return Order(text[at : max(last, end)].strip()[:_BELONGS], text[at:end], verbs, tuple(cues), round(score, 2))


def _tone(text: str, at: int, sentence: str) -> float:
    """Return what speaks for an agent or for people in the words around an order."""
    tone = 0.5 if strict(sentence, 1) else 0.0
    if _HUMAN.search(sentence.replace("asking me", "").replace("ask me", "")):
        tone -= 0.7
    if _POLITE.search(text[max(0, at - 10) : at + len(sentence)]):
        tone -= 0.3
    return tone
