"""Columns of text as bytes for NumPy, and how letters are folded so that case does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from treering.model.buffers import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator


def from_strings(values: list[str]) -> Texts:
    """Return Python texts as a column."""
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    return Texts(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)


def fold(text: str) -> str:
    """Return `text` with every letter in the form that stands for both its cases."""
    # str.lower makes two characters of U+0130 and looks at the neighbours of sigma; lower() in SQL does neither.
    return text.lower().replace("i\u0307", "i").replace("\u03c2", "\u03c3")


def strings_within(text: str) -> Iterator[str]:
    """Yield every text in a JSON document, names included."""
    pending: list[Any] = [msgspec.json.decode(text)]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value
        elif value is not None:
            yield str(value)
