"""What the screen says of the fields of a batch; of a conversation's history, which each call repeats, only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect._derived import derived
from treering.detect._screen import screen
from treering.detect._texts import holds_text, sources
from treering.detect._unread import messages
from treering.model.buffers import from_arrow, joined
from treering.model.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.detect._screen import Flags
    from treering.detect._texts import Source
    from treering.model.rows import Rows

_FEW = 256
"""Records up to which all columns are looked at in one go."""
_LONG = 1_000
"""Bytes a record has on average in a field from which it pays to tell its messages apart."""


class Screened:
    """The flags of one batch, column by column, each looked at when it is asked for."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`."""
        self._rows = rows
        self._held: dict[tuple[str, tuple[str, ...]], Flags] = {}

    def flags(self, name: str, files: tuple[str, ...] = ()) -> Flags:
        """Return what may be in the field `name` of each record, as bits; `files` are further phrases."""
        if (name, files) not in self._held:
            few = self._rows.count <= _FEW
            self._look({name, *filter(holds_text, self._rows.names)} if few else {name}, files)
        return self._held[name, files]

    def _look(self, names: Iterable[str], files: tuple[str, ...]) -> None:
        histories = {source.column: source for source in sources(self._rows) if source.column in names}
        histories = {name: source for name, source in histories.items() if self._is_history(source)}
        columns = [(name, *column) for name in names if name not in histories for column in self._rows.columns(name)]
        self._held |= {(name, files): np.zeros(self._rows.count, dtype=np.uint16) for name in names}
        for kind in (Kind.STRING, Kind.JSON):
            chosen = [(name, from_arrow(held)) for name, other, held in columns if other is kind]
            if chosen:
                whole = joined([texts for _, texts in chosen])
                found = screen(files).look(whole, json=kind is Kind.JSON).reshape(len(chosen), -1)
                for (name, _), flags in zip(chosen, found, strict=True):
                    self._held[name, files] |= flags
        for name, source in histories.items():
            self._held[name, files] = messages(self._rows).flagged(source, files)

    def _is_history(self, source: Source) -> bool:
        """Return whether a field holds much in lists of messages."""
        columns = list(self._rows.columns(source.column))
        if source.roles or len(columns) != 1 or columns[0][0] is not Kind.STRING:
            return False
        texts = from_arrow(columns[0][1])
        filled = int(np.count_nonzero(np.diff(texts.offsets)))
        return int(texts.offsets[-1] - texts.offsets[0]) > _LONG * max(1, filled)


def screened(rows: Rows) -> Screened:
    """Return the flags of a batch, the same object for every detector."""
    return derived(rows, Screened)
