"""The contract of line formats: how the lines of a log become records.

A format is a module of `treering.parse.formats`; its `build(config)` returns a `LineFormat`. Formats that are regular
are data (`treering/content/formats/*.json`) and need no module.

Must: return one entry per line, in order, None where the line is not of this format; keep everything the sender wrote
(what has no field in the model goes under `attributes`); be pure: same lines and times, same answer. Must not: read or
write anything, raise for any text, look at neighbouring lines to explain a line (joining lines is the reader's work),
take more than linear time. May: cache what it derives from a line's shape, within a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record: TypeAlias = dict[str, Any]


class Times(Protocol):
    """Reads instants with the zone and the reference instant of one stream."""

    def __call__(self, text: str) -> int | None:
        """Return the instant that the whole `text` names in nanoseconds since the epoch, or None."""
        ...

    def find(self, line: str, limit: int = 160) -> tuple[int, int, int] | None:
        """Return start, end and instant of the first time near the beginning of `line`, or None."""
        ...

    def epoch(self, number: float | str) -> int | None:
        """Return the instant of a number since the epoch whose size tells its unit, or None."""
        ...


@dataclass(slots=True)
class Wrapped:
    """A line that carries another log's line: `payload` is parsed again by whatever format it has.

    `outer` is what the wrapper itself says, as a record: the payload's own statements go before it. `key` tells apart
    the streams that are wrapped together, so that the lines of one traceback find each other. A payload that is not
    `complete` continues in the next line of the same key. With `guess` unset, a payload of no specific format is text
    as it stands. `single` says that each line is a message of its own, which only a stack trace may follow. `more` are
    further payloads of the same line.
    """

    outer: Record
    payload: str
    key: str = ""
    complete: bool = True
    guess: bool = True
    single: bool = False
    more: Sequence[Wrapped] = ()


@dataclass(slots=True, eq=False)
class LineFormat:
    """A format as the reader uses it.

    `rank` orders formats when several explain a line: the lowest wins. `begins` holds the characters that a line of
    the format can begin with (empty: any), and `hint` is a regular expression that matches at the start of every line
    of the format (empty: unknown): lines that cannot be of any format are passed over quickly. `multiline` says that a
    record may be followed by lines that belong to it; `finish` gets such a record and those lines and completes it, and
    returns False to leave the joining to the reader.
    """

    name: str
    parse: Callable[[Sequence[str], Times], list[Record | Wrapped | None]]
    rank: int = 50
    begins: frozenset[str] = frozenset()
    hint: str = ""
    multiline: bool = False
    finish: Callable[[Record, Sequence[str]], bool] | None = None
    title: str = ""

    def sniff(self, lines: Sequence[str], times: Times) -> float:
        """Return the share of `lines` that this format explains, 0 to 1."""
        if not lines:
            return 0.0
        return sum(entry is not None for entry in self.parse(lines, times)) / len(lines)
