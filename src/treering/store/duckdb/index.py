"""The file of a token index: written once, read a few pages at a time.

Exact tokens are found by the upper 32 bits of their hash: sorted, the first 16 bits as counts per value, the others as
an array. Each points to one block or to a row of a table of block sets. Parts of tokens are found in a compressed list
of the texts. Tokens that look like identifiers may be left out of that list when they are many; then the blocks that
hold such tokens stay in every answer about parts of tokens that could be in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cramjam
import msgspec
import numpy as np

from treering.store.duckdb.tokens import LONGEST, Vocabulary, hash_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = b"treering tokens1"
_BUCKETS = 1 << 16
_PLAIN_BELOW = 32_768
# Identifiers take more room in the list of texts than searching for parts of them is worth.
_IDENTIFIER = 12
_HEX_IDENTIFIER = 8
_IDENTIFIER_BYTES_PER_ROW = 6
_HEX = frozenset(b"0123456789abcdef")


class Header(msgspec.Struct, frozen=True):
    """Where the sections are: name to offset and length in bytes; `width` is the size of a posting."""

    blocks: int
    words: int
    tokens: int
    width: int
    sections: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Content:
    """An index in memory. `masks` and `listed_masks` have a row of 64-bit words for each token.

    `prints` are sorted; `listed` are texts in the order of their first eight bytes, newlines before and after each.
    """

    prints: Any
    masks: Any
    listed: bytes
    listed_masks: Any
    special: Any
    first_seqs: Any
    rows: Any


LONG, HEX, MIXED = range(3)


def content(vocabulary: Vocabulary) -> Content:
    """Return the index of a segment's vocabulary."""
    found = vocabulary.found
    tokens, masks = found.tokens(), found.masks()
    special = np.zeros((3, found.words), dtype=np.uint64)
    special[LONG] = found.longer()
    lengths, digits = tokens["length"], tokens["digits"]
    hexes = tokens["hexes"] == lengths
    listed = np.ones(len(tokens), dtype=bool)
    budget = _IDENTIFIER_BYTES_PER_ROW * int(vocabulary.rows.sum())
    for kind, chosen in (
        (HEX, hexes & (lengths >= _HEX_IDENTIFIER) & (digits > 0)),
        (MIXED, ~hexes & (lengths >= _IDENTIFIER) & (digits > 2)),
    ):
        if int(lengths[chosen].sum(dtype=np.int64)) > budget:
            listed &= ~chosen
            special[kind] = np.bitwise_or.reduce(masks[chosen], axis=0)
    places = np.flatnonzero(listed)
    places = places[np.argsort(tokens["order"][places])]
    lines = found.lines(places, int(lengths[places].sum(dtype=np.int64)))
    prints, order = _sorted((tokens["hash"] >> np.uint64(32)).astype(np.uint32))
    return Content(prints, masks[order], lines, masks[places], special, vocabulary.first_seqs, vocabulary.rows)


def _sorted(prints: Any) -> tuple[Any, Any]:
    """Return fingerprints in order, and where each was."""
    # Sorting numbers that carry their place in the low bits is several times faster than argsort.
    both = (prints.astype(np.uint64) << np.uint64(32)) | np.arange(len(prints), dtype=np.uint64)
    both.sort()
    return (both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32)


def pack(held: Content) -> bytes:
    """Return the bytes of an index file."""
    blocks, words = len(held.rows), held.special.shape[1]
    table, posts, listed_posts = _postings(held, blocks)
    width = np.uint16 if blocks + len(table) < 1 << 16 else np.uint32
    sections: dict[str, bytes] = {
        "first_seqs": held.first_seqs.astype("<i8").tobytes(),
        "rows": held.rows.astype("<i8").tobytes(),
        "special": held.special.tobytes(),
        "table": table.tobytes(),
        "posts": posts.astype(width).tobytes(),
        "listed": bytes(cramjam.zstd.compress(held.listed, 3)),
        "listed_posts": bytes(cramjam.zstd.compress(listed_posts.astype(width).tobytes(), 1)),
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
    """Return the table of block sets, and for each token its block, or `blocks` plus its row in the table."""
    both = np.concatenate((held.masks, held.listed_masks))
    counts = np.bitwise_count(both).sum(axis=1)
    single = counts == 1
    posts = np.zeros(len(both), dtype=np.int64)
    for word in range(both.shape[1]):
        bits = both[:, word]
        here = single & (bits != 0)
        posts[here] = 64 * word + np.bitwise_count(bits[here] - np.uint64(1)).astype(np.int64)
    several = both[~single]
    if several.shape[1] == 1:
        table, back = np.unique(several[:, 0], return_inverse=True)
    else:
        table, back = np.unique(several, axis=0, return_inverse=True)
    posts[~single] = blocks + back.reshape(-1)
    return table, posts[: len(held.masks)], posts[len(held.masks) :]


class Index:
    """An index file, mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises `OSError` or `ValueError` when it is not one."""
        self._data = np.memmap(path, dtype=np.uint8, mode="r")
        start = len(MAGIC) + 8
        if bytes(self._data[: len(MAGIC)]) != MAGIC:
            raise ValueError(f"{path} is no token index")
        size = int.from_bytes(bytes(self._data[len(MAGIC) : start]), "little")
        self.header = msgspec.msgpack.decode(bytes(self._data[start : start + size]), type=Header)
        self.first_seqs = self._section("first_seqs", "<i8")
        self.rows = self._section("rows", "<i8")
        self.full = (1 << self.header.blocks) - 1
        words = self.header.words
        self.special = self._section("special", "<u8").reshape(3, words)
        self._table = self._section("table", "<u8").reshape(-1, words)
        self._posts = self._section("posts", f"<u{self.header.width}")
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

    def _blocks(self, post: int) -> int:
        if post < self.header.blocks:
            return 1 << post
        return int.from_bytes(self._table[post - self.header.blocks].tobytes(), "little")

    def token(self, print_: int) -> int:
        """Return the blocks (as bits) that may hold the token with this fingerprint."""
        if self._plain:
            low, high = np.searchsorted(self._prints, np.array([print_, print_ + 1], dtype=np.int64))
            places = list(range(int(low), int(high)))
        else:
            bucket = print_ >> 16
            group = bucket & ~0xFF
            first = int(self._groups[bucket >> 8]) + int(self._counts[group:bucket].sum(dtype=np.int64))
            inside = self._lower[first : first + int(self._counts[bucket])]
            places = (np.flatnonzero(inside == (print_ & 0xFFFF)) + first).tolist()
        found = 0
        for place in places:
            found |= self._blocks(int(self._posts[place]))
        return found

    def part(self, text: bytes, *, prefix: bool) -> int:
        """Return the blocks (as bits) that may hold a token that contains `text`, or begins with it."""
        found = 0 if prefix else self._special(LONG)
        found |= self._special(MIXED)
        if set(text) <= _HEX:
            found |= self._special(HEX)
        if found == self.full:
            return found
        listed = self._unpacked("listed")
        needle = b"\n" + text if prefix else text
        position = listed.find(needle)
        if position < 0:
            return found
        posts = np.frombuffer(self._unpacked("listed_posts"), dtype=f"<u{self.header.width}")
        ends = np.flatnonzero(np.frombuffer(listed, dtype=np.uint8) == 10)
        while position >= 0 and found != self.full:
            place = int(np.searchsorted(ends, position + prefix)) - 1
            found |= self._blocks(int(posts[place]))
            position = listed.find(needle, int(ends[place + 1]))
        return found

    def _special(self, kind: int) -> int:
        return int.from_bytes(self.special[kind].tobytes(), "little")

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
        return Content(prints, masks, listed, self._masks(posts), self.special, self.first_seqs, self.rows)

    def _masks(self, posts: Any) -> Any:
        blocks, words = self.header.blocks, self.header.words
        single = np.zeros((blocks, words), dtype=np.uint64)
        places = np.arange(blocks)
        single[places, places >> 6] = np.uint64(1) << (places & 63).astype(np.uint64)
        return np.concatenate((single, self._table))[posts]


def fingerprint(token: bytes) -> int:
    """Return the fingerprint of a token, at most 64 bytes of which count."""
    return hash_of(token[:LONGEST]) >> 32


def merged(parts: Sequence[Content], least_rows: int) -> Content:
    """Return the index of several segments one after another; blocks of fewer rows than `least_rows` are joined."""
    rows = np.concatenate([part.rows for part in parts])
    first_seqs = np.concatenate([part.first_seqs for part in parts])
    joined = np.zeros(len(rows), dtype=np.int64)
    block, size = 0, 0
    for place, count in enumerate(rows.tolist()):
        if place and size + count > least_rows:
            block, size = block + 1, 0
        joined[place] = block
        size += count
    new = np.flatnonzero(np.concatenate(([True], joined[1:] != joined[:-1])))
    words = -(-len(new) // 64)
    bases = np.cumsum([0, *(len(part.rows) for part in parts)])
    moves = [joined[base : base + len(part.rows)] for part, base in zip(parts, bases, strict=False)]
    prints, masks = _union(
        [(part.prints, _moved(part.masks, move, words)) for part, move in zip(parts, moves, strict=True)]
    )
    listed, listed_masks = _lists(
        [(part.listed, _moved(part.listed_masks, move, words)) for part, move in zip(parts, moves, strict=True)]
    )
    special = np.zeros((3, words), dtype=np.uint64)
    for part, move in zip(parts, moves, strict=True):
        special |= _moved(part.special, move, words)
    return Content(prints, masks, listed, listed_masks, special, first_seqs[new], np.add.reduceat(rows, new))


def _moved(masks: Any, move: Any, words: int) -> Any:
    """Return block sets with every block at its new place."""
    result = np.zeros((len(masks), words), dtype=np.uint64)
    if int(move[-1]) - int(move[0]) == len(move) - 1:
        up, by = divmod(int(move[0]), 64)
        for word in range(masks.shape[1]):
            if up + word < words:
                result[:, up + word] |= masks[:, word] << np.uint64(by)
            if by and up + word + 1 < words:
                result[:, up + word + 1] |= masks[:, word] >> np.uint64(64 - by)
        return result
    for old, new in enumerate(move.tolist()):
        bit = (masks[:, old >> 6] >> np.uint64(old & 63)) & np.uint64(1)
        result[:, new >> 6] |= bit << np.uint64(new & 63)
    return result


def _lists(parts: Sequence[tuple[bytes, Any]]) -> tuple[bytes, Any]:
    """Return the texts of several lists as one, and their block sets."""
    places: dict[bytes, int] = {}
    sources: list[int] = []
    for listed, masks in parts:
        sources += [places.setdefault(word, len(places)) for word in listed.split(b"\n")[1 : len(masks) + 1]]
    masks = np.concatenate([masks for _, masks in parts])
    joined = np.zeros((len(places), masks.shape[1]), dtype=np.uint64)
    np.bitwise_or.at(joined, np.array(sources, dtype=np.int64), masks)
    words = list(places)
    first = [int.from_bytes(word[:8].ljust(8, b"\0"), "big") for word in words]
    order = np.argsort(np.array(first, dtype=np.uint64))
    return b"\n".join([b"", *(words[place] for place in order.tolist()), b""]), joined[order]


def _union(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    prints = np.concatenate([prints for prints, _ in parts])
    masks = np.concatenate([masks for _, masks in parts])
    prints, order = _sorted(prints)
    masks = masks[order]
    if not len(prints):
        return prints, masks
    new = np.flatnonzero(np.concatenate(([True], prints[1:] != prints[:-1])))
    return prints[new], np.bitwise_or.reduceat(masks, new, axis=0)
