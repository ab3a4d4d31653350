"""`makeresults [count=<n>]` and `makeresults format=csv|json data='…'`: rows from nothing, or written in the query.

Rows have `@timestamp`, the instant of the query; those of a CSV text only what its header says (`name:type`).
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from treering.core.errors import UserError
from treering.query import instants, lexer, unions, values
from treering.query.commands.regex import text
from treering.query.commands.stats import unique
from treering.query.function import Typed
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place
    from treering.query.values import Cell

NAMES = ("makeresults",)
TIME = "@timestamp"
MOST, LONGEST = 5000, 60_000
_TYPES = {
    "string": Type.STRING,
    "boolean": Type.BOOLEAN,
    "int": Type.INT,
    "integer": Type.INT,
    "long": Type.BIGINT,
    "float": Type.FLOAT,
    "double": Type.DOUBLE,
}
_LATER = frozenset({"date", "time", "timestamp", "ip", "json"})
Table = tuple[dict[str, Type], list[list["Cell"]]]


@dataclass(frozen=True, slots=True)
class Makeresults:
    """How many rows, or the form and the text of rows."""

    count: int = 1
    form: str = ""
    data: str = ""
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        if self.form:
            return f"makeresults format={self.form} data={lexer.quote(self.data)}"
        return "makeresults" if self.count == 1 else f"makeresults count={self.count}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the rows."""
        where = compiler.where(self.place)
        if unions.present(relation):
            raise UserError("makeresults can only come first", where=where)
        columns: dict[str, Type] = {}
        rows: list[list[Cell]] = [[] for _ in range(self.count)]
        if self.form:
            try:
                columns, rows = read_json(self.data) if self.form == "json" else read_csv(self.data)
            except (ValueError, RecursionError) as error:
                raise UserError(f"makeresults cannot read the data: {str(error)[:200]}", where=where) from None
        if len(columns) * len(rows) > MOST:
            raise UserError(f"makeresults takes at most {MOST} cells, not {len(columns) * len(rows)}", where=where)
        if any(isinstance(cell, str) and len(cell) > LONGEST for row in rows for cell in row):
            raise UserError(f"a cell of makeresults has more than {LONGEST} characters", where=where)
        found = values.table(columns, rows, compiler)
        if self.form == "csv" or TIME in columns:
            return found
        now = Typed(instants.literal(compiler.now_ns), Type.TIMESTAMP)
        timed = compiler.extended(found, {TIME: now})
        return timed.with_columns({TIME: timed.columns[TIME], **found.columns})


def read_json(data: str) -> Table:
    """Return the columns and rows of a JSON array of objects. Raises `ValueError`."""
    records = json.loads(data)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError("an array of objects is needed")
    kinds: dict[str, Type | None] = {}
    for record in records:
        for name, value in record.items():
            kinds[name] = _wider(kinds.get(name), _kind(value))
    for name, kind in kinds.items():
        if kind is None:
            raise ValueError(f"the column {name[:80]!r} has only nulls, so it has no type")
    columns = {name: kind for name, kind in kinds.items() if kind is not None}
    rows = [[_converted(_plain(record.get(name)), kind) for name, kind in columns.items()] for record in records]
    return columns, rows


def _kind(value: Any) -> Type | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return Type.BOOLEAN
    if isinstance(value, int):
        return Type.BIGINT if -(2**63) <= value < 2**63 else Type.STRING
    return Type.FLOAT if isinstance(value, float) else Type.STRING


def _wider(left: Type | None, right: Type | None) -> Type | None:
    if left is None or right is None or left is right:
        return left or right
    return Type.FLOAT if {left, right} == {Type.BIGINT, Type.FLOAT} else Type.STRING


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict | list) else value


def read_csv(data: str) -> Table:
    """Return the columns and rows of a CSV text with a header. Raises `ValueError`."""
    try:
        lines = [line for line in csv.reader(data.splitlines(), strict=True) if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not lines:
        raise ValueError("a header is needed")
    columns: dict[str, Type] = {}
    for token in lines[0]:
        name, _, kind = token.strip().rpartition(":")
        if kind.strip().lower() in _LATER and name:
            raise ValueError(f"the type {kind.strip()} is not read here: take string and cast it")
        declared = _TYPES.get(kind.strip().lower()) if name else None
        title = name.strip() if declared else token.strip()
        if not title:
            raise ValueError("a column has no name")
        columns[unique(title, columns)] = declared or Type.STRING
    rows: list[list[Cell]] = []
    for line in lines[1:]:
        if len(line) > len(columns):
            raise ValueError("a row has more cells than the header")
        cells = [cell.strip() or None for cell in line] + [None] * (len(columns) - len(line))
        rows.append([_converted(cell, kind) for cell, kind in zip(cells, columns.values(), strict=True)])
    return columns, rows


def _converted(value: Any, kind: Type) -> Cell:
    """Return a cell of its column's type. Raises `ValueError` when it is none."""
    if value is None:
        return None
    printed = str(value).strip()
    match kind:
        case Type.STRING:
            return ("true" if value else "false") if isinstance(value, bool) else str(value)
        case Type.BOOLEAN:
            if printed.lower() not in {"true", "false"}:
                raise ValueError(f"{printed[:80]!r} is not true or false")
            return printed.lower() == "true"
        case Type.INT | Type.BIGINT:
            number, bits = int(printed), 31 if kind is Type.INT else 63
            if not -(2**bits) <= number < 2**bits:
                raise ValueError(f"{printed[:80]} does not fit")
            return number
        case _:
            return float(printed)


def parse(parser: Parser) -> Makeresults:
    """Read what follows `makeresults`."""
    start, count, form, data = parser.peek().start, 1, "", None
    while option := parser.option("count", "format", "data"):
        if option == "count":
            count = parser.integer("the number of rows")
        elif option == "format":
            form = parser.expect_word("csv", "json")
        else:
            data = text(parser, "the rows in quotes").value
    place = (start, parser.last_end)
    if bool(form) != (data is not None):
        raise UserError("makeresults takes format= and data= together", where=parser.where(place))
    if count > MOST:
        raise UserError(f"makeresults makes at most {MOST} rows", where=parser.where(place))
    return Makeresults(1 if form else max(0, count), form, data or "", place)
