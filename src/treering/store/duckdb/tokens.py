"""The token index of a segment: which blocks of rows can hold a word.

A token is a run of letters, digits, underscores and bytes above 127 in any text column, in lower case. Per block of
rows the distinct tokens are hashed; the segment keeps the sorted 32-bit fingerprints, those of one block with its
number, those of several with a bitmap of blocks. For parts of tokens each block also has the set of its tokens'
trigrams. A fingerprint or trigram may stand for something else, so a block may be named in vain, but never left out.

Built with NumPy alone: prefix sums of a polynomial over all bytes of a block give every token's hash without a loop.
Texts beyond ASCII take a slower path through Python's own lower case and word rules, once per distinct token and block.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cramjam
import msgspec
import numpy as np

from treering.core.errors import DecodeError
from treering.store.duckdb.utf8 import Utf8Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from treering.stage.store import Tokens

    Bytes = NDArray[np.uint8]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Blocks = NDArray[np.bool_]

BLOCK_ROWS = 8192
_MAGIC = b"TRTI1\n"
_PRIME = 0x100000001B3  # odd, hence invertible modulo 2**64
_WORD = re.compile(r"\w+")
_ASCII_RUN = re.compile(r"[0-9a-z_]{3,}")
_WIDE = 0x2E80  # from here on scripts are written without spaces: every character is a token too

_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[65:91] += 32
_IS_TOKEN = np.zeros(256, np.bool_)
_IS_TOKEN[[*range(48, 58), *range(65, 91), *range(97, 123), 95, *range(128, 256)]] = True
_CODE = np.full(256, 37, np.uint16)  # 0-9, a-z, underscore; one code for everything else
_CODE[48:58] = np.arange(10)
_CODE[97:123] = np.arange(10, 36)
_CODE[95] = 36
_TRIGRAMS = 38**3


class _Header(msgspec.Struct, array_like=True):
    rows: int
    block_rows: int
    singles: int
    shared: int
    trigram_bytes: int


def _powers(count: int) -> tuple[Hashes, Hashes]:
    with np.errstate(over="ignore"):
        up = np.full(count, _PRIME, np.uint64)
        down = np.full(count, pow(_PRIME, -1, 1 << 64), np.uint64)
        up[0] = down[0] = 1
        return np.cumprod(up, dtype=np.uint64), np.cumprod(down, dtype=np.uint64)


def _mix(values: Hashes) -> Hashes:
    # The finaliser of MurmurHash3 (public domain, Austin Appleby): every input bit reaches the upper half.
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values = values * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def _hash(token: bytes) -> int:
    value, power = 0, 1
    for byte in token:
        value = (value + (byte + 1) * power) & 0xFFFFFFFFFFFFFFFF
        power = (power * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return int(_mix(np.array([value], np.uint64))[0])


def words(text: str) -> list[str]:
    """Return the tokens of `text` as the index holds them."""
    found: list[str] = []
    for word in _WORD.findall(text.lower().replace("ς", "σ")):
        found.extend(character for character in word if ord(character) >= _WIDE)
        if word.isascii() or not any(ord(character) >= _WIDE for character in word):
            found.append(word)
    return found


class _Builder:
    """Collects the distinct tokens and trigrams of each block."""

    def __init__(self) -> None:
        self.hashes: list[Hashes] = []
        self.trigrams: list[Bytes] = []
        self._up, self._down = _powers(1 << 16)

    def add(self, parts: Sequence[tuple[Bytes, Places]]) -> None:
        """Add one block: the bytes of its text columns and where their values start."""
        data = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, np.uint8)
        shifts = np.cumsum([0, *(len(part) for part, _ in parts)])
        values = np.concatenate([start + shift for (_, start), shift in zip(parts, shifts, strict=False)] or [shifts])
        starts, ends = _tokens(data, values)
        if not len(starts):
            self.hashes.append(np.zeros(0, np.uint64))
            self.trigrams.append(np.zeros(_TRIGRAMS // 8 + 1, np.uint8))
            return
        data = _LOWER[data]
        hashes = self._hash_all(data, starts, ends)
        hashes, starts, ends = _distinct(hashes, starts, ends)
        wide = _has_high(data, starts, ends)
        extra = [_hash(word.encode()) for token in _texts(data, starts[wide], ends[wide]) for word in words(token)]
        narrow = hashes[~wide]
        self.hashes.append(np.unique(np.concatenate([narrow, np.array(extra, np.uint64)])) if extra else narrow)
        self.trigrams.append(_trigram_set(data, starts, ends))

    def _hash_all(self, data: Bytes, starts: Places, ends: Places) -> Hashes:
        if len(data) >= len(self._up):
            self._up, self._down = _powers(1 << len(data).bit_length())
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum((data.astype(np.uint64) + np.uint64(1)) * self._up[: len(data)], out=sums[1:])
        return _mix((sums[ends] - sums[starts]) * self._down[starts])


def _tokens(data: Bytes, values: Places) -> tuple[Places, Places]:
    mask = _IS_TOKEN[data]
    before = np.empty_like(mask)
    before[:1], before[1:] = False, mask[:-1]
    values = values[values < len(data)]
    before[values] = False
    after = np.empty_like(mask)
    after[-1:], after[:-1] = False, mask[1:]
    after[values[values > 0] - 1] = False
    return np.flatnonzero(mask & ~before), np.flatnonzero(mask & ~after) + 1


def _distinct(hashes: Hashes, starts: Places, ends: Places) -> tuple[Hashes, Places, Places]:
    # Sorting numbers is several times faster than sorting with an index: the index rides in the low bits, and the
    # full hashes are compared afterwards.
    bits = np.uint64(max(1, int(len(hashes) - 1).bit_length()))
    low = (np.uint64(1) << bits) - np.uint64(1)
    order = (np.sort((hashes & ~low) | np.arange(len(hashes), dtype=np.uint64)) & low).astype(np.int64)
    full = hashes[order]
    order = order[np.concatenate([[True], full[1:] != full[:-1]])]
    return hashes[order], starts[order], ends[order]


def _has_high(data: Bytes, starts: Places, ends: Places) -> Blocks:
    if not (data > 127).any():
        return np.zeros(len(starts), np.bool_)
    counts = np.zeros(len(data) + 1, np.int64)
    np.cumsum(data > 127, out=counts[1:])
    return np.asarray(counts[ends] > counts[starts])


def _texts(data: Bytes, starts: Places, ends: Places) -> Iterable[str]:
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield data[start:end].tobytes().decode("utf-8", "replace")


def _trigram_set(data: Bytes, starts: Places, ends: Places) -> Bytes:
    long = ends - starts >= 3
    starts, counts = starts[long], ends[long] - starts[long] - 2
    present = np.zeros((_TRIGRAMS // 8 + 1) * 8, np.bool_)
    if len(starts):
        firsts = np.cumsum(counts) - counts
        places = np.repeat(starts - firsts, counts) + np.arange(int(counts.sum()))
        codes = _CODE[data].astype(np.uint32)
        present[codes[places] * 1444 + codes[places + 1] * 38 + codes[places + 2]] = True
    return np.packbits(present, bitorder="little")


def build(columns: Sequence[Any], rows: int, block_rows: int = BLOCK_ROWS) -> bytes:
    """Return the index of a segment: `columns` are its Arrow text arrays, each of `rows` values."""
    texts = [Utf8Column(column) for column in columns]
    builder = _Builder()
    for first in range(0, rows, block_rows):
        builder.add([text.rows(first, min(first + block_rows, rows)) for text in texts])
    return _encode(builder, rows, block_rows)


def _encode(builder: _Builder, rows: int, block_rows: int) -> bytes:
    count = len(builder.hashes)
    none = np.zeros(0, np.uint64)
    prints = np.concatenate([none, *(found >> np.uint64(32) for found in builder.hashes)])
    owners = np.repeat(np.arange(count, dtype=np.uint64), [len(found) for found in builder.hashes])
    entries = np.unique((prints << np.uint64(32)) | owners)
    prints, owners = (entries >> np.uint64(32)).astype(np.uint32), (entries & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    new = np.concatenate([[True], prints[1:] != prints[:-1]]) if len(prints) else np.zeros(0, np.bool_)
    group = np.cumsum(new) - 1
    single = np.bincount(group, minlength=0) == 1 if len(prints) else np.zeros(0, np.bool_)
    alone = single[group] if len(prints) else np.zeros(0, np.bool_)
    bitmaps = np.zeros((int((~single).sum()), (count + 7) // 8), np.uint8)
    rank = np.cumsum(~single) - 1
    many = ~alone
    np.bitwise_or.at(
        bitmaps, (rank[group[many]], owners[many] >> 3), np.left_shift(1, owners[many] & 7).astype(np.uint8)
    )
    trigrams = bytes(cramjam.zstd.compress(b"".join(part.tobytes() for part in builder.trigrams), 3))
    header = _Header(rows, block_rows, int(alone.sum()), int((~single).sum()), len(trigrams))
    encoded = msgspec.msgpack.encode(header)
    owner_type = np.uint8 if count <= 256 else np.uint32
    parts = [prints[alone], owners[alone].astype(owner_type), prints[new & many], bitmaps]
    body = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return _MAGIC + len(encoded).to_bytes(4, "little") + encoded + body + trigrams


class TokenIndex:
    """A segment's index, read from bytes or a memory map."""

    def __init__(self, buffer: bytes | memoryview) -> None:
        """Read the index in `buffer`. Raises `DecodeError` when it is not one."""
        view = memoryview(buffer)
        if bytes(view[: len(_MAGIC)]) != _MAGIC:
            raise DecodeError("not a token index")
        start = len(_MAGIC) + 4
        end = start + int.from_bytes(view[start - 4 : start], "little")
        try:
            self.header = msgspec.msgpack.decode(view[start:end], type=_Header)
            self._read(view, end)
        except (msgspec.MsgspecError, ValueError) as error:
            raise DecodeError(f"damaged token index: {error}") from error

    def _read(self, view: memoryview, at: int) -> None:
        header = self.header
        self.count = -(-header.rows // header.block_rows)
        owner_type = np.dtype(np.uint8 if self.count <= 256 else np.uint32)
        width = (self.count + 7) // 8

        def take(kind: Any, count: int) -> Any:
            nonlocal at
            part = np.frombuffer(view, kind, count, at)
            at += part.nbytes
            return part

        self._single_prints = take(np.uint32, header.singles)
        self._single_owners = take(owner_type, header.singles)
        self._shared_prints = take(np.uint32, header.shared)
        self._bitmaps = take(np.uint8, header.shared * width).reshape(header.shared, width)
        self._packed_trigrams = view[at : at + header.trigram_bytes]
        if len(self._packed_trigrams) != header.trigram_bytes:
            raise ValueError("cut short")
        self._trigrams: Bytes | None = None

    def blocks(self, wanted: Tokens) -> Blocks:
        """Return for each block whether a row in it may satisfy `wanted`."""
        if wanted.op in {"and", "or"}:
            found = np.full(self.count, wanted.op == "and")
            for part in wanted.parts:
                found = found & self.blocks(part) if wanted.op == "and" else found | self.blocks(part)
            return found
        found = np.ones(self.count, np.bool_)
        if wanted.op == "token":
            for word in words(wanted.text):
                found &= self._word(word)
        else:
            for run in _ASCII_RUN.findall(wanted.text.lower()):
                found &= self._part(run)
        return found

    def _word(self, word: str) -> Blocks:
        fingerprint = np.uint32(_hash(word.encode()) >> 32)
        found = np.zeros(self.count, np.bool_)
        first, last = (int(np.searchsorted(self._single_prints, fingerprint, side)) for side in ("left", "right"))
        found[self._single_owners[first:last]] = True
        place = int(np.searchsorted(self._shared_prints, fingerprint))
        if place < len(self._shared_prints) and self._shared_prints[place] == fingerprint:
            found |= np.unpackbits(self._bitmaps[place], count=self.count, bitorder="little").astype(np.bool_)
        return found

    def _part(self, run: str) -> Blocks:
        if self._trigrams is None:
            raw = bytes(cramjam.zstd.decompress(self._packed_trigrams))
            self._trigrams = np.frombuffer(raw, np.uint8).reshape(self.count, -1)
        codes = _CODE[np.frombuffer(run.encode(), np.uint8)].astype(np.int64)
        grams = codes[:-2] * 1444 + codes[1:-1] * 38 + codes[2:]
        bits = (self._trigrams[:, grams >> 3] >> (grams & 7).astype(np.uint8)) & 1
        return np.asarray(bits.all(axis=1))
