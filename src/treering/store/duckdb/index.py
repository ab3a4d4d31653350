"""The file of a token index: written once, read a few pages at a time.

Exact tokens are found by the upper 32 bits of their hash: sorted, the first 16 bits as counts per value, the others as
an array. Each points to one block and column, or to a row of a table of sets of both. Parts of tokens are found in a
compressed list of the texts. Tokens that look like identifiers may be left out of that list when they are many; then
the blocks that hold such tokens stay in every answer about parts of tokens that could be in one. Of words that many
rows have, their number is told.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cramjam
import msgspec
import numpy as np

from treering.store.duckdb import postings
from treering.store.duckdb.cache import Cache
from treering.store.duckdb.hits import ALL_COLUMNS, BITS, NOWHERE, Found, Hits
from treering.store.duckdb.postings import Postings
from treering.store.duckdb.tokens import LONGEST, Vocabulary, hash_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = b"treering tokens2"
_OLDER = b"treering tokens1"
_BUCKETS = 1 << 16
_PLAIN_BELOW = 32_768
# Identifiers take more room in the list of texts than searching for parts of them is worth.
_IDENTIFIER = 12
_HEX_IDENTIFIER = 8
_IDENTIFIER_BYTES_PER_ROW = 6
_HEX = frozenset(b"0123456789abcdef")
# Counts that are kept: of words in this share of the rows, and so many of the most frequent ones.
_COUNTED_SHARE, _MOST_COUNTED = 4096, 8192
# Tokens with a part that are told one by one.
_MOST_FOUND = 128
_MIX = 0x6A09E667F3BCC909


class Outdated(ValueError):  # noqa: N818  it says what the file is
    """The file is a token index of an earlier form."""


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """In how many rows a word stands by physical column; `sole` when it is in no other column."""

    rows: dict[str, int]
    sole: bool


class Header(msgspec.Struct, frozen=True):
    """Where the sections are: name to offset and length in bytes; `width` is the size of a posting.

    A set of blocks has `words` 64-bit words; another one for the columns comes after it.
    """

    blocks: int
    words: int
    tokens: int
    width: int
    sections: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Content:
    """An index in memory. `masks` and `listed_masks` have a row of 64-bit words for each token, its columns last.

    `prints` are sorted; `listed` are texts in the order of their first eight bytes, newlines before and after each;
    `tallies` are of words that many rows have, `postings` say which rows those are.
    """

    prints: Any
    masks: Any
    listed: bytes
    listed_masks: Any
    special: Any
    first_seqs: Any
    rows: Any
    tallies: dict[str, Tally]
    postings: Postings


KINDS = LONG, HEX, MIXED, DIGITS = range(4)


def content(vocabulary: Vocabulary) -> Content:
    """Return the index of a segment's vocabulary."""
    found = vocabulary.found
    tokens, masks = found.tokens(), found.masks()
    special = np.zeros((len(KINDS), found.words + 1), dtype=np.uint64)
    special[LONG] = found.longer()
    lengths, digits = tokens["length"], tokens["digits"]
    hexes = tokens["hexes"] == lengths
    listed = np.ones(len(tokens), dtype=bool)
    budget = _IDENTIFIER_BYTES_PER_ROW * int(vocabulary.rows.sum())
    for kind, chosen in (
        (HEX, hexes & (lengths >= _HEX_IDENTIFIER) & (digits > 0) & (digits < lengths)),
        (DIGITS, (digits == lengths) & (lengths >= _HEX_IDENTIFIER)),
        (MIXED, ~hexes & (lengths >= _IDENTIFIER) & (digits > 2)),
    ):
        if int(lengths[chosen].sum(dtype=np.int64)) > budget:
            listed &= ~chosen
            special[kind] = np.bitwise_or.reduce(masks[chosen], axis=0)
    places = np.flatnonzero(listed)
    places = places[np.argsort(tokens["order"][places])]
    lines = found.lines(places, int(lengths[places].sum(dtype=np.int64)))
    prints, order = sorted_prints((tokens["hash"] >> np.uint64(32)).astype(np.uint32))
    sets, listed_sets = masks[order], masks[places]
    tallies = _tallies(vocabulary)
    return Content(
        prints, sets, lines, listed_sets, special, vocabulary.first_seqs, vocabulary.rows, tallies, vocabulary.postings
    )


def _tallies(vocabulary: Vocabulary) -> dict[str, Tally]:
    """Return the counts of the words that are in the most rows."""
    found = vocabulary.found
    tallies = found.tallies()
    tallies = tallies[tallies["rows"] >= int(vocabulary.rows.sum()) // _COUNTED_SHARE]
    tallies = tallies[np.argsort(-tallies["rows"].astype(np.int64), kind="stable")[:_MOST_COUNTED]]
    places, back = np.unique(tallies["token"], return_inverse=True)
    tokens = found.tokens()[places]
    lines = found.lines(places, int(tokens["length"].sum(dtype=np.int64))).decode("ascii").split("\n")[1:-1]
    rows: list[dict[str, int]] = [{} for _ in lines]
    for place, column, count in zip(back.tolist(), tallies["column"].tolist(), tallies["rows"].tolist(), strict=True):
        rows[place][vocabulary.columns[column]] = count
    return {text: Tally(held, not many) for text, held, many in zip(lines, rows, tokens["many"].tolist(), strict=True)}


def sorted_prints(prints: Any) -> tuple[Any, Any]:
    """Return fingerprints in order, and where each was."""
    # Sorting numbers that carry their place in the low bits is several times faster than argsort.
    both = (prints.astype(np.uint64) << np.uint64(32)) | np.arange(len(prints), dtype=np.uint64)
    both.sort()
    return (both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32)


def pack(held: Content) -> bytes:
    """Return the bytes of an index file."""
    blocks, words = len(held.rows), held.special.shape[1] - 1
    table, posts, listed_posts = _postings(held, blocks)
    width = np.uint16 if blocks * BITS + len(table) < 1 << 16 else np.uint32
    sections: dict[str, bytes] = {
        "first_seqs": held.first_seqs.astype("<i8").tobytes(),
        "rows": held.rows.astype("<i8").tobytes(),
        "special": held.special.tobytes(),
        "table": table.tobytes(),
        "posts": posts.astype(width).tobytes(),
        "listed": bytes(cramjam.zstd.compress(held.listed, 3)),
        "listed_posts": bytes(cramjam.zstd.compress(listed_posts.astype(width).tobytes(), 1)),
        "tallies": bytes(cramjam.zstd.compress(msgspec.msgpack.encode(held.tallies), 3)),
        **postings.dumped(held.postings),
    }
    if len(held.prints) < _PLAIN_BELOW:
        sections["prints"] = held.prints.astype("<u4").tobytes()
    else:
        counts = np.bincount(held.prints >> np.uint32(16), minlength=_BUCKETS)
        sections["counts"] = counts.astype(np.uint8 if counts.max() < 256 else np.uint32).tobytes()
        sections["lower"] = (held.prints & np.uint32(0xFFFF)).astype("<u2").tobytes()
    return _laid_out(Header(blocks, words, len(held.prints), np.dtype(width).itemsize, {}), sections)


def _laid_out(header: Header, sections: dict[str, bytes]) -> bytes:
    offset, places, body = 4096, {}, bytearray()
    for name, data in sections.items():
        places[name] = (offset + len(body), len(data))
        body += data + bytes(-len(data) % 8)
    head = msgspec.msgpack.encode(msgspec.structs.replace(header, sections=places))
    start = MAGIC + len(head).to_bytes(8, "little") + head
    return start.ljust(offset, b"\0") + bytes(body)


def _postings(held: Content, blocks: int) -> tuple[Any, Any, Any]:
    """Return the table of sets, and for each token its block and column, or `blocks` * 64 plus its row in the table."""
    both = np.concatenate((held.masks, held.listed_masks))
    columns = both[:, -1]
    single = (np.bitwise_count(both[:, :-1]).sum(axis=1) == 1) & (np.bitwise_count(columns) == 1)
    posts = np.zeros(len(both), dtype=np.int64)
    for word in range(both.shape[1] - 1):
        bits = both[:, word]
        here = single & (bits != 0)
        posts[here] = BITS * (BITS * word + _place(bits[here])) + _place(columns[here])
    several = both[~single]
    first, back = _alike(several)
    posts[~single] = BITS * blocks + back
    return several[first], posts[: len(held.masks)], posts[len(held.masks) :]


def _place(bits: Any) -> Any:
    """Return which bit is set in numbers with one."""
    return np.bitwise_count(bits - np.uint64(1)).astype(np.int64)


def _alike(sets: Any) -> tuple[Any, Any]:
    """Return where each distinct row of `sets` stands first, and for each row which of those it is."""
    # Told apart by a hash of 64 bits, as tokens are: sorting whole rows takes ten times as long.
    key = np.zeros(len(sets), dtype=np.uint64)
    for word in range(sets.shape[1]):
        key = (key ^ sets[:, word]) * np.uint64(_MIX)
        key ^= key >> np.uint64(29)
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    return first, back.reshape(-1)


def _hits(row: Any) -> Hits:
    return Hits(int.from_bytes(row[:-1].tobytes(), "little"), int(row[-1]))


class Index:
    """An index file, mapped into memory."""

    def __init__(self, path: Path, cache: Cache | None = None) -> None:
        """Open the file; `cache` is shared with others.

        Raises `OSError` or `ValueError` when it is not one, `Outdated` when it is an old one.
        """
        # A plain view of the mapped file: slices of `memmap` cost several times as much.
        self._data = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
        start = len(MAGIC) + 8
        magic = bytes(self._data[: len(MAGIC)])
        if magic == _OLDER:
            raise Outdated(f"{path} is a token index of an earlier form")
        if magic != MAGIC:
            raise ValueError(f"{path} is no token index")
        size = int.from_bytes(bytes(self._data[len(MAGIC) : start]), "little")
        self.header = msgspec.msgpack.decode(bytes(self._data[start : start + size]), type=Header)
        self.first_seqs = self._section("first_seqs", "<i8")
        self.rows = self._section("rows", "<i8")
        self.full = (1 << self.header.blocks) - 1
        words = self.header.words
        special = self._section("special", "<u8").reshape(-1, words + 1)
        # Files of before numbers were a kind of their own have them among the hexadecimal ones.
        self.special = special if len(special) > DIGITS else np.concatenate((special, special[HEX : HEX + 1]))
        self._table = self._section("table", "<u8").reshape(-1, words + 1)
        self._posts = self._section("posts", f"<u{self.header.width}")
        self._cache = cache or Cache(0)
        self._tallies: dict[str, Tally] | None = None
        self._postings: Postings | None = None
        self._plain = "prints" in self.header.sections
        if self._plain:
            self._prints = self._section("prints", "<u4")
        else:
            size = self.header.sections["counts"][1] // _BUCKETS
            self._counts = self._section("counts", f"<u{size}")
            self._groups = np.concatenate(([0], np.cumsum(self._counts.reshape(256, 256).sum(axis=1, dtype=np.int64))))
            self._lower = self._section("lower", "<u2")

    def _section(self, name: str, kind: str) -> Any:
        offset, length = self.header.sections[name]
        return self._data[offset : offset + length].view(kind)

    def _sets(self, post: int) -> Hits:
        block, column = divmod(post, BITS)
        if block < self.header.blocks:
            return Hits(1 << block, 1 << column)
        return _hits(self._table[post - self.header.blocks * BITS])

    def token(self, print_: int) -> Hits:
        """Return where the token with this fingerprint may be."""
        if self._plain:
            low, high = np.searchsorted(self._prints, np.array([print_, print_ + 1], dtype=np.int64))
            places = list(range(int(low), int(high)))
        else:
            bucket = print_ >> 16
            group = bucket & ~0xFF
            first = int(self._groups[bucket >> 8]) + int(self._counts[group:bucket].sum(dtype=np.int64))
            inside = self._lower[first : first + int(self._counts[bucket])]
            places = (np.flatnonzero(inside == (print_ & 0xFFFF)) + first).tolist()
        found = NOWHERE
        for place in places:
            found |= self._sets(int(self._posts[place]))
        return found

    def found(self, text: bytes, *, prefix: bool) -> Found:
        """Return where a token that contains `text`, or begins with it, may be."""
        kinds = ([] if prefix else [LONG]) + [MIXED, *([HEX] if set(text) <= _HEX else [])]
        kinds += [DIGITS] if text.isdigit() else []
        return self._found(b"\n" + text if prefix else text, kinds)

    def formed(self, form: bytes) -> Found:
        """Return where a token may be that has a form: each `#` in it stands for one or more digits."""
        first, *others = parts = form.split(b"#")
        needle = b"\n" + first if len(first) >= max(map(len, others), default=0) else max(others, key=len)
        texts = b"".join(parts)
        kinds = [LONG, DIGITS if texts.isdigit() else HEX if set(texts) <= _HEX else MIXED]
        return self._found(needle, kinds, re.compile(b"[0-9]+".join(map(re.escape, parts))))

    def _found(self, needle: bytes, kinds: Sequence[int], form: re.Pattern[bytes] | None = None) -> Found:
        """Return the listed tokens of a form with `needle`, and the places of those `kinds` that are not listed."""
        hidden = [hits for kind in kinds if (hits := _hits(self.special[kind])).blocks]
        covered = functools.reduce(lambda blocks, hits: blocks | hits.blocks, hidden, 0)
        tokens: list[tuple[str, Hits]] = []
        others, counted, place = NOWHERE, 0, -1
        listed, posts = self._listed("listed"), None
        position = listed.find(needle)
        while position >= 0:
            inside = position + needle.startswith(b"\n")
            begin, end = listed.rfind(b"\n", 0, inside) + 1, listed.find(b"\n", inside)
            if form is None or form.fullmatch(listed, begin, end):
                if posts is None:
                    posts = np.frombuffer(self._listed("listed_posts"), dtype=f"<u{self.header.width}")
                place += listed.count(b"\n", counted, begin)
                counted = begin
                hits = self._sets(int(posts[place]))
                if len(tokens) < _MOST_FOUND:
                    tokens.append((listed[begin:end].decode("utf-8", "replace"), hits))
                elif covered | others.blocks == self.full:
                    others = Hits(self.full, ALL_COLUMNS)
                    break
                else:
                    others |= hits
            position = listed.find(needle, end)
        return Found((*hidden, others) if others.blocks else tuple(hidden), tokens)

    def _listed(self, name: str) -> bytes:
        return self._cache.get((self, name), lambda: self._unpacked(name), len)

    def tally(self, word: str) -> Tally | None:
        """Return in how many rows `word` stands, where that is known."""
        if self._tallies is None:
            self._tallies = msgspec.msgpack.decode(self._unpacked("tallies"), type=dict[str, Tally])
        return self._tallies.get(word)

    @property
    def postings(self) -> Postings:
        """The rows of values and common words; none in files of before there were any."""
        if self._postings is None:
            if "postings" in self.header.sections:
                (at, size), (first, length) = (self.header.sections[name] for name in ("postings", "rows_of"))
                about = self._data[at : at + size].tobytes()
                self._postings = postings.loaded(about, self._data[first : first + length])
            else:
                self._postings = Postings(int(self.first_seqs[0]), 0)
        return self._postings

    def _unpacked(self, name: str) -> bytes:
        offset, length = self.header.sections[name]
        return bytes(cramjam.zstd.decompress(self._data[offset : offset + length].tobytes()))

    def content(self) -> Content:
        """Return everything, to merge it with others."""
        posts = np.frombuffer(self._unpacked("listed_posts"), dtype=f"<u{self.header.width}")
        listed = self._unpacked("listed")
        if self._plain:
            prints = np.array(self._prints)
        else:
            upper = np.repeat(np.arange(_BUCKETS, dtype=np.uint32) << np.uint32(16), self._counts)
            prints = upper | self._lower
        masks = self._masks(self._posts)
        tallies: dict[str, Tally] = msgspec.msgpack.decode(self._unpacked("tallies"), type=dict[str, Tally])
        sets = self._masks(posts)
        return Content(prints, masks, listed, sets, self.special, self.first_seqs, self.rows, tallies, self.postings)

    def _masks(self, posts: Any) -> Any:
        blocks, words = self.header.blocks, self.header.words
        places = np.arange(blocks * BITS)
        block, column = places // BITS, places % BITS
        single = np.zeros((len(places), words + 1), dtype=np.uint64)
        single[places, block >> 6] = np.uint64(1) << (block & 63).astype(np.uint64)
        single[places, words] = np.uint64(1) << column.astype(np.uint64)
        return np.concatenate((single, self._table))[posts]


def fingerprint(token: bytes) -> int:
    """Return the fingerprint of a token, at most 64 bytes of which count."""
    return hash_of(token[:LONGEST]) >> 32
