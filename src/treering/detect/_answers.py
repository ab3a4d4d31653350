"""What answers give away: links that carry data to a host, and stretches of the instructions."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus, urlsplit

import ahocorasick_rs

from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_URL = re.compile(r"https?://[^\s\"'<>()\[\]]{4,2000}")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}")
_OPAQUE = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_PIECE, _STEP = 48, 24
SHORTEST_LEAK = _PIECE + _STEP
"""Characters of the instructions from which an answer repeats them."""
_SHORTEST = 6
_MOST_LINKS = 50
_FEW = 16
"""Pieces up to which looking for one after the other is quicker than one search for all."""


class Link(NamedTuple):
    """A link in an answer whose address carries something: where it is, its host, what it carries."""

    span: tuple[int, int]
    url: str
    host: str
    carries: str


def _links(text: str) -> Iterator[tuple[re.Match[str], str]]:
    if "://" not in text:
        return
    for number, match in enumerate(_URL.finditer(text)):
        if number == _MOST_LINKS:
            return
        try:
            host = urlsplit(match[0]).hostname
        except ValueError:
            continue  # no address, only text that looks like one
        if host:
            yield match, host


def hosts(text: str) -> set[str]:
    """Return the hosts of the links in `text`."""
    return {host for _, host in _links(text)}


def data_link(text: str, given: Sequence[str], known: Sequence[str]) -> Link | None:
    """Return the first link or image in `text` with data of the conversation in its address.

    Data is an e-mail address, a name of `known`, or a longer value, that `given` (what the model was told) holds and
    that is not part of a link there; or an opaque block in the address of an image.
    """
    for match, host in _links(text):
        _, sign, query = match[0].partition("?")
        if not sign or any(match[0] in other for other in given):
            continue
        is_image = text[max(0, match.start() - 120) : match.start()].rpartition("![")[1] != "" or "<img" in text
        carries = _carried(query, given, known, is_image=is_image)
        if carries:
            return Link(match.span(), match[0], host, carries)
    return None


def _carried(query: str, given: Sequence[str], known: Sequence[str], *, is_image: bool) -> str:
    for pair in query.split("&")[:20]:
        value = unquote_plus(pair.partition("=")[2])
        if len(value) < _SHORTEST:
            continue
        if _MAIL.search(value):
            return "an e-mail address"
        if any(name in value for name in known if len(name) >= _SHORTEST - 2):
            return "a name of the record"
        if is_image and _OPAQUE.fullmatch(value):
            return "an opaque block"
        words = value.split()
        if len(words) >= 4 and any(value in other for other in given):
            return "text of the conversation"
    return ""


@lru_cache(maxsize=256)
def _pieces(instructions: str) -> tuple[str, ...]:
    text = " ".join(fold(instructions).split())
    return tuple(
        text[at : at + _PIECE] for at in range(0, max(0, len(text) - _PIECE) + 1, _STEP) if len(text) >= _PIECE
    )


@lru_cache(maxsize=64)
def _search(instructions: str) -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(list(dict.fromkeys(_pieces(instructions))))


def _repeated(folded: str, instructions: str) -> Iterator[tuple[int, int]]:
    """Yield where each piece of the instructions is first found in a folded text."""
    pieces = dict.fromkeys(_pieces(instructions))
    if len(pieces) <= _FEW:
        found = {piece: at for piece in pieces if (at := folded.find(piece)) >= 0}
        yield from ((at, at + len(piece)) for piece, at in found.items())
        return
    seen: set[int] = set()
    for number, start, end in _search(instructions).find_matches_as_indexes(folded, overlapping=True):
        if number not in seen:
            seen.add(number)
            yield start, end


def leaked(answer: str, instructions: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return where `answer` repeats at least 72 characters of one of `instructions`, word by word."""
    if len(answer) < _PIECE:
        return ()
    folded = fold(answer)
    if len(folded) != len(answer):
        folded = answer.lower() if len(answer.lower()) == len(answer) else answer
    spans: list[tuple[int, int]] = []
    for text in instructions:
        spans += _repeated(folded, text)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(span for span in joined if span[1] - span[0] >= SHORTEST_LEAK)
