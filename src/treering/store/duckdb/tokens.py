"""Which words are in which block of rows: the token index of a segment, built with NumPy.

A token is a run of ASCII letters, digits and underscores, or of letters beyond ASCII, folded to lower case and cut at
64 bytes; from U+3000 on, where scripts do without spaces, each letter is one. All columns of text are indexed as one:
which blocks (of 2048 rows) hold a token in any of them. Values that repeat within a block are split only once.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import REST, SEQUENCE, Kind
from treering.store.duckdb import arrow
from treering.store.duckdb.text import Texts, fold, from_arrow, from_strings, gathered, strings_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arro3.core import Table

BLOCK_ROWS = 2048
LONGEST = 64
_COMPARED = 256
_PIECE_BYTES = 1 << 23
_SPACELESS = 0xE3  # the first byte of U+3000 and all above

_word = np.zeros(256, dtype=np.uint8)
for _byte in (*string.ascii_lowercase, *string.digits, "_"):
    _word[ord(_byte)] = ord(_byte)
for _byte in string.ascii_uppercase:
    _word[ord(_byte)] = ord(_byte.lower())
_word[128:] = np.arange(128, 256)
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
# Odd numbers without structure: the fractional digits of square roots of primes (as in SHA-512, FIPS 180-4).
_K = np.array([0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1], dtype=np.uint64)


def hashes(data: Any, starts: Any, lengths: Any) -> Any:
    """Return a 64-bit hash of each piece of `data`, which must go on for 8 bytes after the last piece."""
    words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
    value = lengths.astype(np.uint64) * _K[3]
    places = np.arange(len(starts))
    left, at = lengths, starts
    while len(places):
        word = words[at] & _MASKS[np.minimum(left, 8)]
        mixed = (value[places] ^ word) * _K[0]
        value[places] = mixed ^ (mixed >> np.uint64(32))
        more = left > 8
        places, at, left = places[more], at[more] + 8, left[more] - 8
    value *= _K[1]
    return value ^ (value >> np.uint64(29))


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Distinct pairs of token and block: hash, block, and where the token's text is."""

    hash: Any
    block: Any
    data: Any
    starts: Any
    lengths: Any


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All tokens of a segment by hash: their texts one after another and the blocks they are in, as bits.

    `masks` has a row of 64-bit words for each token; `long` is such a row for the blocks that hold a longer token.
    """

    hash: Any
    texts: Texts
    masks: Any
    long: Any
    first_seqs: Any
    rows: Any


def build(table: Table) -> Vocabulary:
    """Return the tokens of a table of rows in `_seq` order."""
    seqs = arrow.integers(table.column(SEQUENCE))
    count = len(seqs)
    blocks = -(-count // BLOCK_ROWS)
    words = -(-blocks // 64)
    long = np.zeros(words, dtype=np.uint64)
    found = [part for texts, rows in _columns(table) for part in _column(texts, rows, long)]
    rows_of = np.minimum(BLOCK_ROWS, count - np.arange(blocks) * BLOCK_ROWS)
    return _joined(found, words, long, seqs[::BLOCK_ROWS].copy(), rows_of.astype(np.int64))


def _columns(table: Table) -> Iterator[tuple[Texts, Any]]:
    """Yield the values of each column of text with the rows they are in."""
    everything = np.arange(table.num_rows)
    for name in table.schema.names:
        if name == REST or name.endswith(f":{Kind.JSON.value}"):
            yield _json(table.column(name).combine_chunks())
        elif name.endswith(f":{Kind.STRING.value}"):
            texts = from_arrow(table.column(name).combine_chunks())
            yield texts, everything
            if len(texts.data) and int(texts.data.max()) >= 128:
                yield _folded(texts)


def _json(array: Any) -> tuple[Texts, Any]:
    """Return what a column of JSON says, escapes resolved."""
    known: dict[str, str] = {}
    rows, values = [], []
    for row, text in enumerate(array.to_pylist()):
        if text is not None:
            if text not in known:
                known[text] = fold(" ".join(strings_within(text)) if "\\" in text else text)
            rows.append(row)
            values.append(known[text])
    return from_strings(values), np.array(rows, dtype=np.int64)


def _folded(texts: Texts) -> tuple[Texts, Any]:
    """Return the values that have letters beyond ASCII, in lower case."""
    places = np.flatnonzero(texts.data >= 128)
    rows = np.unique(np.searchsorted(texts.offsets, places, side="right") - 1)
    return from_strings([fold(texts.value(row)) for row in rows.tolist()]), rows


def _column(texts: Texts, rows: Any, long: Any) -> Iterator[Occurrences]:
    if not len(rows) or not len(texts.data):
        return
    texts, rows = _distinct(texts, rows)
    first = 0
    while first < len(rows):
        limit = texts.offsets[first] + _PIECE_BYTES
        last = max(first + 1, int(np.searchsorted(texts.offsets, limit, side="right")) - 1)
        yield _split(texts, first, min(last, len(rows)), rows // BLOCK_ROWS, long)
        first = last


def _distinct(texts: Texts, rows: Any) -> tuple[Texts, Any]:
    """Leave out values that repeat within a block, where that is worth it."""
    lengths = np.diff(texts.offsets)
    if lengths.max(initial=0) > _COMPARED:
        return texts, rows
    data = np.concatenate((texts.data, np.zeros(8, dtype=np.uint8)))
    pairs = hashes(data, texts.offsets[:-1], lengths) + (rows // BLOCK_ROWS).astype(np.uint64) * _K[2]
    kept = np.sort(_first_of_each(pairs))
    return (texts, rows) if 2 * len(kept) > len(rows) else (texts.take(kept), rows[kept])


def _first_of_each(keys: Any) -> Any:
    """Return a place of every distinct key."""
    # Sorting the keys with their place in the low bits is several times faster than argsort; the high bits only bring
    # equal keys together, so whole keys are compared after that.
    bits = max(1, len(keys).bit_length())
    low = np.uint64((1 << bits) - 1)
    order = np.sort((keys & ~low) | np.arange(len(keys), dtype=np.uint64)) & low
    places = order.astype(np.int64)
    sorted_keys = keys[places]
    new = np.ones(len(keys), dtype=bool)
    np.not_equal(sorted_keys[1:], sorted_keys[:-1], out=new[1:])
    return places[new]


def _split(texts: Texts, first: int, last: int, blocks: Any, long: Any) -> Occurrences:
    """Return the distinct tokens of each block in the values from `first` to `last`."""
    begin, end = int(texts.offsets[first]), int(texts.offsets[last])
    data = np.zeros(end - begin + 9, dtype=np.uint8)
    np.take(_word, texts.data[begin:end], out=data[: end - begin])
    starts, ends = _runs(data[:-9], texts.offsets[first : last + 1] - begin)
    lengths = ends - starts
    bounds = np.searchsorted(starts, texts.offsets[first : last + 1] - begin)
    block = np.repeat(blocks[first:last], np.diff(bounds)).astype(np.int64)
    if lengths.max(initial=0) > LONGEST:
        over = np.unique(block[lengths > LONGEST])
        np.bitwise_or.at(long, over >> 6, np.uint64(1) << (over & 63).astype(np.uint64))
        lengths = np.minimum(lengths, LONGEST)
    value = hashes(data, starts, lengths)
    kept = _first_of_each(value + block.astype(np.uint64) * _K[2])
    return Occurrences(value[kept], block[kept], data, starts[kept], lengths[kept])


def _runs(data: Any, edges: Any) -> tuple[Any, Any]:
    """Return where tokens start and end in folded bytes that are 0 between tokens; values begin at `edges`."""
    kind = (data != 0).astype(np.uint8)
    kind += data >= 0x80
    border = np.ones(len(data) + 1, dtype=bool)
    np.not_equal(kind[1:], kind[:-1], out=border[1:-1])
    border[edges] = True
    border[:-1] |= data >= _SPACELESS
    inside = kind != 0
    return np.flatnonzero(inside & border[:-1]), np.flatnonzero(inside & border[1:]) + 1


def _joined(found: list[Occurrences], words: int, long: Any, first_seqs: Any, rows: Any) -> Vocabulary:
    """Bring the occurrences of all columns together by token."""
    if not any(len(part.hash) for part in found):
        none = Texts(np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64))
        return Vocabulary(
            np.zeros(0, dtype=np.uint64), none, np.zeros((0, words), dtype=np.uint64), long, first_seqs, rows
        )
    value = np.concatenate([part.hash for part in found])
    block = np.concatenate([part.block for part in found])
    bases = np.cumsum([0, *(len(part.data) for part in found)])
    starts = np.concatenate([part.starts + base for part, base in zip(found, bases, strict=False)])
    lengths = np.concatenate([part.lengths for part in found])
    order = np.argsort(value)
    value, block = value[order], block[order]
    new = np.flatnonzero(np.concatenate(([True], value[1:] != value[:-1])))
    bits = np.uint64(1) << (block & 63).astype(np.uint64)
    masks = np.empty((len(new), words), dtype=np.uint64)
    for word in range(words):
        masks[:, word] = np.bitwise_or.reduceat(np.where(block >> 6 == word, bits, np.uint64(0)), new)
    chosen = order[new]
    data = np.concatenate([part.data for part in found])
    texts = Texts(gathered(data, starts[chosen], lengths[chosen]), np.concatenate(([0], np.cumsum(lengths[chosen]))))
    return Vocabulary(value[new], texts, masks, long, first_seqs, rows)
