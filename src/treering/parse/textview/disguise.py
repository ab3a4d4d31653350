"""Spellings undone: leetspeak, single spaced letters, backwards, ROT13."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.parse.textview.view import Edit, Edits, View, rewrite

if TYPE_CHECKING:
    from treering.parse.textview.view import Back

_LEET = str.maketrans("0134567892@$!|+€(", "oieasgtbgzasiltec")
_LEET_L = str.maketrans("0134567892@$!|+€(", "oleasgtbgzasiltec")
_LOWER, _TURNED = "abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm"
ROT13 = str.maketrans(_LOWER + _LOWER.upper(), _TURNED + _TURNED.upper())
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:([ .*_|/,+~-]{1,3})[^\W_](?![^\W_])){4,}")
_GAP = re.compile(r"[ .*_|/,+~-]+")

SPELLINGS = ("leet", "leet-l", "spaced", "backwards", "rot13")
"""What `straightened` knows; `leet` reads 1 as i, `leet-l` as l."""


def leet(text: str) -> str:
    """Return lower-case `text` with digits and signs read as the letters they stand for; the length is kept."""
    if text.isascii():
        return text.translate(_LEET)
    for sign, letter in _LEET.items():  # translating what is not ASCII takes ten times as long
        text = text.replace(chr(sign), chr(letter))
    return text


def straightened(view: View, spelling: str) -> View:
    """Return `view` with one of `SPELLINGS` undone. Raises `KeyError` for another name."""
    kinds, text = (*view.kinds, spelling), view.text
    if spelling == "spaced":
        edits = [_join(match) for match in _SPACED.finditer(text)]
        joined = rewrite(text, edits)
        return View(joined, joined, kinds, view, lambda: Edits(edits).back)
    if spelling == "backwards":
        turned = text[::-1]
        return View(turned, turned, kinds, view, lambda: _mirrored(len(text)))
    letters = text.translate({"leet": _LEET, "leet-l": _LEET_L, "rot13": ROT13}[spelling])
    return View(letters, letters, kinds, view)


def _join(match: re.Match[str]) -> Edit:
    """Join letters that are spaced by the shortest gap; wider gaps are between words."""
    run = match[0]
    narrow = min(map(len, _GAP.findall(run)))
    parts = re.split(rf"[ .*_|/,+~-]{{{narrow + 1},}}", run)
    return match.start(), match.end(), " ".join(_GAP.sub("", part) for part in parts)


def _mirrored(length: int) -> Back:
    def back(start: int, end: int) -> tuple[int, int]:
        return length - end, length - start

    return back
