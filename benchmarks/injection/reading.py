"""Makes the tables by which spellings are told apart: pairs of letters, words, and from when on they mean something."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.detect._ngrams import FEATURES, Ngrams
from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.injection.data import Row

MOST_WORDS, FEWEST = 12_000, 8
RARE = 0.01
"""Share of the benign texts of training that may be read in a further spelling."""


def main(rows: Sequence[Row], target: Path) -> dict[str, float]:
    """Write the tables that `rows` make; returns the limits."""
    texts = [fold(row.text)[:4000] for row in rows if row.lang in {"", "en"} and row.kind != "planted attack"]
    table = pairs(texts)
    counts = Counter(word for text in texts for word in _words(text))
    whole = sum(counts.values())
    kept = [(w, n) for w, n in counts.most_common(MOST_WORDS) if n >= FEWEST and (len(w) > 2 or w in _SHORT)]
    benign = [fold(row.text)[:4000].encode("utf-8", "replace") for row in rows if row.label == 0]
    spelt = Ngrams(np.zeros((1, FEATURES), np.int16)).spellings(benign, table)
    limits = {name: float(np.quantile(spelt[:, i], 1 - RARE)) for i, name in enumerate(("backwards", "rot13"))}
    target.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        target,
        pairs=table,
        words=np.frombuffer("\n".join(word for word, _ in kept).encode(), np.uint8),
        shares=np.array([math.log(n / whole) for _, n in kept], np.float32),
        limits=np.frombuffer(json.dumps(limits).encode(), np.uint8),
    )
    return limits


_SHORT = frozenset("a i an as at be by do go he if in is it me my no of on or so to up us we".split())


def _words(text: str) -> list[str]:
    return [word for word in "".join(c if "a" <= c <= "z" else " " for c in text).split() if len(word) <= 16]


def pairs(texts: Sequence[str]) -> Any:
    """Return int8 log-likelihoods (eighths of a bit) of a letter after another, 27 x 27 with everything else."""
    counts = np.ones((27, 27))
    code = np.full(256, 26, np.uint8)
    code[ord("a") : ord("z") + 1] = np.arange(26)
    for text in texts:
        letters = code[np.frombuffer(text.encode("utf-8", "replace"), np.uint8)]
        np.add.at(counts, (letters[:-1], letters[1:]), 1)
    counts[26, 26] = counts[26].mean()  # runs of other signs say nothing either way
    share = np.log2(counts / counts.sum())
    return np.clip(np.rint((share - share.mean()) * 4), -127, 127).astype(np.int8)
