"""Things that happen again and again, told as one: events of a subject that follow each other within a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Episode(msgspec.Struct):
    """First, newest and number of the events so far; `marks` are the instants of the newest few."""

    start_ns: int
    end_ns: int
    count: int = 0
    marks: list[int] = []


class Episodes(msgspec.Struct):
    """The open episode of each subject, at most `most` of them: the one that was quiet longest goes first."""

    gap_ns: int
    most: int = 2000
    kept: int = 64
    open: dict[str, Episode] = {}

    def note(self, subject: Sequence[str], at_ns: int) -> Episode:
        """Add an event and return the episode it belongs to.

        An event from before the open episode, by no more than the gap, belongs to it without moving its start, which
        is in the keys of findings.
        """
        name = "\0".join(subject)
        held = self.open.pop(name, None)
        if held is None or at_ns - held.end_ns > self.gap_ns or held.start_ns - at_ns > self.gap_ns:
            held = Episode(at_ns, at_ns)
        held.end_ns = max(held.end_ns, at_ns)
        held.count += 1
        held.marks = sorted({*held.marks, at_ns})[-self.kept :]
        self.open[name] = held
        if len(self.open) > self.most:
            del self.open[next(iter(self.open))]
        return held
