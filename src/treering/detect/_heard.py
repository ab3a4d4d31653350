"""Which records of a batch have texts that are worth reading for suspicious prompts, by who may speak in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect import _screen as flag
from treering.detect._prompt_scan import Hidden
from treering.detect._screen import places
from treering.detect._screened import screened
from treering.detect._texts import DOCUMENT, TOOL, USER

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        users, others = self._by(source, USER), self._by(source, DOCUMENT, TOOL)
        return places(_chosen(self._flags(source), users, others, model=model))

    def links(self, source: Source) -> list[int]:
        """Return the records whose answer has a link."""
        return places(_has(self._flags(source), flag.LINK)) if "output" in source.field else []

    def _flags(self, source: Source) -> flag.Flags:
        return screened(self._rows).flags(source.column, self._files)

    def _by(self, source: Source, *roles: str) -> Chosen:
        if source.roles:
            return np.array([role in roles for role in source.roles])
        return np.full(self._rows.count, source.role in roles)


def among(flags: flag.Flags, roles: Sequence[str], *, model: bool = False) -> Chosen:
    """Return which of some messages are suspicious in the same way, by their flags and the roles of their fields."""
    users, others = np.array([role == USER for role in roles]), np.array([role in (DOCUMENT, TOOL) for role in roles])
    return _chosen(flags, users, others, model=model)


def hidden(bits: int) -> Hidden:
    """Return what may be hidden in a text with these flags."""
    return Hidden(odd=bits & flag.ODD > 0, leet=bits & flag.LEETED > 0)


def _chosen(flags: flag.Flags, users: Chosen, others: Chosen, *, model: bool) -> Chosen:
    users = users | _has(flags, flag.SAID_USER)
    others = others | _has(flags, flag.SAID_TOOL) | users & _has(flags, flag.TAG)
    of_users, of_others = flag.USER, flag.OTHER
    if model:
        of_users, of_others = of_users | flag.LIKELY_USER, of_others | flag.LIKELY_OTHER
    found = users & _has(flags, of_users) | others & _has(flags, of_others)
    return found | (users | others) & _has(flags, flag.ODD)


def _has(flags: flag.Flags, bits: int) -> Chosen:
    return (flags & bits) > 0
