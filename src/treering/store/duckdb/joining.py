"""Postings of several segments made one, without looking at their rows again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cramjam
import numpy as np

from treering.store.duckdb.index import fingerprint
from treering.store.duckdb.postings import MOST_EXTENT, Posting, Postings, Values, packed
from treering.store.duckdb.tokens import bit_of
from treering.store.duckdb.words import MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.store.duckdb.index import Content
    from treering.store.duckdb.names import Names

# A word of which a segment knows no rows may be anywhere in its blocks; of more rows than this share it is left out.
_MOST_UNSURE = 0.5


def joined(parts: Sequence[Content], columns: Sequence[Names], seqs: Any) -> Postings:
    """Return the postings of segments with these columns, whose rows together are numbered `seqs`."""
    return _Joiner(parts, columns, seqs).joined()


class _Joiner:
    def __init__(self, parts: Sequence[Content], columns: Sequence[Names], seqs: Any) -> None:
        self._parts = parts
        self._columns = columns
        self._first = min(int(part.first_seqs[0]) for part in parts)
        self._extent = int(seqs[-1]) + 1 - self._first
        # A part ends where the next one begins; beyond its rows nothing is set.
        starts = [int(part.first_seqs[0]) - self._first for part in parts]
        self._spans = list(zip(starts, [*starts[1:], self._extent], strict=True))
        self._sets: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self._rows = seqs - self._first

    def joined(self) -> Postings:
        if self._extent > MOST_EXTENT * len(self._rows) or any(not part.postings.extent for part in self._parts):
            return Postings(self._first, 0)
        rows = -1 if self._extent == len(self._rows) else self._set(self._rows)
        values = {name: held for name in self._names("values") if (held := self._values(name)) is not None}
        words = {name: self._words(name) for name in self._names("words") if name not in values}
        return Postings(self._first, self._extent, rows, words, values, self._sets)

    def _names(self, kind: str) -> Iterable[str]:
        return dict.fromkeys(name for part in self._parts for name in getattr(part.postings, kind))

    def _values(self, name: str) -> Values | None:
        """Return the values of a column where all parts that have it know theirs, and those are few."""
        texts: dict[str, int] = {}
        codes = np.zeros(self._extent, dtype=np.uint8)
        empty = False
        for part, columns, (start, _) in zip(self._parts, self._columns, self._spans, strict=True):
            if name not in columns.members:
                continue
            held = part.postings.values.get(name)
            if held is None:
                return None
            new = [0, *(texts.setdefault(text, len(texts) + 1) for text in held.texts)]
            if len(texts) > MOST_VALUES:
                return None
            found = np.array(new, dtype=np.uint8)[part.postings.codes(held.codes)]
            codes[start : start + len(found)] = found[: self._extent - start]
            empty |= held.empty
        self._sets.append(bytes(cramjam.zstd.compress(codes.tobytes(), 1)))
        return Values(list(texts), len(self._sets) - 1, empty)

    def _words(self, name: str) -> dict[str, Posting]:
        found = {}
        for word in dict.fromkeys(word for part in self._parts for word in part.postings.words.get(name, {})):
            if (posting := self._word(name, word)) is not None:
                found[word] = posting
        return found

    def _word(self, name: str, word: str) -> Posting | None:
        present, words, unsure = (np.zeros(self._extent, dtype=bool) for _ in range(3))
        for part, columns, span in zip(self._parts, self._columns, self._spans, strict=True):
            if name not in columns.members:
                continue
            held = part.postings.words.get(name, {}).get(word)
            if held is None:
                self._mark_blocks(part, name, word, unsure, span)
                continue
            for place, target in ((held.present, present), (held.word, words), (held.unsure, unsure)):
                if place >= 0:
                    bits = np.unpackbits(part.postings.bits(place), count=part.postings.extent)
                    size = min(len(bits), self._extent - span[0])
                    target[span[0] : span[0] + size] |= bits[:size].astype(bool)
        if unsure.sum() > _MOST_UNSURE * self._extent:
            return None
        return Posting(*(self._set(np.flatnonzero(marked)) for marked in (present, words, unsure & ~words)))

    def _mark_blocks(self, part: Content, name: str, word: str, target: Any, span: tuple[int, int]) -> None:
        """Mark the rows of the blocks of a part that may have a word."""
        print_ = fingerprint(word.encode())
        low, high = np.searchsorted(part.prints, np.array([print_, print_ + 1], dtype=np.int64))
        starts = [int(seq) - self._first for seq in part.first_seqs]
        ends = [*starts[1:], span[1]]
        for mask in part.masks[int(low) : int(high)]:
            if int(mask[-1]) >> bit_of(name) & 1:
                for block, (start, end) in enumerate(zip(starts, ends, strict=True)):
                    if int(mask[block >> 6]) >> (block & 63) & 1:
                        target[start:end] = True

    def _set(self, places: Any) -> int:
        if not len(places):
            return -1
        blob = packed(places, self._extent)
        if blob not in self._known:
            self._known[blob] = len(self._sets)
            self._sets.append(blob)
        return self._known[blob]
