"""Log lines by what stays the same in them: `template.id` where the batch has it, else a cheap mask of our own."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from treering.detect._derived import derived
from treering.detect._lines import lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows

TEMPLATE = "template.id"
_MASKED = 240
_WORDS = 12
_MARKS = ".,:;!?()[]{}\"'"


def shapes(rows: Rows) -> Sequence[str]:
    """Return a short name of each line's shape, empty for a record without text."""
    return derived(rows, _shapes)


def masked(text: str) -> str:
    """Return the words of a line that are the same in all lines of its shape, as its shape's name."""
    line = text[:_MASKED].partition("\n")[0]
    # A word with a digit, a path, an address or an assignment stands for any other one.
    return " ".join([word if word.strip(_MARKS).isalpha() else "*" for word in line.split()[:_WORDS]])


def _shapes(rows: Rows) -> Sequence[str]:
    known = rows.texts(TEMPLATE) if rows.has(TEMPLATE) else None
    cache: dict[str, str] = {}
    found: list[str] = []
    for index, text in enumerate(lines(rows)):
        if known is not None and (given := known[index]):
            found.append(given[:64])
        elif not text:
            found.append("")
        else:
            if (shape := cache.get(text)) is None:
                shape = cache[text] = _named(masked(text))
            found.append(shape)
    return found


@lru_cache(maxsize=8192)
def _named(shape: str) -> str:
    return hashlib.blake2b(shape.encode("utf-8", "replace"), digest_size=6).hexdigest()
