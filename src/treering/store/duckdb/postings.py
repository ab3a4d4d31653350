"""Which rows of a segment have which values and common words, exactly, so that queries need not look at the texts.

Of a column of few different texts every row's text is known, of a column of sentences the rows of its frequent words.
Rows are places from the segment's first `_seq` on, so that postings of neighbours are put together without renumbering;
numbers that are no rows of the segment are in no set, or make no difference. A set is a compressed bitmap or, of few
rows, the distances between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cramjam
import msgspec
import numpy as np

from treering.store.duckdb.words import AS_UNSURE, AS_WORD, ROW

if TYPE_CHECKING:
    from treering.store.duckdb.words import Words

# Rarer words are found by their blocks. Numbers of few digits are many, and seldom asked for.
_SHARE, _SHARE_DIGITS = 2048, 64
FEWEST = 8
_BYTES_PER_ROW, _SHARE_OF_TEXT, _SHARED = 3, 64, 4
# Rows of other streams in between cost little, but a segment that is nearly nothing but them is not worth it.
MOST_EXTENT = 8
_SPARSE = 20
_BITMAP, _DISTANCES = b"b", b"d"
_SAMPLE = 256


class Posting(msgspec.Struct, frozen=True, array_like=True):
    """The sets of a token's rows: where it is at all, where it is a word, and where it may be in a way not looked into.

    `unsure` has no rows of `word`; each is a place in `Postings.sets`, -1 standing for no rows.
    """

    present: int
    word: int
    unsure: int


class Values(msgspec.Struct, frozen=True, array_like=True):
    """The different texts of a column, and the place of the rows' codes: of each row its text's number plus one.

    Code 0 is a row without a text, or, if `empty`, with an empty one.
    """

    texts: list[str]
    codes: int
    empty: bool


@dataclass(frozen=True, slots=True)
class Postings:
    """Sets of places from `first` (a `_seq`) on, by physical column; there are `extent` places.

    `rows` is the set of those that are rows, -1 when all are.
    """

    first: int
    extent: int
    rows: int = -1
    words: dict[str, dict[str, Posting]] = field(default_factory=dict)
    values: dict[str, Values] = field(default_factory=dict)
    sets: Any = field(default_factory=list)

    def bits(self, place: int) -> Any:
        """Return a set as packed bits, the first place in the highest bit."""
        if place < 0:
            return np.zeros(-(-self.extent // 8), dtype=np.uint8)
        blob = bytes(self.sets[place])
        data = np.frombuffer(bytes(cramjam.zstd.decompress(memoryview(blob)[1:])), dtype=np.uint8)
        return data if blob[:1] == _BITMAP else np.packbits(_marked(_places(data), self.extent))

    def rows_at(self) -> Any:
        """Return the places that are rows, None when all are."""
        if self.rows < 0:
            return None
        return np.flatnonzero(np.unpackbits(self.bits(self.rows), count=self.extent))

    def codes(self, place: int) -> Any:
        """Return the codes of a column."""
        return np.frombuffer(bytes(cramjam.zstd.decompress(bytes(self.sets[place]))), dtype=np.uint8)


class Collector:
    """Collects the postings of a segment, column by column."""

    def __init__(self, seqs: Any) -> None:
        """Take the sequence numbers of the rows, ascending."""
        self._rows = len(seqs)
        first, extent = int(seqs[0]), int(seqs[-1] - seqs[0]) + 1
        self._at = None if extent == len(seqs) else (seqs - first)
        self.worth = extent <= MOST_EXTENT * len(seqs)
        whole = self._at is None or not self.worth
        self.found = Postings(first, extent if self.worth else 0, -1 if whole else 0)
        if not whole:
            self.found.sets.append(packed(self._at, extent))
        self._known: dict[bytes, int] = {}
        self._spent = 0  # bytes of sets of words

    def column(self, name: str, column: int, found: Words, nulls: int, *, sentences: bool, size: int) -> None:
        """Take over what was kept of a column whose texts have `size` bytes."""
        held = found.values()
        if held is not None:
            texts, codes = held
            empty = int((codes == 0).sum()) > nulls
            self.found.values[name] = Values(
                [text.decode("utf-8", "replace") for text in texts], self._codes(codes), empty
            )
        elif sentences:
            self.found.words[name] = self._words(column, found, size)

    def _codes(self, codes: Any) -> int:
        spread = codes
        if self._at is not None:
            spread = np.zeros(self.found.extent, dtype=np.uint8)
            spread[self._at] = codes
        self.found.sets.append(bytes(cramjam.zstd.compress(spread.tobytes(), 1)))
        return len(self.found.sets) - 1

    def _words(self, column: int, found: Words, size: int) -> dict[str, Posting]:
        least, least_digits = (max(FEWEST, self._rows // share) for share in (_SHARE, _SHARE_DIGITS))
        places = found.candidates(column, least, least_digits)
        hits = np.minimum(found.tokens()["hits"][places], self._rows).astype(np.float64)
        order = np.argsort(-hits, kind="stable")
        cost = hits[order] * (np.log2(self._rows / hits[order]) + 1.5) / 8
        budget = _BYTES_PER_ROW * self._rows + size // _SHARE_OF_TEXT
        # Words that share a set, as those of a message template do, cost its room once.
        chosen = places[order[np.cumsum(cost) <= _SHARED * budget]]
        length = int(found.tokens()["length"][chosen].sum(dtype=np.int64))
        texts = found.lines(chosen, length).split(b"\n")[1:-1]
        before, words = self._spent, {}
        for text, held in zip(texts, found.rows_of(chosen), strict=True):
            if text.isascii() and (self._spent - before < budget or (held & ROW).tobytes() in self._known):
                words[text.decode("ascii")] = self._posting(held)
        return words

    def _posting(self, mentions: Any) -> Posting:
        rows, words = mentions & ROW, (mentions & AS_WORD) != 0
        present = self._set(rows)
        unsure = rows[((mentions & AS_UNSURE) != 0) & ~words]
        return Posting(present, present if bool(words.all()) else self._set(rows[words]), self._set(unsure))

    def _set(self, rows: Any) -> int:
        key = rows.tobytes()
        if not key:
            return -1
        if key not in self._known:
            self._known[key] = len(self.found.sets)
            self.found.sets.append(packed(rows if self._at is None else self._at[rows], self.found.extent))
            self._spent += len(self.found.sets[-1])
        return self._known[key]


def sentences(data: Any) -> bool:
    """Whether the texts of a column, given one after another, look like words with spaces between."""
    sample = data[: _SAMPLE * 64]
    return len(sample) > 0 and int((sample == 32).sum()) * 32 > len(sample)


def packed(places: Any, extent: int) -> bytes:
    """Return a set of ascending places below `extent` in the form that takes less."""
    if len(places) * _SPARSE > extent:
        return _BITMAP + bytes(cramjam.zstd.compress(np.packbits(_marked(places, extent)).tobytes(), 1))
    steps = np.diff(places, prepend=0).astype("<u4")
    planes = steps.view(np.uint8).reshape(-1, 4)[:, : _width(steps)].T
    return _DISTANCES + bytes(cramjam.zstd.compress(bytes([len(planes)]) + planes.tobytes(), 1))


def _width(steps: Any) -> int:
    return max(1, -(-int(steps.max()).bit_length() // 8)) if len(steps) else 1


def _places(data: Any) -> Any:
    width = int(data[0])
    planes = data[1:].reshape(width, -1)
    steps = np.zeros((planes.shape[1], 4), dtype=np.uint8)
    steps[:, :width] = planes.T
    return np.cumsum(steps.reshape(-1).view("<u4"), dtype=np.int64)


def _marked(places: Any, extent: int) -> Any:
    marked = np.zeros(extent, dtype=np.uint8)
    marked[places] = 1
    return marked


def dumped(held: Postings) -> dict[str, bytes]:
    """Return the sections of an index file that hold postings."""
    sets = list(held.sets)
    ends = np.cumsum([0, *map(len, sets)], dtype="<i8")
    about = [held.first, held.extent, held.rows, held.words, held.values, ends.tobytes()]
    return {
        "postings": bytes(cramjam.zstd.compress(msgspec.msgpack.encode(about), 3)),
        "rows_of": b"".join(sets),
    }


class _Mapped:
    """Sets that are read from a mapped file when asked for."""

    def __init__(self, data: Any, ends: Any) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> bytes:
        return bytes(self._data[int(self._ends[place]) : int(self._ends[place + 1])])


def loaded(about: bytes, sets: Any) -> Postings:
    """Return postings from their sections."""
    kind = tuple[int, int, int, dict[str, dict[str, Posting]], dict[str, Values], bytes]
    first, extent, rows, words, values, ends = msgspec.msgpack.decode(bytes(cramjam.zstd.decompress(about)), type=kind)
    return Postings(first, extent, rows, words, values, _Mapped(sets, np.frombuffer(ends, dtype="<i8")))
