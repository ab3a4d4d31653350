"""Log lines that hold one of some words, found without looking at every line by itself."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import ahocorasick_rs
import numpy as np

from treering.detect._derived import derived
from treering.model.buffers import from_arrow
from treering.model.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from treering.model.rows import Rows

LONGEST = 4000
_MOST_STATES = 20_000


class Texts(NamedTuple):
    """Texts one after the other in UTF-8, and where each ends."""

    data: bytes
    ends: NDArray[np.int64]


class Words:
    """Some texts that are looked for together."""

    def __init__(self, words: Iterable[str]) -> None:
        """Look for `words`, none of which is empty."""
        self._words = [word.encode() for word in words]
        # A table of all transitions is twice as fast; it must not grow beyond what a cache holds.
        small = sum(map(len, self._words)) <= _MOST_STATES
        kind = ahocorasick_rs.Implementation.DFA if small else None
        self._search = ahocorasick_rs.BytesAhoCorasick(self._words, implementation=kind) if self._words else None

    def places(self, bodies: Texts) -> Iterator[tuple[int, int]]:
        """Yield the number of a word and of a text for each time that a word is in a text."""
        yield from ((number, row) for number, row, _ in self.found(bodies))

    def found(self, bodies: Texts) -> Iterator[tuple[int, int, int]]:
        """Yield the number of a word and of a text, and where in all texts it begins, each time it is there."""
        yield from zip(*(column.tolist() for column in self.matches(bodies)), strict=True)

    def matches(self, bodies: Texts) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return what `found` yields as arrays."""
        none = np.zeros(0, dtype=np.int64)
        if self._search is None or not len(bodies.ends):
            return none, none, none
        matches = self._search.find_matches_as_indexes(bodies.data, overlapping=True)
        if not matches:
            return none, none, none
        numbers, starts, ends = np.array(matches, dtype=np.int64).T
        rows = bodies.ends.searchsorted(starts, side="right")
        inside = ends <= bodies.ends[rows]
        return numbers[inside], rows[inside], starts[inside]


def line(rows: Rows, index: int) -> str:
    """Return the text of a record's `body`, at most `LONGEST` characters, empty where there is none."""
    return (rows.text("body", index) or "")[:LONGEST]


def holding(rows: Rows, words: tuple[str, ...]) -> list[int]:
    """Return the places of the lines that hold one of `words`, which are in lower case, in order.

    A line that is longer than `LONGEST` may hold it behind that.
    """
    return sorted({row for _, row in _search(words).places(derived(rows, _lowered))})


def spoken(rows: Rows, words: Words) -> Iterator[tuple[int, int]]:
    """Yield the number of a word and of a record for each time that one of `words` is in a body as it stands."""
    return words.places(derived(rows, _bodies))


@lru_cache(16)
def _search(words: tuple[str, ...]) -> Words:
    return Words(words)


def _bodies(rows: Rows) -> Texts:
    return texts_of(rows, "body")


def texts_of(rows: Rows, field: str) -> Texts:
    """Return the texts of a field, that of each record, empty where it has none."""
    columns = list(rows.columns(field))
    if len(columns) == 1 and columns[0][0] is Kind.STRING:
        texts = from_arrow(columns[0][1])
        first, last = int(texts.offsets[0]), int(texts.offsets[-1])
        return Texts(texts.data[first:last].tobytes(), texts.offsets[1:] - first)
    if not columns:
        return Texts(b"", np.zeros(0, dtype=np.int64))
    return joined(text or "" for text in rows.texts(field))


def joined(texts: Iterable[str]) -> Texts:
    """Return `texts` one after the other."""
    held = [text.encode("utf-8", "replace") for text in texts]
    return Texts(b"".join(held), np.cumsum([len(text) for text in held], dtype=np.int64))


def bodies(rows: Rows, *, lower: bool) -> Texts:
    """Return the bodies of the records; with `lower` in lower case as far as they are ASCII."""
    return derived(rows, _lowered if lower else _bodies)


def _lowered(rows: Rows) -> Texts:
    # Words are ASCII: what other alphabets have in lower case is not asked.
    bodies = derived(rows, _bodies)
    return bodies._replace(data=bodies.data.lower())
