"""What is known of a collection: its documents, what is new, groups of like texts, words, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import msgspec

from treering.detect._recent import recent
from treering.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.detect._corpora import Shown
    from treering.model.rows import Rows

K = TypeVar("K")
V = TypeVar("V")
_BITS, _OTHER, _LATELY = 1 << 17, 0x9E3779B9, 0.02
MOST_COLLECTIONS, MOST_DOCUMENTS, MOST_SOURCES = 16, 600, 100
MOST_GROUPS, MOST_ASKED, MOST_PHRASES = 100, 16, 500
MOST_QUERIES, MOST_SHOWN = 32, 8
_SHOWN = 80


class Reference(msgspec.Struct, array_like=True):
    """A record that shows something: where it is, and the beginning of what it says."""

    stream: str
    seq: int
    time_ns: int
    field: str
    text: str
    trace: str = ""

    def evidence(self) -> Evidence:
        """Return it as evidence."""
        return Evidence(self.stream, self.seq, self.time_ns, self.field, self.text, trace_id=self.trace)


def reference(rows: Rows, item: Shown, trace: str) -> Reference:
    """Return the record of `item` as a reference."""
    seq, at_ns = int(rows.seqs[item.row]), int(rows.times[item.row])
    return Reference(rows.stream, seq, at_ns, item.field, f"{item.id}: {item.text[:_SHOWN]}", trace)


def kept(shown: list[Reference], new: Reference) -> list[Reference]:
    """Return references with one more: the oldest half and the newest stay."""
    if len(shown) < MOST_SHOWN:
        return [*shown, new]
    half = MOST_SHOWN // 2
    return [*shown[:half], *shown[half + 1 :], new]


class Document(msgspec.Struct, array_like=True):
    """A document: when it was first seen, whether the collection was known then, how often it was retrieved."""

    first_ns: int
    new: bool = False
    events: int = 0
    since: int = 0
    """How many questions the collection had been asked when it was first seen."""
    source: str = ""
    told: int = 0


class Group(msgspec.Struct, array_like=True):
    """Texts that are nearly the same: the sketch of the first, how many documents and since when, some records."""

    sketch: list[int]
    first_ns: int
    documents: int = 0
    sources: list[str] = []
    shown: list[Reference] = []
    told: int = 0


class Asked(msgspec.Struct, array_like=True):
    """The questions for which a new document was retrieved: the words of each, by hash, and who asked."""

    queries: list[list[int]] = []
    who: list[str] = []
    shown: list[Reference] = []


class Phrase(msgspec.Struct, array_like=True):
    """A run of words with a rare one: the new documents that have it, of nearly equal ones the group."""

    documents: list[str]
    text: str
    first_ns: int
    shown: list[Reference] = []
    told: bool = False


class Source(msgspec.Struct, array_like=True):
    """Where documents come from: when it was first seen, how many documents, how often they were retrieved."""

    first_ns: int
    new: bool = False
    documents: int = 0
    events: int = 0
    since: int = 0
    told: bool = False
    shown: list[Reference] = []


class Collection(msgspec.Struct):
    """All that is known of one collection."""

    first_ns: int
    events: int = 0
    fresh: float = 1.0
    """Which share of the documents retrieved lately had not been seen before, weighted by age."""
    texts: int = 0
    like: int = 0
    """Documents that were nearly the same as an earlier one, of `texts`."""
    documents: dict[str, Document] = {}
    groups: dict[str, Group] = {}
    bands: dict[int, str] = {}
    asked: dict[str, Asked] = {}
    phrases: dict[int, Phrase] = {}
    sources: dict[str, Source] = {}
    words: bytearray = msgspec.field(default_factory=lambda: bytearray(_BITS // 8))

    def retrieved(self, fresh: bool) -> None:
        """Note that a document was retrieved."""
        self.fresh += _LATELY * (fresh - self.fresh)

    def knows(self, word: str) -> bool:
        """Whether an earlier document may have the word (a Bloom filter of two functions)."""
        return all(self.words[place >> 3] >> (place & 7) & 1 for place in _places(word))

    def learn(self, spoken: Iterable[str]) -> None:
        """Note the words of a document."""
        for word in set(spoken):
            for place in _places(word):
                self.words[place >> 3] |= 1 << (place & 7)

    def forget(self) -> None:
        """Let those of each kind go that were met least lately."""
        _bound(self.documents, MOST_DOCUMENTS)
        _bound(self.groups, MOST_GROUPS)
        _bound(self.bands, MOST_GROUPS * 8)
        _bound(self.asked, MOST_ASKED)
        _bound(self.phrases, MOST_PHRASES)
        _bound(self.sources, MOST_SOURCES)


def _bound(held: dict[K, V], most: int) -> None:
    while len(held) > most:
        del held[next(iter(held))]


def _places(word: str) -> tuple[int, int]:
    raw = word.encode("utf-8", "surrogatepass")
    return crc32(raw) % _BITS, crc32(raw, _OTHER) % _BITS


class State(msgspec.Struct):
    """All collections; the one that was quiet longest goes first."""

    collections: dict[str, Collection] = {}
    told: dict[str, None] = {}

    def of(self, name: str, at_ns: int) -> Collection:
        """Return the collection called `name`."""
        return recent(self.collections, name, MOST_COLLECTIONS, Collection, at_ns)
