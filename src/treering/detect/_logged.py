"""Plain lines of logs in which somebody may speak to a model: what was sent, printed by whoever received it.

An access line with a prompt in its address, an application that logs what it is asked, a body of JSON. Nearly all
lines are neither, so only those are read that have a phrase's words *and* enough words of attacks (`_screen`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from treering.detect import _screen as flag
from treering.detect._prompt_scan import Hidden
from treering.detect._screen import places, screen
from treering.detect._screened import screened
from treering.detect._texts import Text, is_sent, sources
from treering.model.buffers import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

LOG = "log"
LEAST = 0.8
"""Score from which a line is told of: most lines that have such words report of something else."""
_MOST_CHARACTERS = 100_000


def lines(rows: Rows, files: tuple[str, ...]) -> Iterator[tuple[Text, Hidden]]:
    """Yield the suspicious fields of records that are no telemetry of AI, and what may be hidden in them.

    `files` are further phrases, as the detector has them.
    """
    if rows.stream != "logs":
        return
    spoken, plain = {source.column for source in sources(rows)}, _plain(rows)
    for name in filter(is_sent, rows.names):
        if name in spoken and name != "body":
            continue
        flags = screened(rows).flags(name, files)
        chosen = places(plain & ((flags & flag.USER) > 0) & ((flags & flag.LIKELY_OTHER) > 0))
        for place, value in zip(chosen, rows.at(name, chosen) if chosen else (), strict=True):
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            bits = int(flags[place])
            hidden = Hidden(odd=bits & flag.ODD > 0, leet=bits & flag.LEETED > 0)
            yield Text(place, LOG, text[:_MOST_CHARACTERS], name), hidden


def spoken(said: Sequence[str]) -> list[int]:
    """Return the numbers of the lines that `lines` would read."""
    raw = [line.encode("utf-8", "replace") for line in said]
    ends = np.cumsum([0, *map(len, raw)])
    flags = screen().look(Texts(np.frombuffer(b"".join(raw), np.uint8), ends), json=False)
    return places(((flags & flag.USER) > 0) & ((flags & flag.LIKELY_OTHER) > 0))


def _plain(rows: Rows) -> NDArray[np.bool_]:
    """Return which records are no event of a model call."""
    plain = np.ones(rows.count, dtype=bool)
    for source in sources(rows):
        if source.roles:
            plain &= np.array([role is None for role in source.roles])
    return plain
