"""`Reader`: the bytes of one log, in whatever pieces they come, to records.

Files, standard input, followed files and message payloads all go through it. The records do not depend on how the bytes
were cut. Every line that is not blank ends up in a record or among the rejected; `formats` counts them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

from treering.parse.fields import Document, shape
from treering.parse.formats.json_lines import decode_object
from treering.parse.joining import TEXT, Node
from treering.parse.json_blocks import JsonBlocks
from treering.parse.lines import MAX_LINE, Lines, LineSplitter
from treering.parse.records import RAW, surround
from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from treering.parse.joining import Tagged
    from treering.stage.parser import Record

Mode = Literal["auto", "logs", "documents"]


@dataclass(slots=True)
class Parsed:
    """What came out: records in order, and what could not be one with its reason and first bytes."""

    records: list[Record] = field(default_factory=list)
    rejected: list[tuple[str, bytes]] = field(default_factory=list)


class Reader:
    """Reads one log."""

    def __init__(
        self,
        defaults: Mapping[str, Any] | None = None,
        *,
        now_ns: int | None = None,
        file_name: str = "",
        zone: tzinfo = UTC,
        mode: Mode = "auto",
        inherit_times: bool = False,
        max_line: int = MAX_LINE,
    ) -> None:
        """Prepare to read a log.

        `defaults` is a record whose fields are set where a log record lacks them. `now_ns` is about when the log was
        written: a file's modification time, or now; it dates lines without a year. Times without a zone are in `zone`.
        `mode` says what JSON objects without any time, level or message are: documents that are kept as they are
        (`auto`), logs like all others (`logs`); in `documents` every object is kept as it is. With `inherit_times` a
        record without a time gets that of the record before it, and the attribute `log.time.inherited`.
        """
        self.mode = mode
        self.inherit_times = inherit_times
        self.formats: dict[str, int] = {}
        self._defaults: Record = dict(defaults or {})
        if file_name:
            self._defaults = surround({"attributes": {"log.file.name": file_name.rpartition("/")[2]}}, self._defaults)
        self._times = TimeParser(zone, now_ns)
        self._splitter = LineSplitter(max_line)
        self._blocks = JsonBlocks()
        self._node = Node(self._times, self._count)
        self._latest: int | None = None

    @property
    def format(self) -> str:
        """The name of the format that most lines have so far, `text` when none is known."""
        return max(self.formats, key=lambda name: self.formats[name]) if self.formats else TEXT

    def feed(self, data: bytes) -> Parsed:
        """Return the records that `data` completes."""
        return self._parsed(self._take(self._splitter.feed(data)))

    def flush(self) -> Parsed:
        """Return the record that waits for lines that belong to it: nothing came for a while."""
        return self._parsed(self._node.rest())

    def end(self) -> Parsed:
        """Return what is left: the stream is over. A last line without a line end counts."""
        taken = self._take(self._splitter.end())
        left = self._read(self._blocks.end())
        return self._parsed(taken + left + self._node.rest())

    def lines(self, lines: Sequence[str]) -> Parsed:
        """Return the records of lines that are text already, such as a receiver's messages; blank ones are skipped."""
        return self._parsed(self._take(Lines([line for line in lines if line and not line.isspace()])))

    def _count(self, name: str) -> None:
        self.formats[name] = self.formats.get(name, 0) + 1

    def _take(self, lines: Lines) -> list[Tagged]:
        taken = self._read(self._blocks.feed(lines))
        if self._blocks.joined:
            self.formats["json"] = self.formats.get("json", 0) + self._blocks.joined
            self._blocks.joined = 0
        return taken

    def _read(self, lines: Lines) -> list[Tagged]:
        texts = lines.texts
        if not texts:
            return []
        tags: list[Record | None] | None = None
        if lines.raws:
            tags = [None] * len(texts)
            for index, raw in lines.raws.items():
                tags[index] = {"attributes": {RAW: base64.b64encode(raw).decode()}}
        if self.mode != "documents":
            return self._node.take(texts, tags)
        out: list[Tagged] = []
        for index, text in enumerate(texts):
            tag = tags[index] if tags else None
            if (fields := decode_object(text)) is not None:
                self._count("json")
                out.append((Document(fields), tag))
            else:
                out += self._node.take([text], [tag])
        return out

    def _parsed(self, taken: list[Tagged]) -> Parsed:
        rejected, self._splitter.rejected = self._splitter.rejected, []
        for _ in rejected:
            self._count("rejected")
        return Parsed([self._complete(record, tag) for record, tag in taken], rejected)

    def _complete(self, record: Record, tag: Record | None) -> Record:
        if type(record) is Document:
            document = dict(record)
            if self.mode != "logs":
                return surround(tag, document) if tag else document
            record = shape(document, self._times, force=True) or {}
        if tag:
            record = surround(tag, record)
        if self._defaults:
            record = surround(self._defaults, record)
        if self.inherit_times:
            self._inherit(record)
        return record

    def _inherit(self, record: Record) -> None:
        moment = record.get("@timestamp")
        if moment is not None:
            self._latest = moment
        elif self._latest is not None:
            record["@timestamp"] = self._latest
            record["attributes"] = {**record.get("attributes", {}), "log.time.inherited": True}
