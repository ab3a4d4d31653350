"""Where secrets and personal data are in texts: literals of all kinds in one pass, expressions only around them."""

from __future__ import annotations

import hashlib
import re
import sys
from bisect import bisect_left, bisect_right
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import ahocorasick_rs

from treering.model.finding import MAX_EXCERPT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.parse.sensitive.secrets import Kind

_BREAK = "\n\x00\n"
_REACH = 300
_LONGEST = 8_000
_MOST, _MOST_PERSONAL = 20, 500
_SHORT = 4
"""Characters of a word after which no further letters may come."""
_LETTERS, _MOST_BETWEEN = re.compile(r"[^\W\d_]+"), 4
"""Words between the one that says what a number is and the number."""


class Place(NamedTuple):
    """A text of record `row`: who says it (`log`: nobody), in which field, for which tool or document."""

    row: int
    role: str
    field: str
    text: str
    source: str = ""


class Hit(NamedTuple):
    """What was found: its kind and where it is in the text."""

    kind: Kind
    start: int
    end: int


class _Search:
    """The literals of the kinds, as they are written or, for words, in any case."""

    def __init__(self, kinds: Sequence[Kind], *, is_word: bool) -> None:
        chosen = [(number, kind) for number, kind in enumerate(kinds) if kind.is_word is is_word]
        self._owners = [number for number, kind in chosen for _ in kind.literals]
        self._search = ahocorasick_rs.AhoCorasick([literal for _, kind in chosen for literal in kind.literals])
        self._is_word = is_word

    def places(self, found: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield number of a kind, start and end of its literal in the texts as they are joined."""
        read = map(_lower, found) if self._is_word else found
        for literal, start, end in self._search.find_matches_as_indexes(_BREAK.join(read), overlapping=True):
            yield self._owners[literal], start, end


def _lower(text: str) -> str:
    low = text.lower()
    return low if len(low) == len(text) else text  # a dotted capital I becomes two characters


class Scan:
    """The compiled search for some kinds."""

    def __init__(self, kinds: Sequence[Kind], *, bounded: bool = True) -> None:
        """Compile it; unless `bounded`, a text may have any number of hits."""
        self._kinds = kinds
        self._most = (_MOST, _MOST_PERSONAL) if bounded else (sys.maxsize, sys.maxsize)
        self._searches = [_Search(kinds, is_word=False), _Search(kinds, is_word=True)]

    def says(self, name: str) -> bool:
        """Return whether a name of a field has a word that tells what a value near by is."""
        return any(True for search in self._searches for _ in search.places([name]))

    def hits(self, found: Sequence[str]) -> dict[int, list[Hit]]:
        """Return the hits in each text by its number, in no order; those without any are left out."""
        starts, at = [], 0
        for text in found:
            starts.append(at)
            at += len(text) + len(_BREAK)
        hits: dict[tuple[int, bool], dict[tuple[int, int], Hit]] = {}
        done: dict[tuple[int, int], int] = {}
        for kind, start, end in chain.from_iterable(search.places(found) for search in self._searches):
            number = bisect_right(starts, start) - 1
            place = start - starts[number]
            if place < done.get((number, kind), -1):
                continue
            one, text = self._kinds[kind], found[number]
            if one.is_word and not _is_word(text, place, end - starts[number]):
                continue
            held = hits.setdefault((number, one.is_personal), {})
            most = self._most[one.is_personal]
            if len(held) >= most:
                continue
            if one.reach:
                done[number, kind] = _near(one, text, place, end - starts[number], kind, held)
            else:
                done[number, kind] = _far(one, text, place, kind, held, most)
        out: dict[int, list[Hit]] = {}
        for (number, _), some in hits.items():
            if some:
                out.setdefault(number, []).extend(some.values())
        return out


def _is_word(text: str, start: int, end: int) -> bool:
    """Return whether a literal is a word of its own, or begins or ends as one does in `homePhone` and `dobYear`."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before.isalpha() and before.isascii() and not (before.islower() and text[start].isupper()):
        return False
    if end - start > _SHORT or not (after.isalpha() and after.isascii()) or after in "sS":
        return True
    return after.isupper() and text[end - 1].islower()


def _belongs(between: str) -> bool:
    """Return whether what stands between a word and a number lets the number belong to the word."""
    return ";" not in between and len(_LETTERS.findall(between)) <= _MOST_BETWEEN


def _near(kind: Kind, text: str, start: int, end: int, number: int, hits: dict[tuple[int, int], Hit]) -> int:
    """Add the first match around a literal; return up to where the text is done."""
    high = min(len(text), end + kind.reach)
    for match in kind.pattern.finditer(text, start - kind.before if start > kind.before else 0, high):
        last = match.lastindex
        if match.end() <= start or not last or (match.end() == high < len(text)):
            continue
        if kind.check(match[last]) and (not kind.is_word or _belongs(text[end : match.start(last)])):
            hits[number, match.start(last)] = Hit(kind, *match.span(last))
            return match.end(last)
    return -1


def _far(kind: Kind, text: str, place: int, number: int, hits: dict[tuple[int, int], Hit], most: int) -> int:
    """Add all matches in the surroundings of a literal; return up to where the text is done."""
    low, high = max(0, place - _REACH), min(len(text), place + 2 * _LONGEST)
    for match in kind.pattern.finditer(text, low, high):
        if match.start() > place + _LONGEST or len(hits) >= most:
            break
        last = match.lastindex or 0
        if kind.check(match[last]):
            hits[number, match.start(last)] = Hit(kind, *match.span(last))
    return high if high == len(text) else place + _LONGEST


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits without those that overlap a better one: secrets by form before those by name, then people."""
    out: list[Hit] = []
    ends: list[tuple[int, int]] = []
    for hit in sorted(hits, key=lambda hit: (hit.kind.is_personal, hit.kind.rule == "password", hit.start)):
        after = bisect_left(ends, (hit.start, hit.end))
        if (after and ends[after - 1][1] > hit.start) or (after < len(ends) and ends[after][0] < hit.end):
            continue
        ends.insert(after, (hit.start, hit.end))
        out.append(hit)
    return out


def digest(secret: str) -> str:
    """Return six digits that tell secrets apart without being enough to check a guess."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=3, key=b"treering secrets").hexdigest()


def masked(text: str, hit: Hit, hits: Iterable[Hit]) -> tuple[str, tuple[int, int]]:
    """Return the surroundings of `hit` with every secret of `hits` masked, and where the mask of `hit` is."""
    low, high = max(0, hit.start - MAX_EXCERPT // 4), hit.end + MAX_EXCERPT // 4
    parts: list[str] = []
    at, length, span = low, 0, (0, 0)
    for other in sorted(hits, key=lambda one: one.start):
        if other.end <= low or other.start >= high:
            continue
        start = max(other.start, low)
        before, mask = text[at:start] if start > at else "", _mask(other, text)
        if other is hit:
            span = (length + len(before), length + len(before) + len(mask))
        parts += [before, mask]
        length += len(before) + len(mask)
        at = max(at, min(other.end, len(text)))
    parts.append(text[at:high] if at < high else "")
    return "".join(parts), span


def _mask(hit: Hit, text: str) -> str:
    shown = text[hit.start : hit.start + 4] if hit.kind.rule in ("provider_key", "token") else ""
    return f"{shown}[masked {hit.end - hit.start}]"
