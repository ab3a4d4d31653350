"""Which unflushed rows can hold a word: they have no token index, but looking through their bytes takes little.

A byte with the bit 0x20 set is the same for both cases of an ASCII letter, so one pass over a column and one search in
it tell whether a word can be there; what also looks alike then is no harm, as the query itself looks closer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.buffers import from_arrow
from treering.model.columns import REST, Kind
from treering.store.duckdb.matching import OF_NUMBERS
from treering.store.duckdb.text import fold

if TYPE_CHECKING:
    from treering.model.schema import StreamSchema
    from treering.stage.store import Tokens
    from treering.store.duckdb.memtable import Run

_FOLDING = 0x20
_WORD = re.compile(r"[a-z0-9_]{3,}")


def may_hold(run: Run, tokens: Tokens, schema: StreamSchema) -> bool:
    """Whether some row of `run` can satisfy `tokens`; False only when none does."""
    if tokens.op == "and":
        return all(may_hold(run, part, schema) for part in tokens.parts)
    if tokens.op == "or" and tokens.parts:
        return any(may_hold(run, part, schema) for part in tokens.parts)
    word = max(fold(tokens.text).split("#"), key=len)
    if not _WORD.fullmatch(word) or OF_NUMBERS.fullmatch(word) or (tokens.field or "").startswith("_"):
        return True
    # The value of a `constant_keyword` is in no record.
    if any("value" in field.options for field in schema):
        return True
    return _in_some_column(run, word)


def _in_some_column(run: Run, word: str) -> bool:
    needles = [_folded(word.encode()), *(also for letter, also in _ALSO.items() if letter in word)]
    for name in run.data.schema.names:
        if name == REST or name[-2:] in (f":{Kind.STRING.value}", f":{Kind.JSON.value}"):
            texts = from_arrow(run.data.column(name))
            data = texts.data[int(texts.offsets[0]) :] | _FOLDING
            if any(_is_in(data, needle) for needle in needles):
                return True
    return False


def _is_in(data: Any, needle: bytes) -> bool:
    # NumPy compares bytes ten times faster than `in` of bytes looks for a few of them.
    last = len(data) - len(needle) + 1
    if last <= 0:
        return False
    places = np.flatnonzero((data[:last] == needle[0]) & (data[1 : last + 1] == needle[1]))
    for offset, byte in enumerate(needle[2:], 2):
        if not len(places):
            return False
        places = places[data[places + offset] == byte]
    return len(places) > 0


def _folded(text: bytes) -> bytes:
    return bytes(byte | _FOLDING for byte in text)


# Letters beyond ASCII that are an ASCII letter in lower case: the Kelvin sign, and I with a dot.
_ALSO = {"k": _folded("\u212a".encode()), "i": _folded("\u0130".encode())}
