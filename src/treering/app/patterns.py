"""Log messages with what varies in them masked, counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from treering.model.times import format_ns

_MOST = 20_000
_MOST_CHARACTERS = 400
_NEW_SHARE = 0.1
# One alternation, longest kinds first: a message is scanned once.
_VARYING = re.compile(
    r"""
    [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}   # UUID
  | \d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?       # time
  | "[^"]{0,200}" | '[^']{0,200}'
  | (?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\w.])                           # address
  | \b0x[0-9a-fA-F]+\b | \b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b                       # hexadecimal
  | [+-]?\d+(?:[.,]\d+)*
    """,
    re.VERBOSE,
)
_LONELY = re.compile(r"<\*>(?:[,:;/ ]{0,2}<\*>)+")


@dataclass(slots=True)
class _Pattern:
    text: str
    example: str
    level: str | None
    count: int = 0
    first_ns: int | None = None


def mask(message: str) -> str:
    """Return the first line of `message` with numbers, addresses, identifiers, times and quoted texts as `<*>`."""
    line = message[:_MOST_CHARACTERS].partition("\n")[0]
    return _LONELY.sub("<*>", _VARYING.sub("<*>", line)).strip()


class Patterns:
    """Counts messages by pattern; beyond 20,000 patterns new ones are counted together."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[str, _Pattern] = {}
        self.other = 0

    def add(self, message: str, moment: int | None, level: str | None) -> None:
        """Count one message at `moment` (nanoseconds)."""
        text = mask(message)
        pattern = self._found.get(text)
        if pattern is None:
            if len(self._found) >= _MOST:
                self.other += 1
                return
            pattern = self._found[text] = _Pattern(text, message[:_MOST_CHARACTERS], level)
        pattern.count += 1
        if moment is not None and (pattern.first_ns is None or moment < pattern.first_ns):
            pattern.first_ns = moment

    def loudest(self, count: int) -> list[dict[str, Any]]:
        """Return the most frequent patterns."""
        found = sorted(self._found.values(), key=lambda pattern: (-pattern.count, pattern.text))
        return [_shown(pattern) for pattern in found[:count]]

    def newest(self, count: int, first_ns: int | None, last_ns: int | None) -> list[dict[str, Any]]:
        """Return the patterns that first appeared in the last tenth of the time span, the latest first."""
        if first_ns is None or last_ns is None or first_ns == last_ns:
            return []
        since = last_ns - int((last_ns - first_ns) * _NEW_SHARE)
        found = [
            pattern for pattern in self._found.values() if pattern.first_ns is not None and pattern.first_ns >= since
        ]
        found.sort(key=lambda pattern: (-(pattern.first_ns or 0), pattern.text))
        return [_shown(pattern) for pattern in found[:count]]


def _shown(pattern: _Pattern) -> dict[str, Any]:
    return {
        "pattern": pattern.text,
        "count": pattern.count,
        "level": pattern.level,
        "first": None if pattern.first_ns is None else format_ns(pattern.first_ns),
        "example": pattern.example,
    }
