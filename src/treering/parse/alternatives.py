"""Many regular expressions as one that is quick to fail: what they begin with in common is tried once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUANTIFIERS = frozenset("?*+{")


def joined(patterns: Iterable[str]) -> str:
    """Return a pattern that matches where any of `patterns` does.

    Patterns that begin with the same text, whole terms of it, share that beginning: `(?:ab)c` and `(?:ab)d` become
    `(?:ab)(?:c|d)`, which matches the same by backtracking.
    """
    groups: dict[str, list[str]] = {}
    for pattern in patterns:
        for one in _flat(pattern):
            head = _first_term(one)
            groups.setdefault(head, []).append(one[len(head) :])
    parts = []
    for head, rests in groups.items():
        distinct = list(dict.fromkeys(rests))
        rest = distinct[0] if len(distinct) == 1 else joined(distinct) if head else "|".join(map(_grouped, distinct))
        parts.append(head + (_grouped(rest) if len(distinct) > 1 or "|" in rest else rest))
    return "|".join(parts)


def _flat(pattern: str) -> list[str]:
    """Return the alternatives of a pattern; a group around a whole one, before an end of text, is taken away."""
    found = []
    for one in split(pattern):
        end = _group_end(one) if one.startswith("(?:") else 0
        if end and one[end:] in {"", "\\Z"}:
            found += [inner + one[end:] for inner in _flat(one[3 : end - 1])]
        else:
            found.append(one)
    return found


def split(pattern: str) -> list[str]:
    """Return the alternatives of a pattern that stand outside all groups."""
    parts, start = [], 0
    for at, letter, depth in _signs(pattern):
        if letter == "|" and not depth:
            parts.append(pattern[start:at])
            start = at + 1
    return [*parts, pattern[start:]]


def _signs(pattern: str) -> Iterator[tuple[int, str, int]]:
    """Yield place and letter of what is neither escaped nor in a class, and the groups open after it."""
    depth, at = 0, 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            at = _class_end(pattern, at)
        else:
            depth += (letter == "(") - (letter == ")")
            yield at, letter, depth
        at += 1


def _first_term(pattern: str) -> str:
    """Return the group or the escaped letter that a pattern begins with, if nothing repeats it; else an empty text."""
    if pattern.startswith("(?:"):
        end = _group_end(pattern)
    elif pattern.startswith("\\") and len(pattern) > 1 and not pattern[1].isalnum():
        end = 2
    elif pattern[:1].isalnum() or pattern[:1] == " ":
        end = 1
    else:
        return ""
    return "" if pattern[end : end + 1] in _QUANTIFIERS else pattern[:end]


def _group_end(pattern: str) -> int:
    return next((at + 1 for at, letter, depth in _signs(pattern) if letter == ")" and not depth), len(pattern))


def _class_end(pattern: str, at: int) -> int:
    """Return where the character class that begins at `at` ends."""
    at += 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at


def _grouped(pattern: str) -> str:
    return f"(?:{pattern})"


def compiled(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return `joined` patterns, compiled."""
    return re.compile(joined(patterns))
