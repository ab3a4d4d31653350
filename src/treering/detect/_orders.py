"""Orders in a text that a tool or a document gave: what is to be done, and how much it sounds as if an agent is meant.

Each order is a sentence in the imperative with what belongs to it, scored by the signs of content/rules/orders.yaml
around it. A score says nothing about what was done; `treering.detect._following` compares orders with actions.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from treering.detect import _yaml
from treering.detect._values import parts, strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_TEXT = 60_000
MOST_ORDERS = 8
_BEFORE, _SENTENCE, _BELONGS = 500, 400, 600
_SHORTEST = 12
_BOUNDARY = ".!?:;\n>-–—#|]})*,/"
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
_HUMAN = re.compile(r"\b(?:me|my|mine|i|i'm|we|us|our|ours)\b", re.IGNORECASE)
_POLITE = re.compile(r"\b(?:please|kindly|thanks|thank you)\b", re.IGNORECASE)
_KEY = re.compile(r"^[ \t]*(?:- )*[\w .-]{1,40}:(?:\s|$)|^[ \t]*- ", re.MULTILINE)
_NEAR = 260


class Cue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign around an order that an agent is meant."""

    id: str
    scope: str
    weight: float
    pattern: str


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file orders.yaml."""

    actions: dict[str, str]
    reads: list[str]
    looks: str
    cues: list[Cue]
    delegates: str


class Order(msgspec.Struct, frozen=True):
    """One order: its sentence and what belongs to it, the verb, the cues, its score before anything is known of tools."""

    text: str
    sentence: str
    verb: str
    cues: tuple[str, ...]
    score: float

    @property
    def is_addressed(self) -> bool:
        """Whether something before it says that a model is meant or that other instructions end."""
        return any(name in ADDRESSING for name in self.cues)


    @property
    def penalty(self) -> float:
        """How much less it says where a person asked for what a text says."""
        return 0.5 if self.is_addressed else 1.0 if self.cues and self.cues != ("presses",) else 2.0


ADDRESSING = frozenset({"addresses_model", "plays_a_role", "speaks_of_the_task", "overrides", "phrases"})


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
        longest_first = sorted(self.classes, key=len, reverse=True)
        self.verbs = re.compile(rf"(?<![@/$_-])({'|'.join(map(re.escape, longest_first))})(?![\w@/=_-]|\.\w)", re.IGNORECASE)

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


def _spaced(pattern: str) -> str:
    """Return a folded pattern of the file as one line; blanks in it stay blanks."""
    return re.sub(r"\|\s+", "|", pattern.strip())


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
    if _KEY.match(result) and 2 * len(_KEY.findall(result)) >= result.count("\n"):
        return [_plain(part) for part in _KEY.split(_FOLDS.sub(" ", result)) if len(part) >= _SHORTEST]
    return [_plain(result)]


def _plain(text: str) -> str:
    """Return a scalar of YAML without its quotation."""
    if "\\" in text:
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\ ", " ")
    return text.strip().replace("''", "'")


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST:
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
    starts = [(at, verb, base) for match in known.verbs.finditer(text) for at, verb, base in _imperative(text, match)]
    starts = _apart(starts)
    if not starts:
        return []
    signs = [(cue, match.start(), match.end()) for cue, pattern in known.cues for match in pattern.finditer(text)]
    found = []
    for number, (at, verb, base) in enumerate(starts):
        last = starts[number + 1][0] if number + 1 < len(starts) else len(text)
        found.append(_order(text, at, min(last, at + _BELONGS), verb, base, signs))
    return found


def _imperative(text: str, match: re.Match[str]) -> Iterator[tuple[int, str, float]]:
    """Yield where a verb stands, the verb and how surely it is an order; nothing if it is none."""
    after = _NEXT_WORD.match(text, match.end())
    if after is None or after[1].casefold() in _NO_OBJECT:
        return
    at = match.start()
    if at and text[at - 1].isalnum():
        if match[1].istitle() and after[1].islower() and not text[at - 1].islower():
            yield at, match[1].casefold(), 0.6
        return
    before = text[max(0, at - 24) : at].rstrip(" \t\"'“”`*_([<")
    if not before or before[-1] in _BOUNDARY:
        yield at, match[1].casefold(), 0.7 if before.endswith((",", "-", "/")) else 1.0
        return
    last = before.split()[-1].casefold().strip(".,:;!\"'") if before.split() else ""
    if last in _LEADS:
        yield at, match[1].casefold(), 0.6
    elif match[1][:1].isupper() and not (after[1][:1].isupper() and before.split()[-1][:1].isupper()):
        yield at, match[1].casefold(), 0.6 if after[1][:1].isupper() else 0.8


def _apart(starts: Sequence[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    """Return the orders of which none is within the first words of another."""
    found: list[tuple[int, str, float]] = []
    for start in starts:
        if not found or start[0] - found[-1][0] > 3 * len(found[-1][1]) or start[2] > found[-1][2]:
            found.append(start)
    return found[:200]


def _order(
    text: str, at: int, last: int, verb: str, base: float, signs: Iterable[tuple[Cue, int, int]]
) -> Order:
    belongs = text[at:last].strip()
    end = _END.search(text, at, min(at + _SENTENCE, len(text)))
    sentence = text[at : end.end() if end else at + _SENTENCE]
    near = min(last, at + len(sentence) + _NEAR)
    cues: dict[str, float] = {}
    for cue, start, stop in signs:
        inside = at <= start < near
        if (cue.scope == "before" and at - _BEFORE <= start and stop <= at + 2) or (cue.scope == "within" and inside):
            cues[cue.id] = max(cue.weight, cues.get(cue.id, 0.0))
    score = base + sum(cues.values()) + _tone(text, at, sentence)
    return Order(belongs[:_BELONGS], sentence[:_SENTENCE], verb, tuple(cues), round(score, 2))


def _tone(text: str, at: int, sentence: str) -> float:
    """Return what speaks for an agent or for people in the words around an order."""
    tone = 0.5 if strict(sentence, 1) else 0.0
    if _HUMAN.search(sentence.replace("asking me", "").replace("ask me", "")):
        tone -= 0.7
    if _POLITE.search(text[max(0, at - 10) : at + len(sentence)]):
        tone -= 0.3
    return tone


def actions_of(order: Order, known: Mapping[str, set[str]] | None = None) -> set[str]:
    """Return what an order may ask for."""
    table = words().classes if known is None else known
    return table.get(order.verb, set())
