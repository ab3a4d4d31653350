"""From the bytes of one file to records and batches: each kind of content its own way.

JSON documents for a stream of their own stay as they are, OTLP JSON lines (the Collector's file exporter) become logs,
spans and metrics, and everything else goes through the log reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treering.core.errors import DecodeError, UserError
from treering.model.batch import Batch, batch
from treering.parse.otlp import Signal, decode_json
from treering.receive._json_lines import PREVIEW, JsonLines, Lines, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treering.parse.reader import Reader

SNIFF = 64 << 10
FORMATS = ("auto", "json", "otlp", "log")
_OTLP_KEYS = {"resourceLogs": Signal.LOGS, "resourceSpans": Signal.TRACES, "resourceMetrics": Signal.METRICS}
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


class Records:
    """Reads one file or stream whose records belong to `stream`."""

    def __init__(
        self,
        stream: str,
        now_ns: Callable[[], int],
        kind: str = "auto",
        name: str = "",
        defaults: Mapping[str, Any] | None = None,
        reader: Callable[..., Reader] | None = None,
    ) -> None:
        """Read content of `kind`, one of `FORMATS`; `name` is the file's. Raises `UserError` for another kind.

        Log records take from `defaults` what they do not say themselves; `reader` makes their reader.
        """
        if kind not in FORMATS:
            raise UserError(f"unknown format {kind[:40]!r}", hint=f"known: {', '.join(FORMATS)}")
        self.stream = stream
        self._now_ns = now_ns
        self._kind = kind
        self._name = name
        self._defaults = defaults or {}
        self._reader = reader
        self._head = b""
        self.content: Content | None = None

    @property
    def held(self) -> int:
        """Bytes taken in that may not have come out yet, never too few."""
        return len(self._head) if self.content is None else self.content.held

    def feed(self, data: bytes) -> Found:
        """Return the records that `data` completes."""
        if self.content is None:
            self._head += data
            if b"\n" not in self._head and len(self._head) < SNIFF:
                return Found()
            return self._begin()
        return self.content.feed(data)

    def flush(self) -> Found:
        """Return a record that waits for more lines: nothing came for a while."""
        return Found() if self.content is None else self.content.flush()

    def end(self) -> Found:
        """Return what was held back: the stream is over."""
        if self.content is not None:
            return self.content.end()
        if not self._head:
            return Found()
        first, last = self._begin(), self.content.end() if self.content else Found()
        return _joined(first, last)

    def _begin(self) -> Found:
        self.content = self._choose(_first_object(self._head))
        data, self._head = self._head, b""
        return self.content.feed(data)

    def _choose(self, first: dict[str, msgspec.Raw] | None) -> Content:
        if self._kind == "otlp" or (self._kind == "auto" and first is not None and first.keys() & _OTLP_KEYS.keys()):
            return OtlpLines(self._now_ns)
        if self._kind == "json" or (self._kind == "auto" and first is not None and self.stream != "logs"):
            return Documents(self.stream)
        return Logs(self.stream, self._now_ns(), self._name, self._defaults, self._reader)


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
        known = _first_object(line) or {}
        signals = [signal for key, signal in _OTLP_KEYS.items() if key in known]
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


@dataclass(slots=True)
class Decoded:
    """What came out of some bytes, ready for the store."""

    batches: list[Batch] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The number of records."""
        return sum(part.rows for part in self.batches)


class Decoder:
    """`Records` as batches."""

    def __init__(
        self,
        stream: str,
        now_ns: Callable[[], int],
        kind: str = "auto",
        name: str = "",
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """Decode as `Records` does."""
        self._records = Records(stream, now_ns, kind, name, defaults)
        self._now_ns = now_ns

    @property
    def held(self) -> int:
        """Bytes taken in that may not have come out yet, never too few."""
        return self._records.held

    def feed(self, data: bytes) -> Decoded:
        """Return the batches that `data` completes."""
        return self._decoded(self._records.feed(data))

    def flush(self) -> Decoded:
        """Return a record that waits for more lines: nothing came for a while."""
        return self._decoded(self._records.flush())

    def end(self) -> Decoded:
        """Return what was held back: the stream is over."""
        return self._decoded(self._records.end())

    def _decoded(self, found: Found) -> Decoded:
        now = self._now_ns()
        batches = [batch(stream, records, received_ns=now) for stream, records in found.records.items() if records]
        return Decoded(batches, found.rejected)


def _first_object(head: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of the first line that is not blank, or None when it is no JSON object."""
    for line in head.split(b"\n", 64)[:64]:
        if line and not line.isspace():
            try:
                return _members.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
    return None


def _joined(first: Found, second: Found) -> Found:
    for stream, records in second.records.items():
        first.records.setdefault(stream, []).extend(records)
    return Found(first.records, first.rejected + second.rejected)
