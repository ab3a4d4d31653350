"""Orders in a text that a tool or a document gave: what is to be done, and how much it sounds as if an agent is meant.

Each order is a sentence in the imperative with what belongs to it, scored by the signs of content/rules/orders.yaml
around it. A score says nothing about what was done; `treering.detect._following` compares orders with actions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treering.detect._disguised import readings
from treering.detect._order_words import words
from treering.detect._prompt_scan import scanner
from treering.detect._texts import TOOL
from treering.detect._unfolded import MOST_TEXT, unfolded
from treering.detect._values import strict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.detect._order_words import Cue

MOST_ORDERS = 8
_BEFORE, _SENTENCE, _BELONGS, _NEAR, _MOST_STARTS = 500, 400, 600, 260, 200
_BOUNDARY, _NO_START = ".!?:;\n>-–—#|]})*,/", "@/$-"
_ONLY_PEOPLE, _MENTIONED, _EXAMPLE = 2.5, 4.0, 200
_HOSTILE, _BY_PHRASES, _DISGUISED = 0.7, 3.5, 2.5
_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bDr)(?<!\bM[rs])(?<!\bMrs)(?<!\bSt)(?<!\bNo)[.!?](?=\s|$|<|[A-Z]{2})|\n\s*\n|-->|[\])}]\s*$"
)
_NEXT_WORD = re.compile(r"\s+[\"'“`*_(\[<$]{0,3}([\w$/@.'-]+)")
_HUMAN = re.compile(r"(?<![\w.-])(?:me|my|mine|i(?!\.)|i'm|we|us|our|ours)(?![\w-]|\.\w)", re.IGNORECASE)
_QUOTATION = re.compile(r"'[^'\n]{3,200}'|\"[^\"\n]{3,200}\"|“[^”\n]{3,200}”")
_QUOTED = re.compile(r"(?<![\w=])[\"“](?=[^\"”\n]{0,300} [^\"”\n]{0,300} )[^\"“”\n]{12,600}[\"”](?!\s?:)")
_OF_ATTACKS = re.compile(r"attack|inject|jailbreak|payload|phish|malicious|hacker|scam|fraud|suspicious", re.IGNORECASE)
_FOR_PEOPLE = re.compile(
    r"\b(?:click|log (?:in|out|off|on)|sign (?:in|out)|hang up|your (?:work|browser|computer|laptop|phone|devices?|"
    r"seat|ticket|luggage|bags?|keys?|coat|children|dog|family|friends|neighbou?rs?|doctor|colleagues|children|passport|"
    r"boarding|vehicle|car|bike|screen))\b",
    re.IGNORECASE,
)
_POLITE = re.compile(r"\b(?:please|kindly|thanks|thank you)\b", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"(?:^|[\n>:]\s{0,3}|[.!?]\s{1,3}|[a-z0-9]_|\bTODO:? )([A-Z][a-z]{2,14}) "
    r"(?=(?:the|all|every|each|any|your|him|her|them|it|user|an?|this|these|those)\b)"
)
ADDRESSING = frozenset(
    {
        "addresses_model",
        "addresses_reader",
        "binds_model",
        "plays_a_role",
        "names_model_abroad",
        "speaks_of_your_task",
        "speaks_to_readers",
        "speaks_of_calls",
        "speaks_as_the_user",
        "overrides",
        "phrases",
        "disguised",
    }
)
"""Signs that a text speaks to a model."""


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


def orders(result: str, *, may_be_hostile: bool = False) -> list[Order]:
    """Return the orders in a tool's result or a document that sound most like orders, at most `MOST_ORDERS`.

    Where there are none but it may hold phrases of content/rules/prompts.yaml, these count, in whatever language.
    """
    found = [order for text in unfolded(result) for order in (*_orders(text), *_disguised(text))]
    if may_be_hostile and not found:
        found += _by_phrases(result[:MOST_TEXT])
    found = list(dict.fromkeys(found))
    kept = sorted(range(len(found)), key=lambda place: -found[place].score)[:MOST_ORDERS]
    return [found[place] for place in sorted(kept)]


def _disguised(text: str) -> Iterator[Order]:
    """Yield the orders that only those find who decode a text: they are not for people."""
    plain = text.casefold()
    for reading in readings(text):
        for order in _orders(reading):
            if order.sentence.casefold() in plain:
                continue
            cues = (*order.cues, "disguised")
            yield msgspec.structs.replace(order, cues=cues, score=round(order.score + _DISGUISED, 2))


def _by_phrases(result: str) -> list[Order]:
    """Return what follows the phrases of a suspicious text as one order."""
    verdict = scanner().verdicts([(TOOL, result)])[0]
    if verdict is None or verdict.score < _HOSTILE or not verdict.spans:
        return []
    low, high = verdict.spans[0]
    belongs = " ".join(result[low : high + _BELONGS].split())[:_BELONGS]
    return [Order(belongs, result[low : high + _NEAR], (), ("phrases",), round(_BY_PHRASES * verdict.score, 2))]


def _orders(text: str) -> list[Order]:
    known = words()
    starts = [start for low, high in known.verbs(text) if (start := _imperative(text, low, high)) is not None]
    taken = {start.at for start in starts}
    more = ((match.start(1), match[1].casefold()) for match in _UNKNOWN.finditer(text))
    starts += [_Start(at, "", 0.8) for at, word in more if at not in taken and word not in known.no_verbs]
    sentences = _sentences(text, sorted(starts)[:_MOST_STARTS])
    if not sentences:
        return []
    low = max(0, sentences[0][0].at - _BEFORE)
    signs = [
        (cue, start + low, end + low) for cue, start, end in known.signs(text[low : sentences[-1][0].at + _BELONGS])
    ]
    quoted = [match.span() for match in _QUOTED.finditer(text)] if signs else []
    found = []
    for number, (first, end, verbs) in enumerate(sentences):
        last = sentences[number + 1][0].at if number + 1 < len(sentences) else len(text)
        heard = [sign for sign in signs if not _is_only_quoted(sign, first.at, quoted)] if quoted else signs
        base = first.base - (_MENTIONED if quoted and _is_an_example(text, first.at, quoted) else 0.0)
        found.append(_order(text, (first.at, end, min(last, first.at + _BELONGS)), verbs, base, heard))
    return found


def _is_an_example(text: str, at: int, quoted: Iterable[tuple[int, int]]) -> bool:
    """Return whether an order is quoted by a text that tells of attacks."""
    return any(low < at < high and _OF_ATTACKS.search(text, max(0, low - _EXAMPLE), low) for low, high in quoted)


def _is_only_quoted(sign: tuple[Cue, int, int], at: int, quoted: Sequence[tuple[int, int]]) -> bool:
    """Return whether a sign stands in a quotation that an order is not part of: a text that tells of attacks."""
    cue, start, end = sign
    if cue.id.startswith("hides"):
        return False  # markup has quotation marks too
    return any(low < start and end < high and not low < at < high for low, high in quoted)


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
            first, until, verbs = found[-1]
            found[-1] = first, until, (*verbs, start.verb) if start.verb else verbs
            continue
        end = _END.search(text, start.at, min(start.at + _SENTENCE, len(text)))
        if found and start.at < found[-1][1]:
            found[-1] = found[-1][0], start.at, found[-1][2]
        found.append((start, end.end() if end else start.at + _SENTENCE, (start.verb,) if start.verb else ()))
    return found


def _imperative(text: str, at: int, end: int) -> _Start | None:
    """Return the verb between two places if it stands as an order, else None."""
    known, after = words(), _NEXT_WORD.match(text, end)
    if (
        after is None
        or after[1].casefold().rstrip(".") in known.no_objects
        or (at and text[at - 1] in _NO_START and not text.endswith("<!--", 0, at))
    ):
        return None
    said = text[at:end]
    verb, is_capital = said.casefold(), said[:1].isupper()
    is_new = is_capital and said[1:].islower() and not after[1][:1].isupper()
    if at and (text[at - 1].isalnum() or text[at - 1] == "_"):
        return _Start(at, verb, 0.8) if is_new and not text[at - 1].islower() else None
    base = _standing(text[max(0, at - 24) : at].rstrip(" \t\"'“”`*_([<"), is_new=is_new, is_capital=is_capital)
    return _Start(at, verb, base) if base else None


def _standing(before: str, *, is_new: bool, is_capital: bool) -> float:
    """Return how surely a verb is an order by what stands before it, 0 if it is none."""
    if not before or before[-1] in _BOUNDARY:
        is_listed = before[-1:] in ("-", "*", "–") and before[:-1].rstrip(" ")[-1:] in ("", "\n")
        return 0.6 if before.endswith((",", "-", "/")) and not is_listed else 1.0
    *earlier, last = before.rsplit(maxsplit=1)
    if last.casefold() == "to" and (not earlier or earlier[0].rstrip()[-1:] in _BOUNDARY):
        return 0.0  # "To see it, …": what it is for comes first, the order after it
    if last.casefold().strip(".,:;!\"'") in words().leads:
        return 0.6
    if is_new:
        return 0.8
    return 0.6 if is_capital and not last[:1].isupper() else 0.0


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
        is_in = at <= start < (near if cue.scope == "within" else end)
        if is_before or (cue.scope != "before" and is_in):
            cues[cue.id] = cue.weight
    score = base + sum(cues.values()) + _tone(text, at, text[at:end])
    return Order(text[at : max(last, end)].strip()[:_BELONGS], text[at:end], verbs, tuple(cues), round(score, 2))


def _tone(text: str, at: int, sentence: str) -> float:
    """Return what speaks for an agent or for people in the words around an order."""
    tone = 0.5 if strict(sentence, 1) else 0.0
    if _HUMAN.search(_QUOTATION.sub("", sentence).replace("asking me", "").replace("ask me", "")):
        tone -= 0.7
    if _FOR_PEOPLE.search(sentence):
        tone -= _ONLY_PEOPLE
    if _POLITE.search(text[max(0, at - 10) : at + len(sentence)]):
        tone -= 0.3
    return tone
