"""Which words are in which block of rows: the token index of a segment.

A token is a run of ASCII letters, digits and underscores, or of letters beyond ASCII, folded to lower case and cut at
64 bytes; from U+3000 on, where scripts do without spaces, each letter is one. All columns of text are indexed as one:
which blocks (of 2048 rows) hold a token in any of them, and which columns do somewhere. Of words that are in many rows
the index also tells in how many rows of which column.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.buffers import Texts, from_arrow
from treering.model.columns import REST, SEQUENCE, Kind
from treering.store.duckdb import arrow
from treering.store.duckdb.postings import Collector, Postings, sentences
from treering.store.duckdb.text import fold, from_strings, strings_within
from treering.store.duckdb.words import Words

if TYPE_CHECKING:
    from arro3.core import Table

BLOCK_ROWS = 2048
LONGEST = 64
# Odd numbers without structure: the fractional digits of square roots of primes (as in SHA-512, FIPS 180-4).
_FACTORS = (0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0xA54FF53A5F1D36F1)
_ASCII_CASE = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_64_BITS = (1 << 64) - 1


def hash_of(token: bytes) -> int:
    """Return the 64-bit hash of a token; `wasm/words.c` computes the same."""
    value = len(token) * _FACTORS[2] & _64_BITS
    for start in range(0, len(token), 8):
        value = (value ^ int.from_bytes(token[start : start + 8], "little")) * _FACTORS[0] & _64_BITS
        value ^= value >> 32
    value = value * _FACTORS[1] & _64_BITS
    return value ^ value >> 29


# Columns of their own bit in a set of columns; the others share the rest.
_OWN = ("body:s", "traceId:s", "spanId:s", "parentSpanId:s", "serviceName:s", "severityText:s", "name:s", "message:s")


def bit_of(column: str) -> int:
    """Return the bit that stands for a physical column in a set of columns; several columns may share one."""
    if column in _OWN:
        return _OWN.index(column)
    return len(_OWN) + zlib.crc32(column.encode()) % (64 - len(_OWN))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All tokens of a segment; the sequence number of the first row of each block, and how many rows it has.

    `columns` are the physical columns by the number under which `found` counts their rows; `postings` are the rows of
    values and common words.
    """

    found: Words
    first_seqs: Any
    rows: Any
    columns: tuple[str, ...]
    postings: Postings


def build(table: Table) -> Vocabulary:
    """Return the tokens of a table of rows in `_seq` order."""
    seqs = arrow.integers(table.column(SEQUENCE))
    count = len(seqs)
    blocks = -(-count // BLOCK_ROWS)
    found = Words(blocks, BLOCK_ROWS)
    names = tuple(table.schema.names)
    collector = Collector(seqs)
    for column, name in enumerate(names):
        if name == REST or name.endswith(f":{Kind.JSON.value}"):
            found.keep(0, tokens=False)
            found.add(*_json(table.column(name).combine_chunks()), column, bit_of(name), counted=False)
        elif name.endswith(f":{Kind.STRING.value}"):
            _texts(table.column(name).combine_chunks(), column, name, found, collector)
    rows_of = np.minimum(BLOCK_ROWS, count - np.arange(blocks) * BLOCK_ROWS)
    return Vocabulary(found, seqs[::BLOCK_ROWS].copy(), rows_of.astype(np.int64), names, collector.found)


def _texts(array: Any, column: int, name: str, found: Words, collector: Collector) -> None:
    """Take in a column of texts."""
    texts = from_arrow(array)
    size = int(texts.offsets[-1] - texts.offsets[0])
    worded = collector.worth and sentences(texts.data[texts.offsets[0] :])
    found.keep(len(array) if collector.worth else 0, tokens=worded)
    found.add(texts, np.arange(len(array)), column, bit_of(name))
    if size and int(texts.data.max()) >= 128:
        found.add(*_folded(texts), column, bit_of(name), counted=False)
    if collector.worth:
        collector.column(name, column, found, array.null_count, sentences=worded, size=size)


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
    """Return the values that have letters beyond ASCII with another case, in lower case."""
    places = np.flatnonzero(texts.data >= 128)
    rows = np.unique(np.searchsorted(texts.offsets, places, side="right") - 1).tolist()
    values = [texts.value(row) for row in rows]
    other = [(row, fold(value)) for row, value in zip(rows, values, strict=True) if fold(value) != _ascii_folded(value)]
    return from_strings([value for _, value in other]), np.array([row for row, _ in other], dtype=np.int64)


def _ascii_folded(text: str) -> str:
    return text.translate(_ASCII_CASE)
