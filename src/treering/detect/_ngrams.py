"""Sums of a linear model over hashed n-grams of many texts at once, by a small WebAssembly program (`wasm/ngrams.c`).

Feature hashing: Weinberger et al., "Feature hashing for large scale multitask learning" (2009). Besides words (1 to 3)
and characters within words (3 to 5) there are n-grams of *concepts*: words that say the same thing in different
languages have one number (content/rules/concepts.yaml), so that what is learnt in one language holds in others.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.core.wasm import Instance
from treering.detect import _yaml
from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = Path(__file__).parent / "wasm" / "ngrams.wasm"
WORDS, CHARS, CONCEPTS, SENSES = 0, 1, 2, 3
STARTS = (0, 1 << 19, (1 << 19) + (1 << 18), 1 << 20)
"""Number of the first feature of each kind."""
FEATURES = (1 << 20) + (1 << 18)
WIDE = 64
"""Numbers in the vector of a sense."""
WINDOW = np.dtype(
    [("text", "<u4"), ("start", "<u4"), ("end", "<u4"), ("sums", "<i4", 4), ("counts", "<u4", 4), ("senses", "<u4"),
     ("meaning", "<i4", WIDE)]
)  # fmt: skip
"""Bytes `start` to `end` of a text: sum of the weights and number of the features, of each kind; number of different
senses, and the sum of their vectors."""
PLACE = np.dtype([("feature", "<u4"), ("start", "<u4"), ("end", "<u4")])
LEET, MARKUP, ENCODED = 1, 2, 4
"""What may be hidden in a text."""
_PIECE_BYTES = 1 << 20
_STRETCHES = 3
_MOST_WINDOWS = 1 << 14


@cache
def lexicon() -> tuple[tuple[bytes, int, bool], ...]:
    """Return (folded word, number of its concept from 1, whether it must be the whole word) of the shipped concepts."""
    text = (resources.files("treering.content") / "rules" / "concepts.yaml").read_text("utf-8")
    known: dict[tuple[bytes, bool], int] = {}
    for number, words in enumerate(_yaml.read(text).values(), 1):
        for written in words.split(","):
            word = fold(written.strip())
            bare = "".join(c for c in word if c.isalpha()) if not word.isascii() else word.rstrip("*")
            if bare and " " not in bare:
                known.setdefault((bare.encode(), not word.endswith("*")), number)
    return tuple((word, number, whole) for (word, whole), number in known.items())


@cache
def senses() -> tuple[list[bytes], Any, Any]:
    """Return the folded words whose sense is shipped, the number of each one's sense, from 1, and vectors of senses."""
    file = resources.files("treering.content") / "models" / "senses.npz"
    with file.open("rb") as raw, np.load(raw, allow_pickle=False) as held:
        return bytes(held["words"]).split(b"\n"), held["senses"], held["vectors"]


class Ngrams:
    """The program with the weights of its heads in memory; for one thread at a time."""

    def __init__(self, weights: Any) -> None:
        """Take `weights`, int16 of shape (heads, FEATURES), of at most two heads."""
        self._program = Instance(PROGRAM)
        self._call = self._program.call
        self._room = self._size = 0
        words, numbers, wholes = zip(*lexicon(), strict=True)
        self._call("begin", len(weights), len(words))
        at, _ = self._put(b"".join(words), bytes(map(len, words)), np.array(numbers, "<u2"), bytes(wholes))
        self._call("learn", *at, len(words))
        spelt, numbers_of, vectors = senses()
        at, _ = self._put(b"".join(spelt), bytes(map(len, spelt)), numbers_of, vectors)
        self._call("make_sense", *at[:3], len(spelt), at[3], vectors.nbytes)
        flat = np.ascontiguousarray(weights, np.int16).reshape(-1).view(np.uint8)
        self._program.memory(self._call("weights_at"), len(flat))[:] = flat

    def score(self, texts: Sequence[bytes], heads: Sequence[int], windows: Sequence[tuple[int, int]]) -> Any:
        """Return the `WINDOW`s of folded `texts` in order; `windows` are (tokens in one, tokens from one to the next).

        `heads` says which weights each text is judged by; at most 16,384 windows are made of a text.
        """
        found = [self._score(first, texts[first:last], heads[first:last], windows) for first, last in _pieces(texts)]
        return np.concatenate(found) if found else np.empty(0, WINDOW)

    def _score(
        self, first: int, texts: Sequence[bytes], heads: Sequence[int], windows: Sequence[tuple[int, int]]
    ) -> Any:
        ends = _ends(texts)
        steps = np.array([max(1, step) for _, step in windows], np.uint32)[np.asarray(heads, np.intp)]
        most = int(np.minimum(_MOST_WINDOWS, 1 + np.diff(ends) // steps).sum())
        parts = (b"".join(texts), ends, bytes(heads), np.array(windows, np.uint32))
        (data, ends_at, heads_at, sizes), out = self._put(*parts, more=most * WINDOW.itemsize)
        count = self._call("score", data, ends_at, heads_at, len(texts), sizes, out, most)
        result = self._program.memory(out, count * WINDOW.itemsize).view(WINDOW).copy()
        result["text"] += first
        return result

    def spellings(self, texts: Sequence[bytes], pairs: Any) -> Any:
        """Return for each folded text how far it reads better backwards, in ROT13, how many letters stand alone, hints.

        `pairs` are int8 likelihoods of a letter after another, 27 x 27: a to z and everything else. Hints are bits of
        `LEET`, `MARKUP`, `ENCODED`: what may be there and what certainly is not.
        """
        parts = [self._spellings(texts[first:last], pairs) for first, last in _pieces(texts)]
        return np.concatenate(parts) if parts else np.empty((0, 4), np.int32)

    def _spellings(self, texts: Sequence[bytes], pairs: Any) -> Any:
        at, out = self._put(b"".join(texts), _ends(texts), pairs.astype(np.int8), more=16 * len(texts))
        self._call("spellings", at[0], at[1], len(texts), at[2], out)
        return self._program.memory(out, 16 * len(texts)).view("<i4").reshape(-1, 4).copy()

    def stretches(self, texts: Sequence[bytes], heads: Sequence[int], factors: Any, softened: Any) -> Any:
        """Return the up to three stretches (first byte, last + 1; empty: none) of folded texts that speak most.

        Features of a kind are worth their weight times `factors` (heads, kinds) by the root of their number and
        `softened` (kinds), shared among the bytes they stand on.
        """
        parts = [
            self._stretches(texts[first:last], heads[first:last], factors, softened) for first, last in _pieces(texts)
        ]
        return np.concatenate(parts) if parts else np.empty((0, _STRETCHES, 2), np.uint32)

    def _stretches(self, texts: Sequence[bytes], heads: Sequence[int], factors: Any, softened: Any) -> Any:
        parts = (b"".join(texts), _ends(texts), bytes(heads), np.float32(factors), np.float32(softened))
        size, room = 8 * _STRETCHES * len(texts), 4 * (max(map(len, texts)) + 2)
        (data, ends, heads_at, *weighed), out = self._put(*parts, more=size + room)
        self._call("stretches", data, ends, heads_at, len(texts), *weighed, out + size, out)
        return self._program.memory(out, size).view("<u4").reshape(-1, _STRETCHES, 2).copy()

    def places(self, text: bytes) -> Any:
        """Return the features of folded `text`, each once, with the bytes where it occurs first (`PLACE`s)."""
        most = 18 * len(text) + 64
        room = (len(text) + 7) // 8 * 8
        place = self._space(room + most * PLACE.itemsize)
        self._program.memory(place, len(text))[:] = np.frombuffer(text, np.uint8)
        count = self._call("list", place, len(text), place + room)
        return self._program.memory(place + room, count * PLACE.itemsize).view(PLACE).copy()

    def _put(self, *parts: Any, more: int = 0) -> tuple[list[int], int]:
        """Write `parts` (bytes or arrays) into the program's memory; return their places, and that of `more` bytes."""
        raw = [part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes() for part in parts]
        padded = [part + bytes(-len(part) % 8) for part in raw]
        starts = [0, *accumulate(map(len, padded))]
        place = self._space(starts[-1] + more)
        self._program.memory(place, starts[-1])[:] = np.frombuffer(b"".join(padded), np.uint8)
        return [place + start for start in starts[:-1]], place + starts[-1]

    def _space(self, size: int) -> int:
        if size > self._size:
            self._size = 1 << max(16, size.bit_length())
            self._room = self._call("room_for", self._size)
        return self._room


def _ends(texts: Sequence[bytes]) -> Any:
    """Return where the texts end in all of them together, after a 0."""
    return np.cumsum([0, *map(len, texts)], dtype=np.uint32)


def _pieces(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield first and last + 1 of stretches of texts that hold a bounded number of bytes, or one text."""
    first, held = 0, 0
    for index, text in enumerate(texts):
        if index > first and held + len(text) > _PIECE_BYTES:
            yield first, index
            first, held = index, 0
        held += len(text)
    if first < len(texts):
        yield first, len(texts)
