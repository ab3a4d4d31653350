"""`View`: a rewritten text that knows where each of its characters came from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Edit = tuple[int, int, str]
"""A stretch of a text (start included, end excluded) and what stands in its place."""


class Back(Protocol):
    """Maps a span of a rewritten text to a span of the text before."""

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        """Return the span before; `start` < `end` within the rewritten text."""
        ...


class Edits:
    """Replaced stretches of a text, in order and apart from each other."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        """Remember where `edits` put what."""
        self._edits = edits
        self._starts: list[int] = []
        shift = 0
        for start, end, new in edits:
            self._starts.append(start + shift)
            shift += len(new) - (end - start)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Return the span before; what touches a replacement covers all of what it replaced."""
        first = self._locate(start)[0]
        return first, max(first, self._locate(end - 1)[1])

    def _locate(self, at: int) -> tuple[int, int]:
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return at, at + 1
        start, end, new = self._edits[index]
        beyond = at - self._starts[index] - len(new)
        return (start, end) if beyond < 0 else (end + beyond, end + beyond + 1)


def rewrite(text: str, edits: Sequence[Edit]) -> str:
    """Return `text` with `edits` made."""
    parts, at = [], 0
    for start, end, new in edits:
        parts += [text[at:start], new]
        at = end
    parts.append(text[at:])
    return "".join(parts)


@dataclass(slots=True)
class View:
    """`text` in lower case, how it came about (`kinds`, outermost first), and the way back to the original.

    `cased` is the same text before its case was dropped; both have the same length.
    """

    text: str
    cased: str
    kinds: tuple[str, ...] = ()
    parent: View | None = None
    step: Callable[[], Back] | None = None
    _back: Back | None = field(default=None, repr=False)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original text that `text[start:end]` was made from; clipped to what exists."""
        end = max(0, min(end, len(self.text)))
        start = max(0, min(start, end))
        if start == end:
            start, end = (start - 1, end) if start else (0, min(1, len(self.text)))
        if self._back is None and self.step is not None and end:
            self._back = self.step()
        if self._back is not None and end:
            start, end = self._back(start, end)
        return self.parent.origin(start, end) if self.parent else (start, end)
