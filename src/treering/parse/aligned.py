"""Tables whose columns are aligned with blanks, as `kubectl get` and Slurm's `sacct` and `squeue` print them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from treering.parse.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record

_FEWEST = 3
_LONGEST = 2000
_TITLE = re.compile(r"[A-Z][A-Z0-9()/%_.:+-]*(?: [A-Z][A-Z0-9()/%_.:+-]*)*")
_WORD = re.compile(r"[A-Z][A-Za-z0-9()/%_.:+-]*")
_RULER = re.compile(r"-{2,}(?: +-{2,})+ *")


def may_be_columns(line: str) -> bool:
    """Whether a line could name aligned columns: three words or more that look like titles."""
    return len(line) <= _LONGEST and len(words := line.split()) >= _FEWEST and all(map(_WORD.fullmatch, words))


def columns(line: str, second: str) -> tuple[tuple[str, int], ...] | None:
    """Return names, in small letters, and beginnings of the columns that `line` is the header of; None if it is none.

    A header has capitals only and two blanks between titles, or a second line of dashes under them.
    """
    if len(line) > _LONGEST:
        return None
    if _RULER.fullmatch(second):
        spans = [(found.start(), found.end()) for found in re.finditer("-+", second)]
        named = [(line[begin:end].strip().lower(), begin) for begin, end in spans]
    else:
        found = [(match.start(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", line.rstrip())]
        if not found or found[0][0] or not all(_TITLE.fullmatch(title) for _, title in found):
            return None
        named = [(title.lower(), begin) for begin, title in found]
        # The cell before each column ends in a blank, in the rows as well.
        if any(second[begin - 1 : begin] not in {" ", ""} for _, begin in named[1:]):
            return None
    names = [name for name, _ in named]
    return tuple(named) if len(names) >= _FEWEST and len(set(names)) == len(names) and all(names) else None


class AlignedTable(Table):
    """Reads the rows of one such table."""

    def __init__(self, named: Sequence[tuple[str, int]], **options: Any) -> None:
        """Read rows of the columns `named`; for the rest see `Table`."""
        super().__init__("", [name for name, _ in named], **options)
        begins = [begin for _, begin in named]
        self._spans = [*pairwise(begins), (begins[-1], _LONGEST * 100)]

    def feed(self, lines: Sequence[str]) -> tuple[list[Record], list[str]]:
        """Return a record for each line."""
        records: list[Record] = []
        for line in lines:
            if not _RULER.fullmatch(line):
                self.add([line[begin:end].strip() for begin, end in self._spans], records)
        return records, []
