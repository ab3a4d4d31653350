"""What the lines of one shape depend on, learnt from one of them.

A `Plan` names the words of a line that decide how it is read: those of its time and, where they have digits, those that
are its service, status or priority. A `Verdict` is what lines that agree in these words say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.parse import stacktraces
from treering.parse.fields import Document
from treering.parse.holding import CLOSING
from treering.parse.joining import TEXT, Node
from treering.parse.records import surround
from treering.parse.times import TimeParser
from treering.parse.timeshapes import STARTS
from treering.parse.words import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.stage.parser import LineFormat, Record

# Of a line without a time, so many words at its beginning must have their digits in the same places.
_HEAD = 12
_MOST_WORDS = 400
_TO_SECONDS = re.compile(r".*\d\d?:\d\d(:\d\d(?:[.,]\d{1,9})?Z?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Plan:
    """The words that matter: by their letters, by all but their digits, and for the minute.

    `time` is the first and last word of the time, the characters of the first before it and of the last after it.
    """

    letters: tuple[int, ...]
    alike: tuple[int, ...]
    minute: tuple[int, ...] = ()
    time: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a group of lines says: its format, one of its records, its plan."""

    format: str
    record: Record
    plan: Plan

    @property
    def outcome(self) -> tuple[str, int | None, str | None]:
        """Format, severity and service."""
        return self.format, self.record.get("severityNumber"), self.record.get("serviceName")

    @property
    def is_text(self) -> bool:
        """Whether no format explains the lines."""
        return self.format == TEXT


class _Traced(TimeParser):
    """Remembers the texts that were read as instants."""

    def __init__(self, times: TimeParser) -> None:
        super().__init__(times.zone, times.reference_ns)
        self.seen: list[tuple[str, int]] = []

    def __call__(self, text: str) -> int | None:
        value = super().__call__(text)
        if value is not None and len(self.seen) < 64:
            self.seen.append((text, value))
        return value


class Planner:
    """Reads single lines and tells what they depend on."""

    def __init__(self, times: TimeParser, active: list[LineFormat], accepts: Callable[[Record], bool]) -> None:
        """Read as the stream of `times` does, whose `active` formats are asked first."""
        self._times = _Traced(times)
        self._counted: list[str] = []
        self._node = Node(self._times, self._counted.append)
        self._node.recogniser.active = active
        self._accepts = accepts

    def plan(self, lines: Sequence[str]) -> Plan | None:
        """Return the words on which lines of the shape of `lines` depend, or None when these must be read."""
        return next((plan for line in lines if (plan := self._plan(line)) is not None), None)

    def _plan(self, line: str) -> Plan | None:
        read = self._alone(line)
        if read is None:
            return None
        _, record = read
        words = spans(line)
        if len(words) > _MOST_WORDS:
            return None
        letters = self._telling(line, record, words)
        if letters is None:
            return None
        moment = record.get("@timestamp")
        if moment is None:
            head = [number for number, (begin, end) in enumerate(words[:_HEAD]) if _has_digit(line[begin:end])]
            return Plan(letters, tuple(head))
        return self._dated(line, moment, words, letters)

    def verdict(self, line: str, plan: Plan) -> Verdict | None:
        """Return what `line` and those that agree with it in the plan's words say; None when it must be read."""
        read = self._alone(line)
        if read is None or self._time(line, plan) != read[1].get("@timestamp"):
            return None
        return Verdict(read[0], read[1], plan)

    def _time(self, line: str, plan: Plan) -> int | None:
        if plan.time is None:
            return None
        first, last, skip, left = plan.time
        words = spans(line)
        return self._times(line[words[first][0] + skip : words[last][1] - left])

    def _alone(self, line: str) -> tuple[str, Record] | None:
        """Return format and record of a line that stands for itself."""
        self._counted.clear()
        self._times.seen.clear()
        taken = self._node.take([line])
        whole = not self._node.partial
        taken += self._node.rest()
        if len(taken) != 1 or not whole or len(self._counted) != 1:
            return None
        (record, tag), name = taken[0], self._counted[0]
        record = surround(tag, record) if tag else record
        body = record.get("body")
        if type(record) is Document or not isinstance(body, str) or not body or not self._accepts(record):
            return None
        if ":" in name and not name.startswith("syslog:"):
            return None
        if body[0].isspace() or stacktraces.opens(body) or stacktraces.is_frame(body) or "\n" in body:
            return None
        if name == TEXT and (line[0].isspace() or CLOSING.fullmatch(line)):
            return None
        return name, record

    def _telling(self, line: str, record: Record, words: Sequence[tuple[int, int]]) -> tuple[int, ...] | None:
        """Return the words with digits that are the service, the status, or the priority or level at the very start.

        None when it is unclear which they are.
        """
        attributes = record.get("attributes", {})
        status = attributes.get("http.response.status_code")
        values = record.get("serviceName"), None if status is None else str(status)
        wanted = {text for text in values if isinstance(text, str) and _has_digit(text)}
        texts = [line[begin:end] for begin, end in words]
        if any(texts.count(text) != 1 for text in wanted):
            return None
        # `<34>` is a priority, the letter of `I1124` a level.
        start = {1} if line[0] == "<" else {0} if texts[0][0].isalpha() and _has_digit(texts[0]) else set()
        return tuple(start | {texts.index(text) for text in wanted})

    def _dated(self, line: str, moment: int, words: Sequence[tuple[int, int]], letters: tuple[int, ...]) -> Plan | None:
        place = self._place(line, moment)
        if place is None:
            return None
        begin, end = place
        inside = [number for number, span in enumerate(words) if span[0] < end and span[1] > begin]
        seconds = _TO_SECONDS.fullmatch(line[begin:end])
        minute = inside
        if seconds is not None:
            cut = begin + seconds.start(1)
            minute = [number for number in inside if words[number][0] < cut]
        skip, left = begin - words[inside[0]][0], words[inside[-1]][1] - end
        return Plan(letters, tuple(inside), tuple(minute), (inside[0], inside[-1], skip, left))

    def _place(self, line: str, moment: int) -> tuple[int, int] | None:
        """Return where the text of the instant `moment` stands in the line."""
        for text, value in self._times.seen:
            if value == moment and line.count(text) == 1:
                begin = line.index(text)
                return begin, begin + len(text)
        for found in STARTS.finditer(line, 0, 300):
            if self._times(found["time"]) == moment:
                return found.span("time")
        return None


def _has_digit(text: str) -> bool:
    return any(letter in "0123456789" for letter in text)
