"""A record that lines may still follow: which lines belong to it, and what it is when they are all there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.parse import stacktraces
from treering.parse.records import finish_trace, with_originals
from treering.parse.severity import WARN

if TYPE_CHECKING:
    from treering.stage.parser import LineFormat, Record

MAX_JOINED = 1 << 20
CLOSING = re.compile(r"[\])}]+[,;]?")
_SECOND = 1_000_000_000


class Held:
    """A record that is held back, with the lines that followed it."""

    __slots__ = ("_lines", "_size", "_traced", "form", "record", "since", "tag")

    def __init__(self, record: Record, form: LineFormat | None, tag: Record | None, since: int) -> None:
        """Hold `record` of `form` (None: text) with its tag since line number `since`."""
        self.record = record
        self.form = form
        self.tag = tag
        self.since = since
        self._lines: list[str] = []
        self._size = 0
        body = record.get("body", "")
        # The latest line of a stack trace that is being read; None outside one.
        self._traced: str | None = body if body and stacktraces.opens(body) else None

    def takes(self, line: str, tag: Record | None) -> bool:
        """Add `line`, which no format explains, if it belongs to the record; tell whether it did."""
        if self._size + len(line) > MAX_JOINED:
            return False
        goes_on = line[0] in " \t" or CLOSING.fullmatch(line) is not None
        if self._traced is not None:
            traced = goes_on = goes_on or stacktraces.continues(line, self._traced)
        elif stacktraces.is_frame(line):
            traced = goes_on = True
        elif self.form is None:
            return False
        else:
            # A trace under an error belongs to it; under anything else it is a crash of its own.
            traced = stacktraces.opens(line) and self.record.get("severityNumber", 0) >= WARN
            goes_on = goes_on or traced
        if goes_on:
            self._add(line, tag, traced=traced)
        return goes_on

    def takes_record(self, form: LineFormat, record: Record, tag: Record | None) -> bool:
        """Add `record` if it is one more line of this record's trace under the same header; tell whether it was.

        Some loggers (vLLM, journald) head every line of a message.
        """
        body = record.get("body")
        if self.form is not form or form.finish or not body or self._size + len(body) > MAX_JOINED:
            return False
        if self._traced is None:
            severe = self.record.get("severityNumber", 0) >= WARN
            if not (severe and stacktraces.opens(body) and stacktraces.holds_trace(body)):
                return False
        elif not (body[0].isspace() or stacktraces.continues(body, self._traced)):
            return False
        if abs(record.get("@timestamp", 0) - self.record.get("@timestamp", 0)) > _SECOND:
            return False
        if {**record, "body": "", "@timestamp": 0} != {**self.record, "body": "", "@timestamp": 0}:
            return False
        self._add(body, tag, traced=True)
        return True

    def _add(self, line: str, tag: Record | None, *, traced: bool) -> None:
        self._lines.append(line)
        self._size += len(line) + 1
        self.tag = with_originals(self.tag, tag)
        if traced:
            self._traced = line

    def finished(self) -> Record:
        """Return the record with everything that its lines say."""
        record, lines, form = self.record, self._lines, self.form
        if lines and form is not None and form.finish is not None and form.finish(record, lines):
            return record
        if self._traced is not None:
            finish_trace(record, lines)
        elif lines:
            # A header of its own line says nothing yet: the message is the indented lines below it.
            record["body"] = "\n".join(
                [body, *lines] if (body := record.get("body", "")) else [lines[0].lstrip(), *lines[1:]]
            )
        return record
