"""Rows of an answer as a table for people, or as JSON, CSV or Arrow for programs."""

from __future__ import annotations

import csv
import io
import re
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from treering.api.levels import level_of, message_of
from treering.cli._options import Format
from treering.cli._screen import console, line, safe
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console
    from rich.text import Text

_WIDEST = 400
# Rows with these columns are whole records.
_WHOLE = frozenset({"@timestamp", "attributes"})
# Nanoseconds since 1970, from 2001 on.
_INSTANT = re.compile(r"[12]\d{18}")
# A column that gets less than this of what it holds cannot be read; so many rows are looked at for it.
_READABLE, _BORDER, _LOOKED = 10, 3, 50
_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double"})
_INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})


def write(answer: Mapping[str, Any], form: Format, out: BinaryIO | None = None) -> None:
    """Write the answer of `POST /api/query` to `out`, standard output unless given."""
    target = out or sys.stdout.buffer
    if form is Format.TABLE:
        _table(answer)
    elif form is Format.JSON:
        target.write(msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n")
    elif form is Format.NDJSON:
        names = [column["name"] for column in answer["schema"]]
        for row in answer["datarows"]:
            target.write(msgspec.json.encode(dict(zip(names, row, strict=True))) + b"\n")
    elif form is Format.CSV:
        _csv(answer, target)
    else:
        _arrow(answer, target)
    target.flush()


def _table(answer: Mapping[str, Any]) -> None:
    rows = answer["datarows"]
    whole = show(answer["schema"], rows)
    hint = "; all fields: --format json, some: `| fields …`" if whole else ""
    more = answer.get("total", 0) - len(rows)
    note = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}" + (f" of {answer['total']}" if more > 0 else "")
    console(stderr=True).print(f"{note}, {answer.get('took_ms', 0)} ms{hint}", style="dim")


def show(schema: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]]) -> bool:
    """Print rows for people: whole records a line each (the answer says whether they are), others as a table.

    Rows too wide for the terminal are printed one under the other.
    """
    screen, names = console(), [column["name"] for column in schema]
    rows = [[_told(column["name"], value) for column, value in zip(schema, row, strict=True)] for row in rows]
    whole = bool(rows) and set(names) >= _WHOLE
    if whole:
        for row in rows:
            screen.print(_line({name: value for name, value in zip(names, row, strict=True) if value is not None}))
    elif sum(_room(names, rows)) <= screen.width:
        _grid(screen, schema, rows)
    else:
        _blocks(screen, names, rows)
    return whole


def _room(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """Return how many characters each column needs to be read, its border included."""
    longest = [max([len(name), *(len(_cell(row[at])) for row in rows[:_LOOKED])]) for at, name in enumerate(names)]
    return [min(length, _READABLE) + _BORDER for length in longest]


def _line(record: Mapping[str, Any]) -> Text:
    return line(
        {
            "time": str(record.get("@timestamp", "")),
            "level": level_of(record),
            "message": message_of(record),
            "record": record,
        }
    )


def _blocks(screen: Console, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of too many columns one under the other, a line a column."""
    from rich.text import Text

    width = max(map(len, names))
    for number, row in enumerate(rows, 1):
        screen.print(Text(f"row {number}", style="bold"))
        for name, value in zip(names, row, strict=True):
            screen.print(Text.assemble((safe(name).ljust(width), "dim"), "  ", _cell(value)))


def _grid(screen: Console, schema: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_edge=False, header_style="bold")
    for column in schema:
        right = column["type"] in _NUMBERS
        table.add_column(Text(safe(column["name"])), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    screen.print(table)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _told(name: str, value: Any) -> Any:
    """Return `value` as it is, or as a time where its column's name says that it is one in nanoseconds."""
    if name.endswith(("Time", "_ns")) and _INSTANT.fullmatch(str(value)):
        return format_ns(int(value)).replace("T", " ")
    return value


def _cell(value: Any) -> Text:
    from rich.text import Text

    if value is None:
        return Text("null", style="dim")
    text = safe(_figure(value) if isinstance(value, float) else _plain(value))
    return Text(text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…")


def _figure(value: float) -> str:
    """Return six digits of a fraction, more only before its point."""
    return f"{value:.0f}" if value.is_integer() or abs(value) >= 1e6 else f"{value:.6g}"


def _csv(answer: Mapping[str, Any], target: BinaryIO) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(column["name"] for column in answer["schema"])
    for row in answer["datarows"]:
        writer.writerow(
            msgspec.json.encode(value).decode() if isinstance(value, dict | list | bool) else value for value in row
        )
    target.write(text.getvalue().encode())


def _arrow(answer: Mapping[str, Any], target: BinaryIO) -> None:
    from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table
    from arro3.io import write_ipc_stream

    fields: list[Any] = []
    arrays: list[Any] = []
    for place, column in enumerate(answer["schema"]):
        values = [row[place] for row in answer["datarows"]]
        kind = DataType.utf8()
        if column["type"] in _INTEGERS:
            kind, values = DataType.int64(), [None if value is None else int(value) for value in values]
        elif column["type"] in _NUMBERS:
            kind, values = DataType.float64(), [None if value is None else float(value) for value in values]
        elif column["type"] == "boolean":
            kind = DataType.bool()
        else:
            values = [_text(value) for value in values]
        fields.append(Field(column["name"], kind))
        arrays.append(Array(values, kind))
    batch = RecordBatch.from_arrays(arrays, schema=Schema(fields))
    body = io.BytesIO()
    write_ipc_stream(Table.from_batches([batch]), body, compression=None)
    target.write(body.getvalue())


def _text(value: Any) -> str | None:
    return None if value is None else _plain(value)
