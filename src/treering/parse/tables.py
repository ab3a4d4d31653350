"""Tables as text (CSV, TSV): a header line names the fields, each row is a record.

RFC 4180, with commas, semicolons, tabs or bars between the cells. Cells that are numbers become numbers; empty cells
are left out. Time, level and message are found by the names of the columns as in JSON logs (`treering.parse.fields`).
"""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

from treering.parse.fields import shape
from treering.parse.reader import Reader
from treering.parse.records import surround
from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.stage.parser import Record

DELIMITERS = ",\t;|"
MOST_COLUMNS = 1000
LONGEST_CELL = 1 << 20
_MOST_LINES = 10_000
_NAME = re.compile(r"[A-Za-z_@#][\w .:/()\[\]%@#+-]{0,79}|\d{1,3}(?:\.\d+)?%|p\d{1,3}")
# Two columns of these are a table as well: CloudWatch Insights, Grafana.
_PAIR = frozenset({"@timestamp", "@message", "timestamp", "message", "time", "line", "_time", "_raw", "date", "log"})
WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.?\d+)(?:[eE][-+]?\d{1,3})?")
_STAMP = re.compile(r"\d{4}[-/]\d\d[-/]\d\d|\d{1,2}/\d{1,2}/\d{4}")
# Columns whose cells are lines of another log.
_LINES = frozenset({"_raw", "@message", "Line", "line", "LogEntry", "LogMessage", "log"})
_UNIT = re.compile(r"(.{1,60}) \[(%|[A-Za-z]{1,4})\]")


def may_be_header(line: str) -> bool:
    """Whether a line could name the columns of a table: three distinct names or more, none a number."""
    return _names(line) is not None


def header(line: str, row: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the delimiter and the names of the columns, if `line` names those of the cells of `row`; else None.

    A row of a table has as many cells, and one of them is a number or a date.
    """
    named = _names(line)
    if named is None:
        return None
    delimiter, names = named
    cells = _cells(row, delimiter)
    if len(cells) != len(names) or not any(_NUMBER.fullmatch(cell) or _STAMP.match(cell) for cell in cells):
        return None
    return named


def _names(line: str) -> tuple[str, tuple[str, ...]] | None:
    line = line.removeprefix("\ufeff")
    for delimiter in DELIMITERS:
        if not 1 <= line.count(delimiter) < MOST_COLUMNS:
            continue
        names = tuple(name.strip() for name in _cells(line, delimiter))
        if (
            (len(names) > 2 or _PAIR.issuperset(map(str.lower, names)))
            and len(set(names)) == len(names)
            and all(map(_NAME.fullmatch, names))
        ):
            return delimiter, names
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return []


class Table:
    """Reads the rows of one table."""

    def __init__(
        self,
        delimiter: str,
        names: Sequence[str],
        *,
        now_ns: int | None = None,
        defaults: Mapping[str, Any] | None = None,
        as_logs: bool = True,
    ) -> None:
        """Read rows of `names`; times without a year are about `now_ns`, records lack nothing that `defaults` has.

        With `as_logs` time, level and message go to their fields and the rest to the attributes; else rows are
        documents.
        """
        self._delimiter = delimiter
        self._names = tuple(names)
        # `utilization.gpu [%]` has cells such as `98 %`.
        self._units = [f" {found[2]}" if (found := _UNIT.fullmatch(name)) else "" for name in names]
        self._times = TimeParser(UTC, now_ns)
        self._defaults = dict(defaults or {})
        self._as_logs = as_logs
        self._reader = Reader(now_ns=now_ns)
        self._holds_lines = not _LINES.isdisjoint(names)
        self._open: list[str] = []
        self._quotes = 0

    @property
    def is_open(self) -> bool:
        """Whether a quoted cell goes on in the next line."""
        return bool(self._open)

    def feed(self, lines: Sequence[str]) -> tuple[list[Record], list[str]]:
        """Return the records of the rows that `lines` complete, and the rows with another number of cells."""
        records: list[Record] = []
        strange: list[str] = []
        for line in lines:
            self._open.append(line)
            self._quotes += line.count('"')
            if self._quotes % 2 == 0 or len(self._open) > _MOST_LINES:
                self._row(records, strange)
        return records, strange

    def end(self) -> tuple[list[Record], list[str]]:
        """Return what is left of a row whose quotes never closed."""
        records: list[Record] = []
        strange: list[str] = []
        if self._open:
            self._row(records, strange)
        return records, strange

    def _row(self, records: list[Record], strange: list[str]) -> None:
        text, self._open, self._quotes = "\n".join(self._open), [], 0
        if not text or text.isspace():
            return
        cells = _cells(text, self._delimiter)
        if len(cells) != len(self._names):
            strange.append(text)
            return
        self.add(cells, records)

    def add(self, cells: Sequence[str], records: list[Record]) -> None:
        """Add the record of a row with these cells to `records`."""
        fields = {
            name: _value(cell.removesuffix(unit) if unit else cell)
            for name, unit, cell in zip(self._names, self._units, cells, strict=True)
            if cell != ""
        }
        record = self._shaped(fields) if self._as_logs else fields
        records.append(surround(self._defaults, record) if self._defaults else record)

    def _shaped(self, fields: dict[str, Any]) -> Record:
        """Return a row as a log record; where its message is a line of another log, with what that says."""
        record = shape(fields, self._times, force=True) or {}
        if "severityNumber" in record or not self._holds_lines or not (body := record.get("body")):
            return record
        found, rest = self._reader.lines(body.split("\n")).records, self._reader.flush().records
        inner = next(iter([*found, *rest]), {})
        return surround({name: value for name, value in record.items() if name != "body"}, inner) if inner else record


def _value(cell: str) -> Any:
    if len(cell) > 40:
        return cell[:LONGEST_CELL]
    if WHOLE.fullmatch(cell):
        return int(cell)
    return float(cell) if _NUMBER.fullmatch(cell) and not cell.lstrip("+-").startswith("00") else cell
