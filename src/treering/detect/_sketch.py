"""How alike texts are, by sketches of fixed size.

MinHash over runs of three words (Broder, On the resemblance and containment of documents, 1997), cut into bands so that
like ones meet in a table (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4).
"""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np

_WORD = re.compile(r"[^\W_]{1,40}")
_HASHES, _ROWS = 24, 3
_MOST_WORDS = 1_500
_PRIME = (1 << 31) - 1
_RANDOM = np.random.default_rng(1997)
_A = _RANDOM.integers(1, _PRIME, _HASHES, dtype=np.int64)
_B = _RANDOM.integers(0, _PRIME, _HASHES, dtype=np.int64)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, at most 1,500."""
    return [match[0] for match, _ in zip(_WORD.finditer(text.lower()), range(_MOST_WORDS), strict=False)]


def runs(spoken: list[str], length: int) -> list[int]:
    """Return a hash of each run of `length` words (of all there are, where there are fewer)."""
    count = max(1, len(spoken) - length + 1)
    return [crc32(" ".join(spoken[at : at + length]).encode("utf-8", "surrogatepass")) for at in range(count)]


def sketch(spoken: list[str]) -> list[int]:
    """Return the sketch of a text given as words: the least of its runs' hashes under each of 24 functions."""
    hashed = np.array(runs(spoken, 3), dtype=np.int64) % _PRIME
    least: list[int] = ((hashed[:, None] * _A + _B) % _PRIME).min(axis=0).tolist()
    return least


def alike(one: list[int], other: list[int]) -> float:
    """Return about which share of their runs two texts have in common (Jaccard), by their sketches."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / _HASHES


def bands(found: list[int]) -> list[int]:
    """Return the numbers under which a sketch is looked up: two texts of which one is equal may be alike."""
    return [crc32(repr((at, found[at : at + _ROWS])).encode()) for at in range(0, _HASHES, _ROWS)]
