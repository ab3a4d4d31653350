"""Log messages counted by their templates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from treering.model.times import format_ns
from treering.parse.digest import MINUTE
from treering.parse.novelty import Settings, TemplateWatch
from treering.parse.templates import Miner

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from treering.parse.digest import Group
    from treering.parse.novelty import Change

_MOST = 20_000
_MOST_CELLS = 500_000
_STEPS = 240
_AT_ONCE = 4096
_MOST_CHARACTERS = 400
_NEW_SHARE = 0.1


@dataclass(slots=True)
class _Pattern:
    text: str
    example: str
    count: int = 0
    first_ns: int | None = None
    levels: Counter[str | None] = field(default_factory=Counter)
    minutes: Counter[int] = field(default_factory=Counter)

    @property
    def level(self) -> str | None:
        """The level that most of its messages have."""
        return max(self.levels, key=lambda level: (self.levels[level], level or ""), default=None)

    def add(self, count: int, level: str | None, moment: int | None) -> None:
        """Count messages, the first of them at `moment`."""
        self.count += count
        self.levels[level] += count
        if moment is not None and (self.first_ns is None or moment < self.first_ns):
            self.first_ns = moment


class Patterns:
    """Counts messages by template (`treering.parse.templates`); beyond 20,000 templates the rest count together."""

    def __init__(self) -> None:
        """Start with none."""
        self._miner = Miner(_MOST)
        self._waiting: list[tuple[str, int | None, str | None]] = []
        self._counted: dict[str, _Pattern] = {}
        self.other = 0
        # Minutes of templates that are held; beyond the limit new ones are not, and `changes` knows less.
        self._cells = 0
        self._summed: dict[str, _Pattern] | None = None

    def name(self, message: str) -> str | None:
        """Return the template id of a message, or None when there are too many templates already."""
        self._count()
        if len(self._counted) >= _MOST:
            return None
        return self._miner.add([_first_line(message)])[0]

    def add_many(self, name: str | None, message: str, level: str | None, group: Group) -> None:
        """Count messages of one template id at once; `message` is one of them."""
        self._summed = None
        if name is None:
            self.other += group.count
            return
        pattern = self._counted.setdefault(name, _Pattern("", _first_line(message)))
        pattern.add(group.count, level, group.first_ns)
        for minute, count in group.minutes.items():
            self._minute(pattern, minute, count)

    def _minute(self, pattern: _Pattern, minute: int, count: int) -> None:
        if minute in pattern.minutes or self._cells < _MOST_CELLS:
            self._cells += minute not in pattern.minutes
            pattern.minutes[minute] += count

    def add(self, message: str, moment: int | None, level: str | None) -> None:
        """Count one message, its first line, at `moment` (nanoseconds)."""
        self._waiting.append((_first_line(message), moment, level))
        if len(self._waiting) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._summed = None
        if len(self._counted) >= _MOST:  # every further shape would cost a search among the others
            self.other += len(waiting)
            return
        names = self._miner.add([message for message, _, _ in waiting])
        for name, (message, moment, level) in zip(names, waiting, strict=True):
            pattern = self._counted.get(name)
            if pattern is None:
                pattern = self._counted[name] = _Pattern("", message)
            pattern.add(1, level, moment)
            if moment is not None:
                self._minute(pattern, moment // MINUTE, 1)

    @property
    def _found(self) -> dict[str, _Pattern]:
        """The patterns by template, those that have grown together since they were counted added up."""
        self._count()
        if self._summed is None:
            self._summed = self._sum()
        return self._summed

    def _sum(self) -> dict[str, _Pattern]:
        texts = {template.id: template.text for template in self._miner.templates()}
        found: dict[str, _Pattern] = {}
        for name, counted in self._counted.items():
            current = self._miner.resolve(name)
            pattern = found.get(current)
            if pattern is None:
                levels, minutes = counted.levels.copy(), counted.minutes.copy()
                text = texts.get(current, counted.example)
                found[current] = replace(counted, text=text, levels=levels, minutes=minutes)
                continue
            pattern.count += counted.count
            pattern.levels += counted.levels
            pattern.minutes += counted.minutes
            moments = [moment for moment in (pattern.first_ns, counted.first_ns) if moment is not None]
            pattern.first_ns = min(moments, default=None)
        return found

    def within(self, minutes: range, levels: Sequence[str]) -> str | None:
        """Return the most frequent pattern of some minutes since 1970, of those whose messages have one of `levels`."""
        sums = [
            (sum(one.minutes[minute] for minute in minutes), one.text)
            for one in self._found.values()
            if any(one.levels[level] for level in levels)
        ]
        count, text = max(sums, default=(0, ""))
        return text if count else None

    def loudest(self, count: int, levels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the most frequent patterns; with `levels` counting only messages that have one of them."""
        found = list(self._found.values())
        if levels:
            found.sort(key=lambda one: one.count)  # of as many, those first that always have it
            with_level = ((one, {level: one.levels[level] for level in levels if one.levels[level]}) for one in found)
            found = [replace(one, count=sum(held.values()), levels=Counter(held)) for one, held in with_level if held]
        else:
            found.sort(key=lambda one: one.text)
        return [_shown(one) for one in sorted(found, key=lambda one: -one.count)[:count]]

    def speaking(self, words: re.Pattern[str]) -> list[dict[str, Any]]:
        """Return the patterns, the most frequent first, that mostly state no level and have one of `words`."""
        found = [one for one in self._found.values() if one.level is None and words.search(one.text)]
        found.sort(key=lambda pattern: (-pattern.count, pattern.text))
        return [_shown(pattern) for pattern in found]

    def changes(self, first_ns: int | None, last_ns: int | None) -> list[dict[str, Any]]:
        """Return new, bursting and vanished patterns (`treering.parse.novelty`), in order of time.

        The span is judged in at most 240 steps of whole minutes; none where it is too short to know what is usual.
        """
        if first_ns is None or last_ns is None:
            return []
        width = max(1, -(-(last_ns - first_ns) // MINUTE // _STEPS)) * MINUTE
        watch = TemplateWatch(Settings(bucket_ns=width))
        found = self._found
        counts = [(minute, name, count) for name, one in found.items() for minute, count in one.minutes.items()]
        counts.sort()
        changes = watch.add((name, minute * MINUTE, count) for minute, name, count in counts) + watch.finish()
        changes.sort(key=lambda one: one.start_ns)
        return [_changed(change, found[change.template], width) for change in changes]

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


def _changed(change: Change, pattern: _Pattern, width: int) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "pattern": pattern.text,
        "level": pattern.level,
        "from": format_ns(change.start_ns),
        "to": format_ns(change.end_ns),
        "count": pattern.count if change.kind == "new" else change.count,
        "usual": round(change.usual, 1),
        "step_s": width // 10**9,
        "score": round(change.score, 2),
        "example": pattern.example,
    }


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
