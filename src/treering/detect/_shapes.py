"""Log lines by what stays the same in them: `template.id` where the batch has it, else a cheap mask of our own."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from treering.detect._derived import derived
from treering.detect._lines import LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.model.rows import Rows

TEMPLATE = "template.id"
_MASKED = 240
_WORDS = 12
_MARKS = ".,:;!?()[]{}\"'"


def shapes(rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
    """Return for each record the number of its line's shape, -1 for one without text, and short names of the shapes."""
    return derived(rows, _shapes)


def masked(text: str) -> str:
    """Return the words of a line that are the same in all lines of its shape, as its shape's name."""
    line = text[:_MASKED].partition("\n")[0]
    # A word with a digit, a path, an address or an assignment stands for any other one.
    return " ".join([word if word.strip(_MARKS).isalpha() else "*" for word in line.split()[:_WORDS]])


def _shapes(rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
    known: dict[str, int] = {}
    given, names = rows.codes(TEMPLATE)
    numbers = [known.setdefault(name[:64], len(known)) if name else -1 for name in names]
    codes = np.array([*numbers, -1], dtype=np.int64)[given]
    without = np.flatnonzero(codes < 0)
    read: dict[str, int] = {}
    for place, text in zip(without.tolist(), rows.at("body", without), strict=True):
        if isinstance(text, str) and text:
            number = read.get(line := text[:LONGEST])
            if number is None:
                number = read[line] = known.setdefault(_named(masked(line)), len(known))
            codes[place] = number
    return codes, list(known)


@lru_cache(maxsize=8192)
def _named(shape: str) -> str:
    return hashlib.blake2b(shape.encode("utf-8", "replace"), digest_size=6).hexdigest()
