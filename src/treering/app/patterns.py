"""Log messages counted by their templates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from treering.model.times import format_ns
from treering.parse.templates import Miner

_MOST = 20_000
_AT_ONCE = 4096
_MOST_CHARACTERS = 400
_NEW_SHARE = 0.1


@dataclass(slots=True)
class _Pattern:
    text: str
    example: str
    level: str | None
    count: int = 0
    first_ns: int | None = None


class Patterns:
    """Counts messages by template (`treering.parse.templates`); beyond 20,000 templates the rest count together."""

    def __init__(self) -> None:
        """Start with none."""
        self._miner = Miner(_MOST)
        self._waiting: list[tuple[str, int | None, str | None]] = []
        self._counted: dict[str, _Pattern] = {}
        self.other = 0

    def name(self, message: str) -> str | None:
        """Return the template id of a message, or None when there are too many templates already."""
        self._count()
        if len(self._counted) >= _MOST:
            return None
        return self._miner.add([_first_line(message)])[0]

    def add_many(self, name: str | None, message: str, count: int, moment: int | None, level: str | None) -> None:
        """Count messages of one template id at once; `message` is one of them, `moment` when the first was."""
        if name is None:
            self.other += count
            return
        pattern = self._counted.setdefault(name, _Pattern("", _first_line(message), level))
        pattern.count += count
        if moment is not None and (pattern.first_ns is None or moment < pattern.first_ns):
            pattern.first_ns = moment

    def add(self, message: str, moment: int | None, level: str | None) -> None:
        """Count one message, its first line, at `moment` (nanoseconds)."""
        self._waiting.append((_first_line(message), moment, level))
        if len(self._waiting) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        if len(self._counted) >= _MOST:  # every further shape would cost a search among the others
            self.other += len(waiting)
            return
        names = self._miner.add([message for message, _, _ in waiting])
        for name, (message, moment, level) in zip(names, waiting, strict=True):
            pattern = self._counted.get(name)
            if pattern is None:
                pattern = self._counted[name] = _Pattern("", message, level)
            pattern.count += 1
            if moment is not None and (pattern.first_ns is None or moment < pattern.first_ns):
                pattern.first_ns = moment

    @property
    def _found(self) -> dict[str, _Pattern]:
        """The patterns by template, those that have grown together since they were counted added up."""
        self._count()
        texts = {template.id: template.text for template in self._miner.templates()}
        found: dict[str, _Pattern] = {}
        for name, counted in self._counted.items():
            current = self._miner.resolve(name)
            pattern = found.get(current)
            if pattern is None:
                found[current] = replace(counted, text=texts.get(current, counted.example))
                continue
            pattern.count += counted.count
            moments = [moment for moment in (pattern.first_ns, counted.first_ns) if moment is not None]
            pattern.first_ns = min(moments, default=None)
        return found

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


def _first_line(message: str) -> str:
    return message[:_MOST_CHARACTERS].partition("\n")[0]


def _shown(pattern: _Pattern) -> dict[str, Any]:
    return {
        "pattern": pattern.text,
        "count": pattern.count,
        "level": pattern.level,
        "first": None if pattern.first_ns is None else format_ns(pattern.first_ns),
        "example": pattern.example,
    }
