"""Looks for tokens that begin with known letters, however they are written: encoded, turned round, with gaps.

What a text may be written in leaves traces in what is left of it when all but letters, hexadecimal or decimal digits
are taken out (three passes over bytes); only a text with a trace of the prefix is undone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from ahocorasick_rs import BytesAhoCorasick

from treering.parse.textview import View, decoded, plain
from treering.parse.textview.disguise import ROT13
from treering.parse.textview.view import Edits, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.parse.textview.view import Back

LENGTH, HEAD = 26, 18
"""Letters of a token, and of its beginning, which is told too: 12 letters of chance, 60 bits."""
_LEAST = 5
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789"
_BREAK = b"\0"
_ESCAPES = ((b"\\n", b" "), (b"\\t", b" "), (b"\\r", b" "))
_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_TAG, _SLASH = re.compile(r"<[^<>]{1,200}>"), re.compile("/")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_DISGUISED = re.compile(
    "[\u00ad\u200b-\u200f\u2060-\u206f\u24b6-\u24e9\ufe00-\ufe0f\ufeff\uff01-\uff5e\U0001d400-\U0001d7ff\U000e0000-\U000e01ef]"
)
"""Characters that are nothing, or letters in another dress."""


def _all_but(kept: bytes) -> bytes:
    return bytes(byte for byte in range(256) if byte not in kept + _BREAK)


_NO_LETTER, _NO_HEX = _all_but(_LETTERS + _LETTERS.upper()), _all_but(b"0123456789abcdefABCDEF")
_NO_DIGIT = _all_but(b"0123456789")


class Met(NamedTuple):
    """A token: the number that its hash stands for, where it is, what hides it, whether only its beginning is there."""

    name: str
    span: tuple[int, int]
    hidden: str
    partial: bool


class Search:
    """Looks for the tokens that begin with one prefix."""

    def __init__(self, prefix: str, names: Mapping[str, str]) -> None:
        """Take the prefix, and the names of tokens by the SHA-256 of a whole one or of its first `HEAD` letters."""
        self._names, self._prefix = names, prefix.lower()
        left = LENGTH - len(self._prefix)
        self._token = re.compile(rf"{re.escape(self._prefix)}[a-z2-7]{{{HEAD - len(self._prefix)},{left}}}")
        moved = {shift: self._prefix.translate(_shifted(-shift % len(_ALPHABET))) for shift in range(len(_ALPHABET))}
        self._moved = {one[::-1]: (True, shift) for shift, one in moved.items()}
        self._moved |= {one: (False, shift) for shift, one in moved.items()}
        self._any_moved = re.compile(f"(?=({'|'.join(self._moved)}))")
        codes = self._prefix.encode()
        self._letters = BytesAhoCorasick(sorted({part for part in _spellings(self._prefix) if len(part) >= _LEAST}))
        self._hex = BytesAhoCorasick([codes.hex().encode(), b"00".join([b"", *(b"%02x" % one for one in codes)])])
        self._digits = BytesAhoCorasick(
            [b"".join(b"%d" % one for one in codes), "".join(f"{one:08b}" for one in codes).encode()]
        )

    def may_be_in(self, text: str) -> bool:
        """Whether something in `text`, or in several texts joined, looks like the beginning of a token; cheap."""
        raw = text.encode("utf-8", "replace")
        for escape, gap in _ESCAPES:
            raw = raw.replace(escape, gap)
        if self._letters.find_matches_as_indexes(raw.translate(_LOWER, _NO_LETTER)):
            return True
        bare = raw.replace(b"0x", b"").replace(b"\\x", b"").translate(_LOWER, _NO_HEX)
        if self._hex.find_matches_as_indexes(bare):
            return True
        if self._digits.find_matches_as_indexes(raw.translate(None, _NO_DIGIT)):
            return True
        if text.isascii() or not _DISGUISED.search(text):
            return False
        squeezed = plain(text).text.encode("utf-8", "replace").translate(_LOWER, _NO_LETTER)
        return bool(self._letters.find_matches_as_indexes(squeezed))

    def tokens(self, text: str) -> Iterator[Met]:
        """Yield the tokens in `text`, each once."""
        read, met = plain(text), set[str]()
        if not self.may_be_in(read.text):
            return
        for view in _views(read):
            for shown in (view, *self._squeezed(view), *self._spelt(view)):
                for match in self._token.finditer(shown.text):
                    for length in (LENGTH, HEAD):
                        token = match[0][:length]
                        name = self._names.get(hashlib.sha256(token.encode()).hexdigest())
                        if name is not None and name not in met:
                            met.add(name)
                            span = shown.origin(match.start(), match.start() + len(token))
                            yield Met(name, span, ", ".join(shown.kinds), len(token) < LENGTH)

    def _squeezed(self, view: View) -> Iterator[View]:
        """Yield what is left without gaps, in the direction and with the shifts in which the prefix is in it."""
        kept = [at for at, letter in enumerate(view.text) if letter in _KEPT]
        text = "".join([view.text[at] for at in kept])
        found = {self._moved[match[1]] for match in self._any_moved.finditer(text)}
        bare = View(text, text, (*view.kinds, "gaps"), view, lambda: _chosen(kept)) if found else view
        for back, shift in sorted(found):
            turned = _backwards(bare) if back else bare
            read = turned.text.translate(_shifted(shift))
            yield View(read, read, (*turned.kinds, "shifted letters") if shift else turned.kinds, turned)

    def _spelt(self, view: View) -> Iterator[View]:
        """Yield what pairs of hexadecimal digits say from the prefix on, whatever stands between them."""
        bare = _without(view, _HEX_MARK, " ")
        kept = [at for at, digit in enumerate(bare.text) if digit in _HEX_DIGITS]
        digits = "".join([bare.text[at] for at in kept])
        first = digits.find(self._prefix.encode().hex())
        if first < 0:
            return
        pairs = digits[first : first + 2 * LENGTH]
        said = bytes.fromhex(pairs[: len(pairs) // 2 * 2]).decode("latin-1").lower()
        yield View(said, said, (*view.kinds, "hex"), bare, lambda: _paired(kept[first:]))


_HEX_DIGITS, _HEX_MARK = frozenset("0123456789abcdef"), re.compile(r"0x|\\x")
_KEPT = frozenset(_LETTERS.decode())


def _shifted(shift: int) -> dict[int, int]:
    return str.maketrans(_ALPHABET, _ALPHABET[shift:] + _ALPHABET[:shift])


def _chosen(kept: Sequence[int]) -> Back:
    return lambda start, end: (kept[start], kept[end - 1] + 1)


def _paired(kept: Sequence[int]) -> Back:
    return lambda start, end: (kept[2 * start], kept[2 * end - 1] + 1)


def _backwards(view: View) -> View:
    def back(start: int, end: int) -> tuple[int, int]:
        return len(view.text) - end, len(view.text) - start

    return View(view.text[::-1], view.cased[::-1], (*view.kinds, "backwards"), view, lambda: back)


def _rot13(view: View) -> View:
    return View(view.text.translate(ROT13), view.cased.translate(ROT13), (*view.kinds, "rot13"), view)


def _without(view: View, marks: re.Pattern[str], instead: str) -> View:
    edits = [(*match.span(), instead) for match in marks.finditer(view.cased)]
    cased = rewrite(view.cased, edits)
    return View(rewrite(view.text, edits), cased, view.kinds, view, lambda: Edits(edits).back)


def _views(view: View) -> Iterator[View]:
    yield view
    yield _without(view, _TAG, "")
    # Of an address, each part may be encoded by itself.
    for turned in (view, _without(view, _SLASH, " "), _backwards(view), _rot13(view)):
        yield from decoded(turned)


def _spellings(prefix: str) -> Iterator[bytes]:
    """Yield what is left of a prefix among letters in the ways of writing that `tokens` undoes."""
    for shift in range(len(_ALPHABET)):
        moved = prefix.translate(_shifted(shift)).encode()
        yield from (moved, moved[::-1])
    for first in (prefix.encode(), prefix[::-1].encode()):
        packed = [*_packed(first, 6), *_packed(first, 5)]
        twice = [again for one in packed for again in _packed(one, 6)]
        for one in (*packed, *twice):
            rotated = one.decode().translate(ROT13).encode()
            yield from (_bare(form) for form in (one, one[::-1], rotated))


def _packed(part: bytes, bits: int) -> Iterator[bytes]:
    """Yield what base64 (6 bits a letter) or base32 (5) make of `part` at each offset, whatever stands beside it."""
    encode = base64.b64encode if bits == 6 else base64.b32encode
    for offset in range(3 if bits == 6 else 5):
        whole = encode(b"\0" * offset + part)
        yield whole[-(-8 * offset // bits) : 8 * (offset + len(part)) // bits]


def _bare(form: bytes) -> bytes:
    return form.translate(_LOWER, _NO_LETTER)
