"""Tables whose `#` lines name the columns: W3C extended logs (IIS, CloudFront and others) and Zeek's.

W3C Extended Log File Format, working draft WD-logfile-960323: `#Fields:` names what follows, dates and times are UTC,
`-` is no value, strings may be quoted. IIS writes `+` for a space and milliseconds in `time-taken`, CloudFront puts
tabs between the cells, percent signs into them and seconds in `time-taken`. Zeek's ASCII writer names separator,
columns, types and what stands for no value. A file may name its columns anew at any line.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from treering.parse.records import surround
from treering.parse.regular import split_target
from treering.parse.severity import from_status
from treering.parse.tables import LONGEST_CELL, MOST_COLUMNS, WHOLE
from treering.parse.times import TimeParser

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.stage.parser import Record

_FIRST = re.compile(r"#(?:Software|Version|Fields|Date|Start-Date|Remark): ?|#separator \S", re.IGNORECASE)
_CELL = re.compile(r'"((?:[^"]|"")*+)"|\S+')
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_NUMBER = re.compile(r"-?\d{1,18}\.\d{1,18}")
_W3C = {
    "c-ip": "client.address",
    "c-port": "client.port",
    "s-ip": "server.address",
    "s-port": "server.port",
    "cs-username": "user.name",
    "cs-method": "http.request.method",
    "cs-host": "http.request.header.host",
    "cs(host)": "http.request.header.host",
    "cs(user-agent)": "user_agent.original",
    "cs(referer)": "http.request.header.referer",
    "sc-status": "http.response.status_code",
    "sc-bytes": "http.response.size",
    "cs-bytes": "http.request.size",
    "x-host-header": "server.address",
}
_ZEEK = {
    "id.orig_h": "source.address",
    "id.orig_p": "source.port",
    "id.resp_h": "destination.address",
    "id.resp_p": "destination.port",
}
_ZEEK_WHOLE = frozenset({"count", "int", "port"})
_ZEEK_REAL = frozenset({"double", "interval"})
_ZEEK_LISTS = ("set[", "vector[")


def directed_kind(line: str) -> str | None:
    """Return `w3c` or `zeek` if a file with this first line names its columns in `#` lines, else None."""
    found = _FIRST.match(line.removeprefix("\ufeff"))
    return None if found is None else "zeek" if found[0].startswith("#separator") else "w3c"


class DirectedTable:
    """Reads the rows of one file; its `#` lines say how."""

    is_open = False  # no cell goes on in the next line

    def __init__(self, *, now_ns: int | None = None, defaults: Mapping[str, Any] | None = None) -> None:
        """Read a file from its first line; records lack nothing that `defaults` has."""
        self._times = TimeParser(UTC, now_ns)
        self._defaults = dict(defaults or {})
        self._names: tuple[str, ...] = ()
        self._types: tuple[str, ...] = ()
        self._said: dict[str, str] = {}
        self._separator: str | None = None  # of Zeek, whose files begin with it

    def feed(self, lines: Sequence[str]) -> tuple[list[Record], list[str]]:
        """Return the records of the rows among `lines`, and the rows that have another number of cells than columns."""
        records: list[Record] = []
        strange: list[str] = []
        for line in lines:
            if line.startswith(("#", "\ufeff#")):
                self._told(line.removeprefix("\ufeff"))
            elif line and not line.isspace():
                record = self._row(line)
                if record is None:
                    strange.append(line)
                else:
                    records.append(surround(self._defaults, record) if self._defaults else record)
        return records, strange

    def end(self) -> tuple[list[Record], list[str]]:
        """Return nothing: a row ends with its line."""
        return [], []

    def _told(self, line: str) -> None:
        if line.startswith("#separator "):
            self._separator = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), line[11:].strip(" \r")) or "\t"
            return
        if self._separator is not None:
            key, _, rest = line[1:].partition(self._separator)
        else:
            key, _, rest = line[1:].partition(":")
        key = key.strip().lower()
        if key == "fields":
            names = rest.split(self._separator) if self._separator is not None else rest.split()
            self._names = tuple(name.strip() for name in names[:MOST_COLUMNS])
            self._types = ()
        elif key == "types" and self._separator is not None:
            self._types = tuple(rest.split(self._separator))
        elif len(self._said) < MOST_COLUMNS:
            self._said[key] = rest.strip()

    def _row(self, line: str) -> Record | None:
        if self._separator is not None:
            cells = line.split(self._separator)
            return self._zeek(cells) if len(cells) == len(self._names) else None
        cells = line.split("\t") if "\t" in line else [_unquoted(found) for found in _CELL.finditer(line)]
        return self._w3c(cells) if len(cells) == len(self._names) else None

    def _w3c(self, cells: Sequence[str]) -> Record:
        plus = "microsoft" in self._said.get("software", "").lower()
        row = {name.lower(): cell for name, cell in zip(self._names, cells, strict=True) if cell not in {"-", ""}}
        attributes: dict[str, Any] = {}
        # Dates are of the day that `#Date` names where the rows have only times.
        date = row.pop("date", None) or self._said.get("date", "")[:10]
        moment = self._times(f"{date}T{row.pop('time', '00:00:00')}Z") if date else None
        _requested(attributes, row)
        for name, cell in row.items():
            if name == "time-taken" and _is_number(cell):
                attributes["http.server.request.duration"] = float(cell) / (1000 if plus else 1)
            elif name.startswith("cs(") and plus:
                attributes[_W3C.get(name, name)] = cell.replace("+", " ")[:LONGEST_CELL]
            elif name.startswith("cs("):
                attributes[_W3C.get(name, name)] = unquote(cell)[:LONGEST_CELL]
            else:
                attributes[_W3C.get(name, name)] = _value(cell)
        record: Record = {"body": _said(attributes, cells), "attributes": attributes}
        if moment is not None:
            record["@timestamp"] = moment
        status = attributes.get("http.response.status_code")
        if isinstance(status, int) and 100 <= status < 600:
            record["severityNumber"] = from_status(status)
        return record

    def _zeek(self, cells: Sequence[str]) -> Record:
        absent = {self._said.get("unset_field", "-"), self._said.get("empty_field", "(empty)")}
        between = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), self._said.get("set_separator", ","))
        types = self._types if len(self._types) == len(self._names) else ("",) * len(self._names)
        path = self._said.get("path", "")
        attributes: dict[str, Any] = {"zeek.path": path} if path else {}
        record: Record = {"body": " ".join([path, *cells]).strip()[:LONGEST_CELL], "attributes": attributes}
        for name, kind, cell in zip(self._names, types, cells, strict=True):
            if cell in absent:
                continue
            if name == "ts" and _is_number(cell) and (moment := self._times(cell)) is not None:
                record["@timestamp"] = moment
            else:
                attributes[_ZEEK.get(name, name)] = _typed(kind, cell, between)
        return record


def _requested(attributes: dict[str, Any], row: dict[str, str]) -> None:
    """Move what was asked for from a row to the attributes."""
    stem, query = row.pop("cs-uri-stem", None), row.pop("cs-uri-query", None)
    target = row.pop("cs-uri", None) or (stem and (f"{stem}?{query}" if query else stem))
    if target:
        split_target(attributes, target[:LONGEST_CELL])
    version = row.pop("cs-version", None) or row.pop("cs-protocol-version", None)
    if version:
        attributes["network.protocol.version"] = version.rpartition("/")[2]


def _said(attributes: Mapping[str, Any], cells: Sequence[str]) -> str:
    """Return what a row says in a line: the request, or all of it where it is none."""
    method, path = attributes.get("http.request.method"), attributes.get("url.path")
    if method is None or path is None:
        return " ".join(cells)[:LONGEST_CELL]
    query = attributes.get("url.query")
    return f"{method} {path}?{query}" if query else f"{method} {path}"


def _unquoted(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else found[1].replace('""', '"')


def _is_number(cell: str) -> bool:
    return (WHOLE.fullmatch(cell) or _NUMBER.fullmatch(cell)) is not None


def _value(cell: str) -> Any:
    if WHOLE.fullmatch(cell):
        return int(cell)
    return float(cell) if _NUMBER.fullmatch(cell) else cell[:LONGEST_CELL]


def _typed(kind: str, cell: str, between: str) -> Any:
    """Return a cell as the type that Zeek names for it."""
    if kind.startswith(_ZEEK_LISTS):
        inner = kind.partition("[")[2].rstrip("]")
        return [_typed(inner, one, between) for one in cell.split(between)] if between else cell
    if kind == "bool":
        return cell == "T"
    if kind in _ZEEK_WHOLE and WHOLE.fullmatch(cell):
        return int(cell)
    if kind in _ZEEK_REAL and _is_number(cell):
        return float(cell)
    return cell[:LONGEST_CELL]
