"""Which format a line has: found from the lines of one stream, again whenever they change.

Formats that have explained a line before are asked first and for many lines at once; a line that none of them explains
is shown to all others whose lines can begin so. Formats that go by shape alone come last. The verdict on a line depends
on the lines before it and never on how they were cut into chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.parse.catalogue import candidates, hinted, may_match, weak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import LineFormat, Record, Times, Wrapped

    Entry = tuple[LineFormat | None, Record | Wrapped | None]


class Recogniser:
    """Explains the lines of one stream."""

    def __init__(self, times: Times, *, guess: bool = True) -> None:
        """Read instants with `times`; without `guess` only specific formats explain a line."""
        self.times = times
        self.guess = guess
        self.active: list[LineFormat] = []

    def explain(self, lines: Sequence[str]) -> list[Entry]:
        """Return the format and the record of each line, (None, None) for text without any shape."""
        out: list[Entry] = [(None, None)] * len(lines)
        left = self._ask(self.active, lines, out, range(len(lines)))
        position = 0
        shapeless: list[int] = []
        while position < len(left):
            index = left[position]
            position += 1
            found = self._discover(lines[index])
            if found is None:
                shapeless.append(index)
                continue
            out[index] = found
            chosen = found[0]
            assert chosen is not None
            self.active.append(chosen)
            self.active.sort(key=lambda one: (one.rank, one.name))
            left = self._ask([chosen], lines, out, left[position:])
            position = 0
        if self.guess and shapeless:
            self._ask(weak(), lines, out, shapeless)
        return out

    def _ask(
        self, formats: Sequence[LineFormat], lines: Sequence[str], out: list[Entry], left: Sequence[int]
    ) -> Sequence[int]:
        """Let `formats` explain the lines at `left`; return those that stay unexplained."""
        for one in formats:
            if not left:
                break
            asked = lines if len(left) == len(lines) else [lines[index] for index in left]
            entries = one.parse(asked, self.times)
            missed: list[int] = []
            for index, entry in zip(left, entries, strict=True):
                if entry is None:
                    missed.append(index)
                else:
                    out[index] = (one, entry)
            left = missed
        return left

    def _discover(self, line: str) -> Entry | None:
        if not may_match(line[0])(line):
            return None
        for one in candidates(line[0]):
            if one in self.active or not hinted(one)(line):
                continue
            entry = one.parse((line,), self.times)[0]
            if entry is not None:
                return one, entry
        return None
