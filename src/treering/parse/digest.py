"""`Digest`: a log counted by the shapes of its lines instead of read record by record.

Lines that differ only in their digits are one thing said several times. The first of them is read as `Reader` would
read it; of the others only the words are looked at on which time, level and service depend, for many lines at once.
Lines that may belong together (stack traces, continuation lines), that no format explains in the same way for all their
shape, or whose shape came only once are read as ever. What comes out counts the same as the records would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.parse.reader import Reader
from treering.parse.shapeplans import Planner
from treering.parse.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.parse.joining import Tagged
    from treering.parse.lines import Lines
    from treering.parse.shapeplans import Plan, Verdict
    from treering.stage.parser import Record

    Source = tuple[Words, Sequence[str]]

MINUTE = 60 * 10**9
_MOST = 100_000
_PIECE = 8192
_LONGEST = 1200
_TRIED = 4
# So many lines of a shape with numbers of different lengths, all judged alike, stand for the rest.
_ENOUGH, _NEVER = 32, -(2**40)
# After a piece with this share of lines that had to be read, the next ones are read without looking at their shapes.
_HOPELESS, _PAUSE = 0.8, 16
_SLOW = -1
_UNDATED = -(2**62)


@dataclass(slots=True)
class Group:
    """Lines that say the same: how many, in which minutes since 1970, a time in the first minute and in the last."""

    verdict: Verdict
    count: int
    minutes: dict[int, int] = field(default_factory=dict)
    first_ns: int | None = None
    last_ns: int | None = None


class Digest(Reader):
    """A reader that hands out most lines as groups (`take_groups`) and only the others as records."""

    def __init__(
        self,
        *args: Any,
        accepts: Callable[[Record], bool] = lambda _: True,
        heard: Callable[[Sequence[str]], None] = lambda _: None,
        **options: Any,
    ) -> None:
        """Read as `Reader` does; records that `accepts` refuses are never counted by their shape.

        `heard` is told every line that is not blank, in order, before it is read.
        """
        super().__init__(*args, **options)
        self._heard = heard
        self._planner = Planner(self._times, self._node.recogniser.active, accepts)
        self._plans: dict[int, Plan | None] = {}
        self._once: set[int] = set()
        self._verdicts: dict[tuple[int, int], int] = {}
        self._known: list[Verdict] = []
        self._outcomes: dict[int, tuple[int, int]] = {}
        self._minutes: dict[int, int] = {}
        self._groups: list[Group] = []
        self._pause = 0

    def take_groups(self) -> list[Group]:
        """Return the groups that came together since the last call."""
        groups, self._groups = self._groups, []
        return groups

    def _read(self, lines: Lines) -> list[Tagged]:
        if lines.texts:
            self._heard(lines.texts)
        if lines.raws or self.mode == "documents":
            return super()._read(lines)
        out: list[Tagged] = []
        for start in range(0, len(lines.texts), _PIECE):
            piece = lines.texts[start : start + _PIECE]
            if self._pause:
                self._pause -= 1
                out += self._node.take(piece)
            else:
                self._piece(piece, out)
        return out

    def _piece(self, texts: Sequence[str], out: list[Tagged]) -> None:
        longest = max(map(len, texts))
        words = Words(texts if longest <= _LONGEST else [text[:_LONGEST] for text in texts])
        found = np.full(len(texts), _SLOW, dtype=np.int64)
        minutes = np.full(len(texts), _UNDATED, dtype=np.int64)
        shapes, inverse, counts = np.unique(words.shapes, return_inverse=True, return_counts=True)
        order = np.argsort(inverse, kind="stable")
        bounds = np.concatenate(([0], np.cumsum(counts))).tolist()
        # Of lines that are cut only the beginning is known here: they are read.
        whole = np.fromiter((len(text) <= _LONGEST for text in texts), dtype=bool, count=len(texts))
        for number, shape in enumerate(shapes.tolist()):
            rows = order[bounds[number] : bounds[number + 1]]
            rows = rows[whole[rows]]
            if len(rows) and (plan := self._plan(shape, texts, rows)) is not None:
                self._judge(shape, plan, rows, (words, texts), found, minutes)
        self._settle(texts, words, found, minutes, out)

    def _plan(self, shape: int, texts: Sequence[str], rows: Any) -> Plan | None:
        """Return what lines of a shape depend on, or None when they must be read."""
        if shape in self._plans:
            return self._plans[shape]
        if len(rows) < 2 and shape not in self._once:
            if len(self._once) < _MOST:
                self._once.add(shape)
            return None
        if len(self._plans) >= _MOST:
            return None
        self._plans[shape] = plan = self._planner.plan([texts[row] for row in rows[:_TRIED].tolist()])
        return plan

    def _judge(self, shape: int, plan: Plan, rows: Any, source: Source, found: Any, minutes: Any) -> None:
        """Find the verdict and the minute of `rows`, all of one shape."""
        words, texts = source
        keys, first, inverse = _distinct(words.keys(rows, plan.letters, plan.alike))
        numbers = np.empty(len(keys), dtype=np.int64)
        for place, key in enumerate(keys):
            verdict = self._verdicts.get((shape, key))
            if verdict is None:
                verdict = self._agreed(shape, plan)
                if verdict is None:
                    verdict = self._verdicts[shape, key] = self._learn(texts[int(rows[first[place]])], plan, shape)
            numbers[place] = verdict
        found[rows] = numbers[inverse]
        if plan.time is not None:
            self._date(plan, rows, words, found, minutes)

    def _agreed(self, shape: int, plan: Plan) -> int | None:
        """Return the verdict on which all of many undated lines of a shape agreed, whatever their numbers' lengths."""
        number, times = self._outcomes.get(shape, (_SLOW, 0))
        return number if times >= _ENOUGH and plan.time is None and not plan.letters else None

    def _learn(self, text: str, plan: Plan, shape: int) -> int:
        if len(self._known) >= _MOST:
            return _SLOW
        verdict = self._planner.verdict(text, plan)
        before, times = self._outcomes.get(shape, (_SLOW, 0))
        if verdict is None:
            self._outcomes[shape] = _SLOW, _NEVER
            return _SLOW
        same = times == 0 or (times > 0 and self._known[before].outcome == verdict.outcome)
        self._known.append(verdict)
        self._outcomes[shape] = (len(self._known) - 1, times + 1) if same else (_SLOW, _NEVER)
        return len(self._known) - 1

    def _date(self, plan: Plan, rows: Any, words: Words, found: Any, minutes: Any) -> None:
        keys, first, inverse = _distinct(words.keys(rows, plan.minute))
        known = self._minutes
        values = np.empty(len(keys), dtype=np.int64)
        for place, key in enumerate(keys):
            minute = known.get(key)
            if minute is None:
                moment = self._moment(plan, int(rows[first[place]]), words)
                minute = _UNDATED if moment is None else moment // MINUTE
                if len(known) >= _MOST:
                    known.clear()
                known[key] = minute
            values[place] = minute
        minutes[rows] = dated = values[inverse]
        found[rows[dated == _UNDATED]] = _SLOW

    def _moment(self, plan: Plan, row: int, words: Words) -> int | None:
        assert plan.time is not None
        first, last, skip, left = plan.time
        text = words.text(row, first, last)
        return self._times(text[skip : len(text) - left])

    def _settle(self, texts: Sequence[str], words: Words, found: Any, minutes: Any, out: list[Tagged]) -> None:
        """Read the lines that need it, in order, and group the others."""
        slow = found == _SLOW
        before = slow.copy()
        slow[:-1] |= before[1:]  # what follows may belong to it
        slow[-1] = True
        if self._known:
            text = np.array([verdict.is_text for verdict in self._known])[found] & ~before
            slow[1:] |= text[1:] & before[:-1]
        share = float(np.count_nonzero(slow)) / len(texts)
        self._pause = _PAUSE if share > _HOPELESS and len(texts) == _PIECE else 0
        self._read_runs(texts, slow, out)
        fast = np.flatnonzero(~slow)
        if not len(fast):
            return
        numbers = found[fast]
        order = np.argsort(numbers, kind="stable")
        fast, numbers = fast[order], numbers[order]
        cuts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1], [True]))).tolist()
        for begin, end in pairwise(cuts):
            self._group(self._known[int(numbers[begin])], fast[begin:end], words, minutes)

    def _read_runs(self, texts: Sequence[str], slow: Any, out: list[Tagged]) -> None:
        edges = np.flatnonzero(np.diff(np.concatenate(([False], slow, [False])).astype(np.int8))).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if begin:
                self._node.settle(out)
            out += self._node.take(texts[begin:end])

    def _group(self, verdict: Verdict, rows: Any, words: Words, minutes: Any) -> None:
        group = Group(verdict, len(rows))
        self.formats[verdict.format] = self.formats.get(verdict.format, 0) + len(rows)
        if verdict.plan.time is not None:
            values, counts = np.unique(minutes[rows], return_counts=True)
            group.minutes = dict(zip(values.tolist(), counts.tolist(), strict=True))
            group.first_ns = self._moment(verdict.plan, int(rows[np.argmin(minutes[rows])]), words)
            group.last_ns = self._moment(verdict.plan, int(rows[-1 - np.argmax(minutes[rows][::-1])]), words)
        self._groups.append(group)


def _distinct(keys: Any) -> tuple[list[int], Any, Any]:
    """Return the different keys, where each is first, and the number of each row's key."""
    if (keys == keys[0]).all():
        return [int(keys[0])], np.zeros(1, dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
    found, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return found.tolist(), first, inverse
