"""Unicode undone: compatibility forms, look-alikes, accents, invisible characters, tag characters."""

from __future__ import annotations

import re
import unicodedata

from treering.parse.textview.view import Edits, View

_BEYOND = re.compile(r"[^\x00-\x7f]+")
_KEEP = 1 << 16
_FEW = 16
"""Different characters up to which replacing one after the other is cheaper than looking at each where it stands."""
_SMUGGLED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_ASCII = bytes(range(128))

_LATIN = {
    "a": "аαɑᴀ∀ꭺᎪ", "b": "вьßᏏʙβ", "c": "сϲᴄᏟҫ¢", "d": "ԁᴅđꓒɗ", "e": "еєεᴇҽ℮ꭼ", "f": "ꜰƒғ",
    "g": "ɡɢցԍ", "h": "һհʜнħ", "i": "іιɪıɩӏꙇ", "j": "јϳᴊ", "k": "кκᴋⲕ", "l": "ʟłⅼǀ∣", "m": "мᴍ",
    "n": "ɴոηпռ", "o": "оοᴏօσøჿဝ੦ө", "p": "рρᴘ", "q": "ԛգ", "r": "гʀᴦ", "s": "ѕꜱʂ", "t": "тτᴛ", "u": "υսᴜцʋ",
    "v": "νᴠѵ", "w": "ԝᴡωшѡ", "x": "хχ×", "y": "уγʏүყ", "z": "ᴢʐ", "'": "‘’‚‛ʼ′`´", '"': "“”„‟″«»", "-": "‐‑‒–—―−",
}  # fmt: skip
_SKELETON = {ord(other): latin for latin, others in _LATIN.items() for other in others if other != "`"}
_LETTER_BLOCKS = (0x1F150, 0x1F170, 0x1F1E6)


class _Table(dict[int, str]):
    """Code point → what it is read as; filled as characters are met, emptied before it grows large."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _KEEP:
            self.clear()
        self[code] = read = _read(code)
        return read


def _read(code: int) -> str:
    if 0xE0000 <= code <= 0xE007F:
        return chr(code - 0xE0000).lower() if 0xE0020 <= code < 0xE007F else ""
    for first in _LETTER_BLOCKS:
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    character = chr(code)
    if unicodedata.category(character) in {"Cf", "Mn", "Me", "Cs"} or character in "\u115f\u1160\u3164\uffa0":
        return ""
    bare = "".join(c for c in unicodedata.normalize("NFKD", character.casefold()) if not unicodedata.combining(c))
    text = unicodedata.normalize("NFKC", bare).lower()
    return "".join(_SKELETON.get(ord(c), c) for c in text)


_TABLE = _Table()


def _run(match: re.Match[str]) -> str:
    return match[0].translate(_TABLE)


def _beyond(text: str) -> set[str]:
    """Return the characters of `text` beyond ASCII."""
    return set(text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass"))


def _cased(text: str, characters: set[str]) -> str:
    """Return `text`, whose characters beyond ASCII are given, as one reads it."""
    beyond = {character: _TABLE[ord(character)] for character in characters}
    if len(beyond) > _FEW or not all(read.isascii() or read == character for character, read in beyond.items()):
        return _BEYOND.sub(_run, text)
    for character, read in beyond.items():
        text = text.replace(character, read)
    return text


def fold(text: str) -> str:
    """Return `text` in lower case, as `plain` reads it; patterns go through it so that they meet what they look for."""
    return text.lower() if text.isascii() else _cased(text, _beyond(text)).lower()


def plain(text: str) -> View:
    """Return `text` as one reads it: no accents, no invisible characters, look-alikes as the letters they look like.

    ASCII is only put into lower case. Never raises, also not for lone surrogates.
    """
    if text.isascii():
        return View(text.lower(), text)
    characters = _beyond(text)
    if not characters.isdisjoint(_SELECTORS) and (hidden := _SMUGGLED.search(text)):
        return _revealed(text, hidden)
    cased = _cased(text, characters)
    return View(cased.lower(), cased, step=lambda: _edits(text).back)


def _revealed(text: str, hidden: re.Match[str]) -> View:
    """Read bytes that were written as variation selectors, 256 of which are invisible."""
    codes = map(ord, hidden[0])
    raw = bytes(code - 0xFE00 if code < 0xFF00 else code - 0xE0100 + 16 for code in codes)
    edit = (hidden.start(), hidden.end(), raw.decode("utf-8", "replace"))
    outer = View("", text[: edit[0]] + edit[2] + text[edit[1] :], ("selectors",), step=lambda: Edits([edit]).back)
    outer.text = outer.cased  # only its length counts: it is the parent of what is read
    cased = _cased(outer.cased, _beyond(outer.cased))
    return View(cased.lower(), cased, ("selectors",), outer, lambda: _edits(outer.cased).back)


def _edits(text: str) -> Edits:
    changed = []
    for run in _BEYOND.finditer(text):
        for at, character in enumerate(run[0], run.start()):
            read = _TABLE[ord(character)]
            if len(read) != 1:
                changed.append((at, at + 1, read))
    return Edits(changed)
