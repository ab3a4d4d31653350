"""Exact values by which a text is recognised elsewhere: addresses, links, numbers of accounts, amounts, names of files.

Comparison is by folded words, so that a value is found whatever stands around it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRICT = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
    r"|https?://[^\s\"'<>()\[\]{}\\,]{3,300}"
    r"|\b(?:[\w-]{1,63}\.){1,4}[a-z]{2,10}\b(?:/[^\s\"'<>()\[\]{}\\,]{0,200})?"
    r"|(?<![\w/.~])(?:~|\.{1,2})?/[\w.-]{1,80}(?:/[\w.-]{1,80}){1,8}"
    r"|(?<![\w+])\+\d{1,3}(?:[ -]?\d{2,5}){2,5}\b"
    r"|\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){3,7}(?: [A-Z0-9]{1,3})?\b"
    r"|\b(?=[\w-]{0,20}\d)[A-Za-z0-9][\w-]{5,63}\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d[\d.,]*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS = ("ings", "ing", "ied", "ies", "ed", "es", "s", "e", "y")
_DEPTH, _MOST_LEAVES, _LONGEST = 6, 60, 2_000
_SMALL = frozenset(
    "a an and are as at be been but by can do for from had has have he her him his how i if in into is it its just me "
    "my no not of on or our out please she so some that the their them then there these they this to too up us was we "
    "were what when which who will with you your all any also need want would could should let know get".split()
)


def folded(text: str) -> str:
    """Return `text` in small letters, without what surrounds values, single spaces between words."""
    return " ".join(text.casefold().split())


def strict(text: str, most: int = 60) -> list[str]:
    """Return the exact values in a text, folded, each once, in their order."""
    found: dict[str, None] = {}
    for match in _STRICT.finditer(text):
        found[match[0].rstrip(".,;:!?").casefold()] = None
        if len(found) == most:
            break
    return list(found)


@lru_cache(8192)
def is_strict(value: str) -> bool:
    """Return whether a value is one that occurs twice only where it was carried."""
    return bool(_STRICT.fullmatch(value))


def is_number(value: str) -> bool:
    """Return whether a value is a number."""
    return bool(_NUMBER.fullmatch(value))


def holds(text: str, value: str) -> int:
    """Return where a folded text holds a folded value as whole words, -1 if nowhere."""
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (at and text[at - 1].isalnum()) and not (end < len(text) and text[end].isalnum()):
            return at
        at = text.find(value, at + 1)
    return -1


@lru_cache(16_384)
def stem(word: str) -> str:
    """Return a word without the ending that English adds; crude, the same for all its forms that matter here."""
    word = word.casefold()
    if word.startswith("email"):
        word = word[1:]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


@lru_cache(1024)
def stems(text: str) -> frozenset[str]:
    """Return the stems of the words of a text that carry meaning."""
    return frozenset(_stems(text))


def _stems(text: str) -> set[str]:
    return {stem(word) for word in _WORD.findall(text.casefold()) if word not in _SMALL and len(word) > 1}


@lru_cache(4096)
def parts(name: str) -> tuple[str, ...]:
    """Return the words of a name in snake, camel or dotted case."""
    return tuple(part.casefold() for part in _PARTS.findall(name[:200]))


def leaves(arguments: str) -> list[tuple[str, str]]:
    """Return the values in the arguments of a tool with their names; the whole text where it is no JSON."""
    try:
        read = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return [("", arguments[:_LONGEST])] if arguments else []
    found = []
    for pair in _leaves("", read, 0):
        found.append(pair)
        if len(found) == _MOST_LEAVES:
            break
    return found


def _leaves(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < _DEPTH:
        for key, inner in value.items():
            yield from _leaves(str(key)[:80], inner, depth + 1)
    elif isinstance(value, list) and depth < _DEPTH:
        for inner in value:
            yield from _leaves(name, inner, depth + 1)
    elif isinstance(value, str) and value:
        yield name, value[:_LONGEST]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, f"{value:g}" if isinstance(value, float) else str(value)[:40]
