"""Which records of a batch have texts that are worth reading for suspicious prompts, by who may speak in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect import _screen as flag
from treering.detect._prompt_scan import Hidden
from treering.detect._screen import places, screened
from treering.detect._texts import DOCUMENT, TOOL, USER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.detect._texts import Source
    from treering.model.rows import Rows

    Chosen = NDArray[np.bool_]


class Heard:
    """Chooses the records of a source; what is left out would be read for nothing."""

    def __init__(self, rows: Rows, files: tuple[str, ...]) -> None:
        """Look at `rows` with the shipped phrases and those of `files`."""
        self._rows = rows
        self._files = files

    def suspicious(self, source: Source, *, model: bool = False) -> list[int]:
        """Return the records in which somebody who is judged may say something suspicious.

        `model` says that the model is asked too: then also what is likely by its words.
        """
        flags = self._flags(source)
        users = self._by(source, USER) | self._has(flags, flag.SAID_USER)
        others = self._by(source, DOCUMENT, TOOL) | self._has(flags, flag.SAID_TOOL)
        others |= users & self._has(flags, flag.TAG)
        of_users, of_others = flag.USER, flag.OTHER
        if model:
            of_users, of_others = of_users | flag.LIKELY_USER, of_others | flag.LIKELY_OTHER
        found = users & self._has(flags, of_users) | others & self._has(flags, of_others)
        return places(found | (users | others) & self._has(flags, flag.ODD))

    def hidden(self, source: Source, row: int) -> Hidden:
        """Return what may be hidden in the texts of a record."""
        bits = int(self._flags(source)[row])
        return Hidden(odd=bits & flag.ODD > 0, leet=bits & flag.LEETED > 0)

    def links(self, source: Source) -> list[int]:
        """Return the records whose answer has a link."""
        return places(self._has(self._flags(source), flag.LINK)) if "output" in source.field else []

    def _flags(self, source: Source) -> flag.Flags:
        return screened(self._rows).flags(source.column, self._files)

    def _by(self, source: Source, *roles: str) -> Chosen:
        if source.roles:
            return np.array([role in roles for role in source.roles])
        return np.full(self._rows.count, source.role in roles)

    def _has(self, flags: flag.Flags, bits: int) -> Chosen:
        return (flags & bits) > 0
