"""The contract of examiners: what `treering analyze` looks at besides counting.

An examiner sees each file's lines, records and groups of like lines in one pass and says in the end what it found
(`remarks`), what it could not judge (`unknown`), and its details (`details`, plain values for JSON).

Must: keep bounded state; say only what the data shows; take little time a line. Must not: read or write anything but
what it is given, raise for any text. May: ask by `wants` to see every record of a kind itself; others may reach it only
as one of a group. To add one, append its class to `EXAMINERS` in `treering.app.examiners`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.parse.digest import Group


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth a look. `weight` (0 to 100) orders remarks: the three heaviest are shown first.

    Around 90: something failed; 70: it is likely broken; 50: unusual; 30: good to know.
    """

    weight: float
    kind: str
    title: str
    detail: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is read: its name, when it was written last (None for standard input), and now, in nanoseconds."""

    name: str
    written_ns: int | None
    now_ns: int


class Examiner:
    """Looks at everything and finds nothing; a base for those that look at some of it."""

    name = ""

    def wants(self, record: Mapping[str, Any]) -> bool:  # noqa: ARG002  for those that come after
        """Whether records like this one must all come one by one."""
        return False

    def begin(self, file: File) -> None:
        """A file begins."""

    def lines(self, lines: Sequence[str]) -> None:
        """Some lines of the file, as they stand; none for OTLP and for JSON documents of another stream."""

    def record(self, record: Mapping[str, Any], stream: str) -> None:
        """A record that was read, and the stream it belongs to."""

    def group(self, group: Group) -> None:
        """Lines that say the same."""

    def end(self) -> None:
        """The file is over."""

    def judged(self) -> int:
        """Return how many files were of its kind as a whole; of these it knows better than counts of lines do."""
        return 0

    def remarks(self) -> list[Remark]:
        """Return what was found."""
        return []

    def unknown(self) -> list[str]:
        """Return what could not be judged, and why."""
        return []

    def details(self) -> Any:
        """Return everything as plain values; None when there was nothing of its kind."""
        return None
