"""Log lines that hold one of some words, found without looking at every line by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect._derived import derived

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

LONGEST = 4000
_BREAK = "\0"


def lines(rows: Rows) -> Sequence[str]:
    """Return the text of each record's `body`, at most `LONGEST` characters, empty where there is none."""
    return derived(rows, _lines)


def _lines(rows: Rows) -> Sequence[str]:
    return ["" if text is None else text[:LONGEST] for text in rows.texts("body")]


def _joined(rows: Rows) -> tuple[str, NDArray[np.int64]]:
    """Return all lines in lower case as one text, and where each begins."""
    low = [text.lower() for text in lines(rows)]
    starts = np.zeros(len(low), dtype=np.int64)
    np.cumsum([len(text) + 1 for text in low[:-1]], out=starts[1:])
    return _BREAK.join(low), starts


def holding(rows: Rows, words: Iterable[str]) -> list[int]:
    """Return the places of the lines that hold one of `words`, which are in lower case, in order."""
    if not rows.count:
        return []
    text, starts = derived(rows, _joined)
    found: set[int] = set()
    for word in words:
        at = text.find(word)
        while at >= 0:
            line = int(starts.searchsorted(at, side="right")) - 1
            found.add(line)
            if line + 1 >= len(starts):
                break
            at = text.find(word, int(starts[line + 1]))
    return sorted(found)
