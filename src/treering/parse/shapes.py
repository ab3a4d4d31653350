"""Shape hashes: 64 bits per message that are equal when only words with digits differ.

This is what makes mining cheap: a repetitive log has few shapes, and only those are looked at one by one. The messages
are hashed together, with a handful of NumPy passes over their bytes and no Python per row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_RANDOM = np.random.default_rng(20260112)
BYTE = _RANDOM.integers(1, 2**63, 256, dtype=np.uint64) | np.uint64(1)
_BASE = int(_RANDOM.integers(1, 2**63)) | 1
ORDER = _RANDOM.integers(1, 2**63, 1024, dtype=np.uint64) | np.uint64(1)
WILD, MIX = _RANDOM.integers(1, 2**63, 2, dtype=np.uint64) | np.uint64(1)
SEPARATORS = " \t\r\n\x0b\x0c=:,;()[]{}\"'|<>"
SEPARATOR = np.zeros(256, dtype=bool)
SEPARATOR[list(SEPARATORS.encode())] = True
NEWLINE = 10
_CHUNK = 1 << 18
_LONG = 1200


def shape_hashes(messages: Sequence[str]) -> NDArray[np.uint64]:
    """Return one hash per message; of a message with several lines the first counts."""
    out = np.empty(len(messages), dtype=np.uint64)
    start = size = 0
    for index, message in enumerate(messages):
        size += min(_LONG, len(message))
        if size > _CHUNK:
            out[start : index + 1] = _hash(messages[start : index + 1])
            start, size = index + 1, 0
    if start < len(messages):
        out[start:] = _hash(messages[start:])
    return out


# Replaced as a whole when longer ones are needed, so that threads always see a pair.
_held: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []


def powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the powers of the base and of its inverse modulo 2^64, one per byte; the second may be longer."""
    pair = _held[0] if _held else None
    if pair is None or len(pair[0]) < size:
        length = 1 << max(16, (size - 1).bit_length())
        up, down = np.full(length, _BASE, dtype=np.uint64), np.full(length, pow(_BASE, -1, 2**64), dtype=np.uint64)
        up[0] = down[0] = 1
        pair = np.cumprod(up, dtype=np.uint64), np.cumprod(down, dtype=np.uint64)
        _held[:] = [pair]
    return pair[0][:size], pair[1]


def _hash(messages: Sequence[str]) -> NDArray[np.uint64]:
    text = "\n".join(messages)
    if text.count("\n") != len(messages) - 1 or max(map(len, messages)) > _LONG:
        text = "\n".join([message[:_LONG].partition("\n")[0] for message in messages])
    # The line end in front gives an empty message a token of its own.
    data = np.frombuffer(("\n" + text).encode("utf-8", "surrogatepass"), dtype=np.uint8)
    separator = SEPARATOR[data]
    first = separator.copy()
    first[1:] |= separator[:-1]
    starts = np.flatnonzero(first)
    # A word's hash is a polynomial in the base; divided by the power of its start it is the same wherever it stands.
    up, down = powers(len(data))
    words = np.add.reduceat(BYTE[data] * up, starts) * down[starts]
    digits = np.bitwise_or.reduceat(((data - np.uint8(48)) < 10).view(np.uint8), starts).view(bool)
    words ^= words >> np.uint64(29)
    words *= MIX
    words ^= words >> np.uint64(32)
    words[digits] = WILD
    lines = np.flatnonzero(data[starts] == NEWLINE)
    order = np.arange(len(starts)) - np.repeat(lines, np.diff(lines, append=len(starts)))
    words *= ORDER[np.minimum(order, 1023)]
    return np.add.reduceat(words, lines)
