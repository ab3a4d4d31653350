"""Encodings undone: base64, base32, hexadecimal, character codes, percent and HTML escapes, one layer at a time."""

from __future__ import annotations

import base64
import binascii
import html
import re
import urllib.parse
from typing import TYPE_CHECKING

from treering.parse.textview.view import Edit, Edits, View, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_LAYERS = 4
"""How many encodings within each other are undone."""
MAX_DECODED = 262_144
"""How many characters of a text are decoded in one layer; what follows stays as it is."""
_MAX_RUNS = 64

_RUN64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*={0,2}")
_RUN32 = re.compile(r"\b[A-Z2-7]{24,}={0,6}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}){8,}(?![0-9A-Za-z])")
_HEX_SPACED = re.compile(r"(?:\b(?:0x)?[0-9a-fA-F]{2}[ ,:;]{1,2}){7,}(?:0x)?[0-9a-fA-F]{2}\b")
_CODES = re.compile(r"(?:\b[0-9]{2,3}[ ,]{1,2}){9,}[0-9]{2,3}\b")
_BITS = re.compile(r"\b[01]{8}(?: ?[01]{8}){5,}")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2})+")
_HEX_NOISE = re.compile(r"0x|[^0-9a-fA-F]")


def _text(raw: bytes) -> str | None:
    """Return `raw` as text if it is one that a person may have written."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = raw.decode("utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        except UnicodeDecodeError:
            return None
    if len(text) < 4:
        return None
    odd = sum(not (c.isprintable() or c in "\r\n\t\u200b\u200c\u200d\u2060\ufeff\u00ad") for c in text[:400])
    letters = sum(c.isalpha() for c in text[:400])
    return text if odd * 20 <= len(text[:400]) and letters * 3 >= len(text[:400]) else None


def _base64(run: str) -> str | None:
    bare = run.translate({10: None, 13: None, 61: None, 45: "+", 95: "/"})
    bare = bare[: len(bare) - 1] if len(bare) % 4 == 1 else bare
    try:
        return _text(binascii.a2b_base64(bare + "=" * (-len(bare) % 4)))
    except binascii.Error:
        return None


def _base32(run: str) -> str | None:
    bare = run.rstrip("=")
    try:
        return _text(base64.b32decode(bare + "=" * (-len(bare) % 8)))
    except binascii.Error:
        return None


def _hexadecimal(run: str) -> str | None:
    digits = _HEX_NOISE.sub("", run)
    return _text(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _codes(run: str) -> str | None:
    numbers = [int(number) for number in re.findall(r"[0-9]+", run)]
    return _text(bytes(numbers)) if max(numbers) < 256 else None


def _bits(run: str) -> str | None:
    bits = run.replace(" ", "")
    return _text(bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)))


def _percent(run: str) -> str | None:
    return urllib.parse.unquote(run, errors="replace")


def _escape(run: str) -> str | None:
    points = [int(code, 16) for code in re.findall(r"\\[ux]([0-9a-fA-F]+)", run)]
    return "".join(map(chr, points)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_MIXED = (
    ("percent", _PERCENT, _percent, "%"),
    ("entities", _ENTITY, html.unescape, "&"),
    ("escapes", _ESCAPE, _escape, "\\"),
)
"""Name, pattern, decoder, and the sign without which there is nothing to do."""
_WHOLE = (
    ("bits", _BITS, _bits, True),
    ("codes", _CODES, _codes, True),
    ("hexadecimal", _HEX_SPACED, _hexadecimal, True),
    ("hexadecimal", _HEX, _hexadecimal, False),
    ("base32", _RUN32, _base32, False),
    ("base64", _RUN64, _base64, False),
)
"""Name, pattern, decoder, and whether its text is many short numbers; the others are one long word."""
_LONG = 16
_FEW_NUMBERS = 6


def may_be_encoded(text: str) -> bool:
    """Return whether `decoded` has anything to look at; cheap."""
    if "%" in text or "&" in text or "\\" in text:
        return True
    words = text.split()
    return len(max(words, key=len, default="")) >= _LONG or _numbers(text, words) >= _FEW_NUMBERS


def _numbers(text: str, words: Sequence[str]) -> int:
    """Count the words that begin with a digit, if there are digits enough for it to matter."""
    if sum(map(text.count, "01234567")) < 2 * _FEW_NUMBERS:
        return 0
    return sum(word[0] in "01234567" for word in words)


def decoded(view: View) -> Iterator[View]:
    """Yield `view` with the encoded stretches that hold text replaced by that text, layer after layer."""
    for _ in range(MAX_LAYERS):
        if not may_be_encoded(view.cased):
            return
        found = _layer(view.cased)
        if found is None:
            return
        view = _apply(view, *found)
        yield view


def _layer(text: str) -> tuple[str, list[Edit]] | None:
    """Return the first kind of encoding that `text` holds, and what it says."""
    whole = [(0, text)]
    for name, pattern, decode, sign in _MIXED:
        if sign in text and (edits := list(_found(whole, pattern, decode))):
            return name, edits
    words = text.split()
    long = _long(text, words)
    numbers = whole if _numbers(text, words) >= _FEW_NUMBERS else long
    for name, pattern, decode, separated in _WHOLE:
        if edits := list(_found(numbers if separated else long, pattern, decode)):
            return name, edits
    return None


def _long(text: str, words: Sequence[str]) -> list[tuple[int, str]]:
    """Return the long words of `text` with their places; those on lines that follow each other as one."""
    found: list[tuple[int, str]] = []
    at = end = 0
    for word in words:
        if len(word) < _LONG:
            continue
        at = text.index(word, at)
        if found and text[end:at] in ("\n", "\r\n"):
            start = found[-1][0]
            found[-1] = start, text[start : at + len(word)]
        else:
            found.append((at, word))
        at = end = at + len(word)
    return found


def _found(
    stretches: Iterable[tuple[int, str]], pattern: re.Pattern[str], decode: Callable[[str], str | None]
) -> Iterator[Edit]:
    left, tries = MAX_DECODED, 0
    for offset, stretch in stretches:
        for match in pattern.finditer(stretch):
            run = match[0]
            left -= len(run)
            tries += 1
            if left < 0 or (tries > _MAX_RUNS and len(run) >= _LONG):
                return
            said = decode(run)
            if said is not None and said != run:
                yield offset + match.start(), offset + match.end(), said


def _apply(view: View, name: str, edits: list[Edit]) -> View:
    from treering.parse.textview.fold import plain

    text = rewrite(view.cased, edits)
    kinds = (*view.kinds, name)
    raw = View(text, text, kinds, view, lambda: Edits(edits).back)
    if text.isascii():
        raw.text = text.lower()
        return raw
    folded = plain(text)
    outermost = folded
    while outermost.parent is not None:
        outermost = outermost.parent
    outermost.parent, folded.kinds = raw, (*kinds, *folded.kinds)
    return folded
