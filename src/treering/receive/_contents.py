"""The kinds of content that files have: JSON documents, OTLP JSON lines, tables, logs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treering.core.errors import DecodeError
from treering.parse.lines import LineSplitter
from treering.parse.otlp import Signal, decode_json
from treering.receive._json_lines import PREVIEW, JsonLines, Lines, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.parse.reader import Reader
    from treering.stage.parser import Record

OTLP_KEYS = {"resourceLogs": Signal.LOGS, "resourceSpans": Signal.TRACES, "resourceMetrics": Signal.METRICS}
LARGEST = 64 << 20
_PRINTED = re.compile(rb'\s*\{\s*"resource(?:Spans|Logs|Metrics)"\s*:')
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(slots=True)
class Found:
    """What came out of some bytes: records by stream, and lines that could not become one."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


class Content(Protocol):
    """What turns pieces of one stream of bytes into records."""

    name: str

    @property
    def held(self) -> int:
        """Bytes taken in that may not have come out yet, never too few."""
        ...

    def feed(self, data: bytes) -> Found:
        """Return what `data` completes."""
        ...

    def flush(self) -> Found:
        """Return a record that waits for more lines: nothing came for a while."""
        ...

    def end(self) -> Found:
        """Return what was held back."""
        ...


class Documents:
    """JSON objects, one a line, kept as they are."""

    name = "json"

    def __init__(self, stream: str) -> None:
        """Put them into `stream`."""
        self._stream = stream
        self._lines = JsonLines()

    @property
    def held(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.held

    def feed(self, data: bytes) -> Found:
        """Return the documents that `data` completes."""
        return self._found(*self._lines.feed(data))

    def flush(self) -> Found:
        """Return nothing: a document ends with its line."""
        return Found()

    def end(self) -> Found:
        """Return the document of an unfinished last line."""
        return self._found(*self._lines.end())

    def _found(self, records: list[dict[str, Any]], rejected: list[Rejected]) -> Found:
        return Found({self._stream: records} if records else {}, rejected)


class OtlpLines:
    """OTLP export requests in JSON, one a line, as the Collector's file exporter writes them."""

    name = "otlp"

    def __init__(self, now_ns: Callable[[], int]) -> None:
        """Stamp records without a time with `now_ns()`."""
        self._now_ns = now_ns
        self._lines = Lines()

    @property
    def held(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.held

    def feed(self, data: bytes) -> Found:
        """Return the records of the requests that `data` completes."""
        return self._read(*self._lines.feed(data))

    def flush(self) -> Found:
        """Return nothing: a request ends with its line."""
        return Found()

    def end(self) -> Found:
        """Return the records of an unfinished last line."""
        return self._read(*self._lines.end())

    def _read(self, whole: bytes, rejected: list[Rejected]) -> Found:
        found = Found({}, rejected)
        for line in whole.split(b"\n"):
            if line and not line.isspace():
                self._request(line, found)
        return found

    def _request(self, line: bytes, found: Found) -> None:
        known = first_object(line) or {}
        signals = [signal for key, signal in OTLP_KEYS.items() if key in known]
        if not signals:
            found.rejected.append(Rejected("not an OTLP request", line[:PREVIEW]))
        for signal in signals:
            try:
                export = decode_json(signal, line, self._now_ns())
            except DecodeError:
                found.rejected.append(Rejected("malformed OTLP request", line[:PREVIEW]))
                continue
            found.records.setdefault(signal.stream, []).extend(export.records)
            found.rejected += [Rejected("malformed OTLP item", line[:PREVIEW])] * export.rejected


class OtlpDocument(OtlpLines):
    """One OTLP export request in JSON, printed over several lines."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        """Stamp records without a time with `now_ns()`."""
        super().__init__(now_ns)
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def held(self) -> int:
        """Bytes of the document."""
        return self._size

    def feed(self, data: bytes) -> Found:
        """Return nothing before the end."""
        self._size += len(data)
        if self._size <= LARGEST:
            self._pieces.append(data)
        return Found()

    def end(self) -> Found:
        """Return the records of the document."""
        whole = b" ".join(b"".join(self._pieces).split(b"\n"))
        size, self._pieces, self._size = self._size, [], 0
        if size > LARGEST:
            return Found({}, [Rejected("OTLP request larger than 64 MB", whole[:PREVIEW])])
        found = Found()
        self._request(whole, found)
        return found


class Rows(Protocol):
    """What reads the rows of one table."""

    @property
    def is_open(self) -> bool:
        """Whether a row goes on in the next line."""
        ...

    def feed(self, lines: Sequence[str]) -> tuple[list[Record], list[str]]:
        """Return the records of the rows that `lines` complete, and the rows that do not fit the columns."""
        ...

    def end(self) -> tuple[list[Record], list[str]]:
        """Return what was held back."""
        ...


class Tables:
    """A table, a record a row (`treering.parse.tables`, `treering.parse.directives`)."""

    def __init__(
        self, stream: str, table: Rows, heard: Callable[[Sequence[str]], None], *, begun: bool, name: str = "csv"
    ) -> None:
        """Put the rows into `stream` and tell `heard` the lines; unless `begun` the first one is the header."""
        self.name = name
        self._stream = stream
        self._lines = LineSplitter()
        self._table = table
        self._heard = heard
        self._begun = begun
        self.held = 0

    def feed(self, data: bytes) -> Found:
        """Return the records of the rows that `data` completes."""
        found = self._read(self._lines.feed(data).texts)
        # Rows come out in order: what is not out yet came after the last of them.
        self.held = len(data) + (0 if found.records else self.held)
        if data.endswith(b"\n") and not self._table.is_open:
            self.held = 0
        return found

    def flush(self) -> Found:
        """Return nothing: a row ends with its line."""
        return Found()

    def end(self) -> Found:
        """Return the record of an unfinished last row."""
        found = self._read(self._lines.end().texts)
        return joined(found, self._found(*self._table.end()))

    def _read(self, lines: Sequence[str]) -> Found:
        if not lines:
            return Found()
        self._heard(lines)
        found = self._found(*self._table.feed(lines if self._begun else lines[1:]))
        self._begun = True
        return found

    def _found(self, records: list[dict[str, Any]], strange: list[str]) -> Found:
        rejected = [Rejected("another number of cells than the header", row[:PREVIEW].encode()) for row in strange]
        rejected += [Rejected(*item) for item in self._lines.rejected]
        self._lines.rejected = []
        return Found({self._stream: records} if records else {}, rejected)


class Logs:
    """Any log format, found from the lines themselves (`treering.parse`)."""

    name = "log"

    def __init__(
        self,
        stream: str,
        now_ns: int,
        file_name: str,
        defaults: Mapping[str, Any],
        reader: Callable[..., Reader] | None = None,
    ) -> None:
        """Put records into `stream`; `now_ns` dates lines without a year."""
        from treering.parse.reader import Reader

        self._stream = stream
        self.reader = (reader or Reader)(defaults, now_ns=now_ns, file_name=file_name)
        self.held = 0

    def feed(self, data: bytes) -> Found:
        """Return the records that `data` completes; the last one may wait for lines that belong to it."""
        found = self._found(self.reader.feed(data))
        # Records come in order: the first one out is the one that waited, so only this piece can still be held.
        self.held = len(data) + (0 if found.records else self.held)
        return found

    def flush(self) -> Found:
        """Return the record that waits for lines that belong to it."""
        self.held = 0
        return self._found(self.reader.flush())

    def end(self) -> Found:
        """Return what was held back."""
        self.held = 0
        return self._found(self.reader.end())

    def _found(self, parsed: Any) -> Found:
        rejected = [Rejected(*item) for item in parsed.rejected]
        return Found({self._stream: parsed.records} if parsed.records else {}, rejected)


def is_printed_request(head: bytes) -> bool:
    """Whether a file that begins with `head` is one OTLP request over several lines."""
    return _PRINTED.match(head) is not None


def text(line: bytes) -> str:
    """Return a line as text."""
    return line.decode("utf-8", "replace").rstrip("\r")


def first_object(head: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of the first line that is not blank, or None when it is no JSON object."""
    for line in head.split(b"\n", 64)[:64]:
        if line and not line.isspace():
            try:
                return _members.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
    return None


def joined(first: Found, second: Found) -> Found:
    """Return both in order."""
    for stream, records in second.records.items():
        first.records.setdefault(stream, []).extend(records)
    return Found(first.records, first.rejected + second.rejected)
