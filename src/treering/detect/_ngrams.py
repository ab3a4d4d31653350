"""Sums of a linear model over hashed n-grams of many texts at once, by a small WebAssembly program (`wasm/ngrams.c`).

Feature hashing: Weinberger et al., "Feature hashing for large scale multitask learning" (2009). Besides words (1 to 3)
and characters within words (3 to 5) there are n-grams of *concepts*: words that say the same thing in different
languages have one number (content/rules/concepts.yaml), so that what is learnt in one language holds in others.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.core.wasm import Instance
from treering.detect import _yaml
from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = Path(__file__).parent / "wasm" / "ngrams.wasm"
WORDS, CHARS, CONCEPTS = 0, 1, 2
STARTS = (0, 1 << 19, (1 << 19) + (1 << 18))
"""Number of the first feature of each kind."""
FEATURES = 1 << 20
WINDOW = np.dtype([("text", "<u4"), ("start", "<u4"), ("end", "<u4"), ("sums", "<i4", 3), ("counts", "<u4", 3)])
"""Bytes `start` to `end` of a text: sum of the weights and number of the features, of each kind."""
PLACE = np.dtype([("feature", "<u4"), ("start", "<u4"), ("end", "<u4")])
_PIECE_BYTES = 1 << 20
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


class Ngrams:
    """The program with the weights of its heads in memory; for one thread at a time."""

    def __init__(self, weights: Any) -> None:
        """Take `weights`, int16 of shape (heads, FEATURES)."""
        self._program = Instance(PROGRAM)
        self._call = self._program.call
        words = lexicon()
        self._call("begin", len(weights), len(words))
        self._room = self._size = 0
        for word, number, whole in words:
            place = self._space(len(word))
            self._program.memory(place, len(word))[:] = np.frombuffer(word, np.uint8)
            self._call("learn", place, len(word), number, int(whole))
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
        data = b"".join(texts)
        lengths = np.fromiter(map(len, texts), np.uint32, len(texts))
        ends = np.concatenate((np.zeros(1, np.uint32), np.cumsum(lengths, dtype=np.uint32)))
        most = int(
            sum(
                min(_MOST_WINDOWS, 1 + size // max(1, windows[h][1]))
                for size, h in zip(lengths.tolist(), heads, strict=True)
            )
        )
        parts = (ends.tobytes(), np.array(windows, np.uint32).tobytes(), bytes(heads), data)
        place = self._space(sum(map(len, parts)) + 16 + most * WINDOW.itemsize)
        out = place + (sum(map(len, parts)) + 15) // 8 * 8
        self._program.memory(place, out - place)[: sum(map(len, parts))] = np.frombuffer(b"".join(parts), np.uint8)
        sizes = place + len(parts[0])
        heads_at = sizes + len(parts[1])
        count = self._call("score", heads_at + len(parts[2]), place, heads_at, len(texts), sizes, out, most)
        result = self._program.memory(out, count * WINDOW.itemsize).view(WINDOW).copy()
        result["text"] += first
        return result

    def spellings(self, texts: Sequence[bytes], pairs: Any) -> Any:
        """Return for each folded text how far it reads better backwards, in ROT13, and how many letters stand alone.

        `pairs` are int8 likelihoods of a letter after another, 27 x 27: a to z and everything else.
        """
        parts = [self._spellings(texts[first:last], pairs) for first, last in _pieces(texts)]
        return np.concatenate(parts) if parts else np.empty((0, 3), np.int32)

    def _spellings(self, texts: Sequence[bytes], pairs: Any) -> Any:
        lengths = np.fromiter(map(len, texts), np.uint32, len(texts))
        ends = np.concatenate((np.zeros(1, np.uint32), np.cumsum(lengths, dtype=np.uint32)))
        parts = (ends.tobytes(), pairs.astype(np.int8).tobytes(), b"".join(texts))
        held = sum(map(len, parts))
        place = self._space(held + 16 + 12 * len(texts))
        self._program.memory(place, held)[:] = np.frombuffer(b"".join(parts), np.uint8)
        out = place + (held + 15) // 8 * 8
        table = place + len(parts[0])
        self._call("spellings", table + len(parts[1]), place, len(texts), table, out)
        return self._program.memory(out, 12 * len(texts)).view("<i4").reshape(-1, 3).copy()

    def places(self, text: bytes) -> Any:
        """Return the features of folded `text`, each once, with the bytes where it occurs first (`PLACE`s)."""
        most = 18 * len(text) + 64
        room = (len(text) + 7) // 8 * 8
        place = self._space(room + most * PLACE.itemsize)
        self._program.memory(place, len(text))[:] = np.frombuffer(text, np.uint8)
        count = self._call("list", place, len(text), place + room)
        return self._program.memory(place + room, count * PLACE.itemsize).view(PLACE).copy()

    def _space(self, size: int) -> int:
        if size > self._size:
            self._room, self._size = self._call("room_for", size), size
        return self._room


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
