"""The texts in a tool's result: JSON, YAML as tools print it, or a text as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TEXT = 60_000
"""Characters of a result that are looked at."""
_MOST_JSON, _DEPTH = 1_000_000, 8
_FOLDS = re.compile(r"\\?\n[ \t]+\\?(?![ \t]*-\s)(?![ \t]*[\w .'-]{1,40}:(?:\s|$))")
_FOLD = re.compile(r"\\?\s*\n\s*(?:\\(?=[ \t]))?")
_KEY = re.compile(r"^(?=[ \t]*(?:- )*[\w .-]{1,40}:(?:\s|$)|[ \t]*- )", re.MULTILINE)
_KEYS = 2
_QUOTED = re.compile(
    r"""(?:(?<=: )|(?<=- )|^)(?:'((?:[^']|''){0,4000})'|"((?:[^"\\]|\\.){0,4000})")""", re.MULTILINE | re.DOTALL
)
_PRINTED = re.compile(r"[\[({]{1,3}'")
_TEXTS = re.compile(r"""'((?:[^'\\]|\\.){0,20000})'|"((?:[^"\\]|\\.){0,20000})\"""", re.DOTALL)
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_CODES = 0x110000
"""A value as Python prints it, and the texts in it."""


def unfolded(result: str) -> list[str]:
    """Return the texts in a tool's result, read as JSON, as YAML, as Python prints values, or as it is."""
    if result[:1] in ("[", "{", '"') and len(result) <= _MOST_JSON:
        try:
            return _bounded(_strings(msgspec.json.decode(result), 0))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            pass  # then it is a text that only begins like JSON
    result = result[:MOST_TEXT]
    if _PRINTED.match(result) and (
        printed := [_plain(m[1] if m[2] is None else m[2]) for m in _TEXTS.finditer(result)]
    ):
        return [text.replace("\\'", "'") for text in printed if text]
    keys = len(_KEY.findall(result)) if _KEY.match(result) else 0
    if keys < _KEYS or 2 * keys < result.count("\n"):
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
        text = _ESCAPED.sub(_unescaped, text)
        text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\ ", " ")
    return text.strip().replace("''", "'")


def _unescaped(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3], 16)
    return chr(code) if code < _CODES and not 0xD800 <= code < 0xE000 else match[0]


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif depth < _DEPTH:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from _strings(inner, depth + 1)


def _bounded(texts: Iterator[str]) -> list[str]:
    found, left = [], MOST_TEXT
    for text in texts:
        if left <= 0:
            break
        found.append(text[:left])
        left -= len(text)
    return found
