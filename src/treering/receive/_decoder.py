"""From the bytes of one file to records and batches: each kind of content its own way.

JSON documents for a stream of their own stay as they are, OTLP JSON lines (the Collector's file exporter) become logs,
spans and metrics, tables with a header (CSV) or `#` lines (W3C extended, Zeek) a record a row, and everything else goes
through the log reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.model.batch import Batch, batch
from treering.parse.aligned import AlignedTable, columns, may_be_columns
from treering.parse.directives import DirectedTable, directed_kind
from treering.parse.records import surround
from treering.parse.tables import Table, header, may_be_header
from treering.parse.yaml_items import YamlItems, is_list
from treering.receive._contents import OTLP_KEYS, Documents, Found, Logs, OtlpLines, Tables, first_object, joined, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

    from treering.parse.reader import Reader
    from treering.receive._contents import Content
    from treering.receive._json_lines import Rejected

SNIFF = 64 << 10
FORMATS = ("auto", "json", "otlp", "csv", "log")


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
        heard: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        """Read content of `kind`, one of `FORMATS`; `name` is the file's. Raises `UserError` for another kind.

        Log records take from `defaults` what they do not say themselves; `reader` makes their reader. `heard` is told
        the lines of tables.
        """
        if kind not in FORMATS:
            raise UserError(f"unknown format {kind[:40]!r}", hint=f"known: {', '.join(FORMATS)}")
        self.stream = stream
        self._now_ns = now_ns
        self._kind = kind
        self._name = name
        self._defaults = defaults or {}
        self._reader = reader
        self._heard = heard
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
            if len(self._head) < SNIFF and not self._is_enough():
                return Found()
            return self._begin()
        return self.content.feed(data)

    def _is_enough(self) -> bool:
        """Whether the first line is there, and if it may be a header the second."""
        first, end, second = self._head.partition(b"\n")
        if not end or self._kind not in {"auto", "csv"}:
            return bool(end)
        named = text(first)
        if named.startswith("apiVersion:"):
            return b"\nitems:" in self._head
        return b"\n" in second.lstrip() or not (may_be_header(named) or may_be_columns(named))

    def resume(self, head: bytes) -> None:
        """Go on in the middle of a file that begins with `head`: a table's rows need the names in its first line."""
        if self._kind not in {"auto", "csv"} or self.content is not None:
            return
        if (directed := self._directed(head)) is not None:
            told = [line for line in head.split(b"\n")[:-1] if line.startswith(b"#")]
            directed.feed(b"".join(line + b"\n" for line in told))
            self.content = directed
        elif (named := self._named(head)) is not None:
            self.content = self._table(named, begun=True)

    def flush(self) -> Found:
        """Return a record that waits for more lines: nothing came for a while."""
        if self.content is None and b"\n" in self._head:
            return self._begin()
        return Found() if self.content is None else self.content.flush()

    def end(self) -> Found:
        """Return what was held back: the stream is over."""
        if self.content is not None:
            return self.content.end()
        if not self._head:
            return Found()
        first, last = self._begin(), self.content.end() if self.content else Found()
        return joined(first, last)

    def _begin(self) -> Found:
        self.content = self._choose(first_object(self._head))
        data, self._head = self._head, b""
        return self.content.feed(data)

    def _choose(self, first: dict[str, msgspec.Raw] | None) -> Content:
        if self._kind == "otlp" or (self._kind == "auto" and first is not None and first.keys() & OTLP_KEYS.keys()):
            return OtlpLines(self._now_ns)
        if self._kind == "json" or (self._kind == "auto" and first is not None and self.stream != "logs"):
            return Documents(self.stream)
        if self._kind in {"auto", "csv"}:
            if (directed := self._directed(self._head)) is not None:
                return directed
            if first is None and (named := self._named(self._head)) is not None:
                return self._table(named)
            if first is None and (other := self._aligned(self._head) or self._listed(self._head)) is not None:
                return other
            if self._kind == "csv":
                raise UserError("no table: the first line does not name the columns of the second", hint="try auto")
        return Logs(self.stream, self._now_ns(), self._name, self._defaults, self._reader)

    def _named(self, head: bytes) -> tuple[str, tuple[str, ...]] | None:
        lines = [line for line in head.split(b"\n", 64)[:64] if line.strip()]
        return header(text(lines[0]), text(lines[1])) if len(lines) > 1 else None

    def _table(self, named: tuple[str, tuple[str, ...]], *, begun: bool = False) -> Tables:
        as_logs = self.stream == "logs"
        table = Table(*named, now_ns=self._now_ns(), defaults=self._about(), as_logs=as_logs)
        return Tables(self.stream, table, self._heard, begun=begun)

    def _aligned(self, head: bytes) -> Tables | None:
        lines = [line for line in head.split(b"\n", 64)[:64] if line.strip()]
        named = columns(text(lines[0]), text(lines[1])) if len(lines) > 1 else None
        if named is None:
            return None
        as_logs = self.stream == "logs"
        table = AlignedTable(named, now_ns=self._now_ns(), defaults=self._about(), as_logs=as_logs)
        return Tables(self.stream, table, self._heard, begun=False, name="aligned")

    def _listed(self, head: bytes) -> Tables | None:
        if not is_list(text(head)):
            return None
        items = YamlItems(now_ns=self._now_ns(), defaults=self._about(), as_logs=self.stream == "logs")
        return Tables(self.stream, items, self._heard, begun=True, name="yaml")

    def _directed(self, head: bytes) -> Tables | None:
        """Return what reads a file that begins with `head` if its `#` lines name the columns."""
        first = next((line for line in head.split(b"\n", 64)[:64] if line.strip()), b"")
        if (kind := directed_kind(text(first))) is None:
            return None
        table = DirectedTable(now_ns=self._now_ns(), defaults=self._about())
        return Tables(self.stream, table, self._heard, begun=True, name=kind)

    def _about(self) -> dict[str, Any]:
        """Return what all records of the file lack unless they say it."""
        named = bool(self._name) and self.stream == "logs"
        about = {"attributes": {"log.file.name": self._name.rpartition("/")[2]}} if named else {}
        return surround(about, dict(self._defaults))


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
        reader: Callable[..., Reader] | None = None,
    ) -> None:
        """Decode as `Records` does."""
        self._records = Records(stream, now_ns, kind, name, defaults, reader)
        self._now_ns = now_ns

    @property
    def held(self) -> int:
        """Bytes taken in that may not have come out yet, never too few."""
        return self._records.held

    def resume(self, head: bytes) -> None:
        """Go on in the middle of a file that begins with `head`."""
        self._records.resume(head)

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
