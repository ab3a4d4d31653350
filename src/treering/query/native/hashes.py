"""Hashes of java.lang as unsigned words of 32 bits."""

from __future__ import annotations

import struct

from treering.query.native import Native

_WORD = 0xFFFFFFFF


def text_hash(text: str) -> int:
    """Return `String.hashCode`: 31 times the hash so far plus the next UTF-16 unit."""
    found = 0
    units = text.encode("utf-16-le", "surrogatepass")
    for (unit,) in struct.iter_unpack("<H", units):
        found = (found * 31 + unit) & _WORD
    return found


def double_hash(number: float) -> int:
    """Return `Double.hashCode`: both halves of the bits."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", number))
    return int((bits ^ (bits >> 32)) & _WORD)


NATIVES = (
    Native("ppl_text_hash", text_hash, ("VARCHAR",), "BIGINT"),
    Native("ppl_double_hash", double_hash, ("DOUBLE",), "BIGINT"),
)
