"""Which texts of a batch may repeat words of other texts: one search over a whole column as it is stored.

A text is passed over only if it surely has no run of `RUN` words in common. Words are what `WORD` finds, in lower case,
whatever stands between them. Looked for are the letters of ASCII in them: others are left out on both sides. A text
with a letter that is read as one of ASCII (the sign of Kelvin), with rare escapes of JSON or with a backslash outside
of JSON is not passed over.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import ahocorasick_rs
import numpy as np

from treering.detect._lines import Texts, Words, texts_of
from treering.model.columns import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.model.rows import Rows

RUN = 5
WORD = re.compile(r"[^\W_]+")
LIKE_ASCII = "ßİŉſǰẖẗẘẙẚẞ\u212a\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06"
"""Letters beyond ASCII that are read as letters of it."""
_FEW = 16
"""Texts up to which a search is not worth its making."""
_MOST_WORDS, _SHORTEST = 4_000, 8
_READ_AS = bytes(ord(chr(byte).lower()) if byte < 128 and chr(byte).isalnum() else ord(" ") for byte in range(256))
_JSON = np.frombuffer(b'[{"', np.uint8)
_PLAIN_ESCAPES = np.isin(np.arange(256), np.frombuffer(b'ntrbf"/', np.uint8))
_ODD = Words(
    [*LIKE_ASCII, *(f"\\u{ord(letter):04x}" for letter in LIKE_ASCII), *(f"\\u00{n}" for n in range(2, 8)), "\\\\"]
)
_LOWER = bytes(byte | 32 if 65 <= byte <= 90 else byte for byte in range(256))


def words_of(text: str) -> list[str]:
    """Return the words of a text."""
    return [word.casefold() for word in WORD.findall(text)]


class Repeats:
    """The texts of one field of a batch."""

    def __init__(self, rows: Rows, field: str) -> None:
        """Look at the field `field`; nothing is read yet."""
        self._rows, self._field = rows, field
        self._read: tuple[list[bytes], NDArray[np.bool_]] | None = None

    def among(self, places: NDArray[np.int64], text: str) -> list[int]:
        """Return which of the records at `places`, ascending, may have a run of words in common with `text`."""
        stored = [kind for kind, _ in self._rows.columns(self._field)]
        search = _search(text) if len(places) >= _FEW and stored == [Kind.STRING] else None
        if search is None:
            return [int(place) for place in places]
        if self._read is None:
            self._read = _read(texts_of(self._rows, self._field))
        texts, odd = self._read
        chosen = odd[places]
        data = [texts[place] for place in places.tolist()]
        ends = np.cumsum([len(one) for one in data], dtype=np.int64)
        found = search.find_matches_as_indexes(b"".join(data))
        # One that lies in two texts is in neither, but may hide another one at the start of the second.
        held = np.array([at for _, start, end in found for at in (start, end - 1)], dtype=np.int64)
        chosen[np.unique(ends.searchsorted(held, side="right"))] = True
        return [int(place) for place in places[chosen]]


@lru_cache(64)
def _search(text: str) -> ahocorasick_rs.BytesAhoCorasick | None:
    """Return what finds runs of words, None where they have too few letters of ASCII to be told by them."""
    words = [word.encode().translate(_READ_AS) for word in words_of(text)[:_MOST_WORDS]]
    runs = {b" ".join(b" ".join(words[at : at + RUN]).split()) for at in range(len(words) - RUN + 1)}
    if not runs or min(map(len, runs)) < _SHORTEST:
        return None
    return ahocorasick_rs.BytesAhoCorasick(sorted(runs))


def _read(texts: Texts) -> tuple[list[bytes], NDArray[np.bool_]]:
    """Return the letters of ASCII of each text, one space between words, and which texts are odd."""
    raw = np.frombuffer(texts.data, np.uint8).copy()
    odd = np.zeros(len(texts.ends), dtype=bool)
    lower = texts._replace(data=texts.data.translate(_LOWER))
    odd[[row for _, row in _ODD.places(lower)]] = True
    signs = np.flatnonzero(raw[:-1] == ord("\\"))
    after = raw[signs + 1]
    is_code = after == ord("u")
    owners = texts.ends.searchsorted(signs, side="right")
    is_json = np.isin(raw[np.append(0, texts.ends)[owners]], _JSON)
    for ahead in range(2):
        raw[signs + ahead] = ord(" ")
    for ahead in range(2, 6):
        raw[np.minimum(signs[is_code] + ahead, len(raw) - 1)] = ord(" ")
    odd[owners[~is_json | (~is_code & ~_PLAIN_ESCAPES[after])]] = True
    read = np.frombuffer(raw.tobytes().translate(_READ_AS), np.uint8)
    dropped = np.flatnonzero((read[1:] == ord(" ")) & (read[:-1] == ord(" "))) + 1
    ends = (texts.ends - dropped.searchsorted(texts.ends)).tolist()
    data = np.delete(read, dropped).tobytes()
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)], odd
