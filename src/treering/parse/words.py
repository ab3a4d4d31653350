"""The words of many lines as numbers: what lines have in common, found with NumPy and no Python per line.

A line is cut into words and the separators between them. Each word has a hash of its letters and one in which all
digits are alike; a line's shape is a hash in which all words with digits are alike. Hashes are 64 bits and not
cryptographic: two of a million shapes are confused with a probability of 3 in 10^8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.parse.shapes import BYTE, MIX, NEWLINE, ORDER, SEPARATOR, SEPARATORS, WILD, powers

if TYPE_CHECKING:
    from collections.abc import Sequence

# A number so long may be seconds since 1970: words with digits are of two kinds.
_EPOCH = 9
_WILDS = np.array([WILD, MIX], dtype=np.uint64)
_ALIKE = BYTE.copy()
_ALIKE[48:58] = BYTE[48]
_TOKEN = re.compile(f"[{re.escape(SEPARATORS)}]|[^{re.escape(SEPARATORS)}]+")


class Words:
    """The words of some lines. `shapes` has one hash per line."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Cut `lines`, which hold no line ends, into words."""
        self._bytes = ("\n" + "\n".join(lines)).encode("utf-8", "surrogatepass")
        self._data = data = np.frombuffer(self._bytes, dtype=np.uint8)
        separator = SEPARATOR[data]
        first = separator.copy()
        first[1:] |= separator[:-1]
        self._starts = starts = np.flatnonzero(first)
        self._up, self._down = powers(len(data))
        digits = np.bitwise_or.reduceat(((data - np.uint8(48)) < 10).view(np.uint8), starts).view(bool)
        self.letters = self._hashed(BYTE)
        # The line end in front of each line is its word number 0 here.
        self._lines = np.flatnonzero(data[starts] == NEWLINE)
        order = np.arange(len(starts)) - np.repeat(self._lines, np.diff(self._lines, append=len(starts)))
        long = np.diff(starts, append=len(data)) >= _EPOCH
        words = np.where(digits, _WILDS[long.view(np.uint8)], self.letters) * ORDER[np.minimum(order, 1023)]
        self.shapes: Any = np.add.reduceat(words, self._lines)
        self._alike: Any = None

    def _hashed(self, table: Any) -> Any:
        # A polynomial in the base, divided by the power of its start: the same wherever the word stands.
        words = np.add.reduceat(table[self._data] * self._up, self._starts) * self._down[self._starts]
        words ^= words >> np.uint64(29)
        words *= MIX
        words ^= words >> np.uint64(32)
        return words

    def keys(self, rows: Any, letters: Sequence[int], alike: Sequence[int] = ()) -> Any:
        """Return a hash for each of `rows`: of its words numbered `letters`, and of those `alike` but for their digits.

        All `rows` must have so many words; lines of one shape do.
        """
        found = np.zeros(len(rows), dtype=np.uint64)
        begin = self._lines[rows] + 1
        for number in letters:
            found += self.letters[begin + number] * ORDER[number]
        if len(alike) and self._alike is None:
            self._alike = self._hashed(_ALIKE)
        for number in alike:
            found += self._alike[begin + number] * ORDER[512 + number]
        return found

    def text(self, row: int, first: int, last: int) -> str:
        """Return the words from `first` to `last` (included) of a line, with what is between them."""
        begin = int(self._lines[row]) + 1
        after = begin + last + 1
        end = int(self._starts[after]) if after < len(self._starts) else len(self._bytes)
        return self._bytes[int(self._starts[begin + first]) : end].decode("utf-8", "surrogatepass").removesuffix("\n")


def spans(line: str) -> list[tuple[int, int]]:
    """Return start and end of each word of `line`, numbered as `Words` numbers them."""
    return [found.span() for found in _TOKEN.finditer(line)]
