"""From rows to what the model is fitted on: windows of texts as sparse rows of hashed n-grams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from benchmarks.injection.data import DATA, USER
from treering.detect._injection_model import SCALES, SOFTENED, WINDOWS, meanings
from treering.detect._ngrams import FEATURES, STARTS, WINDOW, Ngrams
from treering.parse.textview import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.injection.data import Row

MOST_BYTES = 40_000
MOST_CLEAN = 4
"""Windows of a text without anything planted that are trained on."""


class Windows(NamedTuple):
    """Sparse rows of features, what the network reads, the number of the text that each is of, and whether what is
    planted is in it."""

    matrix: Any
    meaning: Any
    owner: Any
    label: Any


def folded(text: str) -> bytes:
    """Return `text` as the model reads it."""
    return plain(text).text[:MOST_BYTES].encode("utf-8", "replace")


class Reader:
    """Makes windows of rows; for one head."""

    def __init__(self, head: int) -> None:
        """Read as `head` reads."""
        self._size = WINDOWS[head]
        self._head = head
        self._program = Ngrams(np.zeros((1, FEATURES), np.int16))

    def windows(self, rows: Sequence[Row], seed: int | None = None) -> Windows:
        """Return the windows of `rows`; with a seed a sample of them, to train on."""
        random = None if seed is None else np.random.default_rng(seed)
        texts: list[bytes] = []
        owner: list[int] = []
        label: list[int] = []
        for index, row in enumerate(rows):
            for text, hit in self._cut(row, random):
                texts.append(text)
                owner.append(index)
                label.append(hit)
        return Windows(self._matrix(texts), self._meaning(texts), np.array(owner), np.array(label))

    def _cut(self, row: Row, random: Any) -> list[tuple[bytes, int]]:
        text = folded(row.text)
        cut = [(int(w["start"]), int(w["end"])) for w in self._program.score([text], [0], [self._size])] or [
            (0, len(text))
        ]
        said = folded(row.text[row.planted[0] : row.planted[1]]).strip() if row.planted[1] else b""
        at = text.find(said) if said else -1
        if self._head == USER or not row.label or at < 0:
            found = [(text[a:b], row.label) for a, b in cut]
        else:
            found = [(text[a:b], self._hit(a, b, at, at + len(said))) for a, b in cut]
        if random is None or self._head != DATA:
            return found
        hits = [pair for pair in found if pair[1] == 1]
        clean = [pair for pair in found if pair[1] == 0]
        chosen = random.permutation(len(clean))[: 1 if hits else MOST_CLEAN]
        return hits + [clean[i] for i in chosen]

    @staticmethod
    def _hit(start: int, end: int, low: int, high: int) -> int:
        """Return 1 if a window holds most of what is planted, or mostly that; 0 if none; -1 between."""
        common = min(end, high) - max(start, low)
        if common <= 0:
            return 0
        return 1 if common >= 0.6 * min(end - start, high - low) else -1

    def _meaning(self, texts: Sequence[bytes]) -> Any:
        found = self._program.score(texts, [0] * len(texts), [(1 << 20, 1 << 20)])
        read = np.tile(meanings(np.zeros(1, WINDOW)), (len(texts), 1))
        read[found["text"]] = meanings(found)
        return read

    def _matrix(self, texts: Sequence[bytes]) -> Any:
        columns, values, ends = [], [], [0]
        for text in texts:
            features = self._program.places(text)["feature"].astype(np.int32)
            kinds = np.searchsorted(STARTS, features, side="right") - 1
            scale = SCALES / np.sqrt(np.bincount(kinds, minlength=len(STARTS)) + SOFTENED)
            columns.append(features)
            values.append(scale.astype(np.float32)[kinds])
            ends.append(ends[-1] + len(features))
        matrix = sparse.csr_matrix(
            (np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=(len(texts), FEATURES)
        )
        matrix.sum_duplicates()
        return matrix
