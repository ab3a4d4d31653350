"""`makeresults [count=<n>] [format=csv|json data='…']`: rows that no stream has, for tests and for `eval`.

Arguments:
    count: how many rows, 1 if not said
    format: csv or json
    data: the rows written out

Example:
    makeresults count=3 | eval x = 1
    makeresults format=csv data='name:string,n:int\\na,1\\nb,2'
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from treering.core.errors import UserError
from treering.query import coerce, lexer, output
from treering.query.commands.describe import table
from treering.query.lexer import Kind
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("makeresults",)
MOST, MOST_CELLS, MOST_CHARACTERS = 5000, 5000, 60_000
TIME = "@timestamp"


@dataclass(frozen=True, slots=True)
class Makeresults:
    """How many rows of the present time alone, or rows written out as `csv` or `json`."""

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
        del relation
        now: dict[str, Any] = {TIME: output.timestamp(compiler.now_ns // 10**9 * 10**9)}
        if not self.form:
            return table({TIME: Type.TIMESTAMP}, [now] * max(0, self.count), compiler)
        try:
            columns, rows = _json(self.data) if self.form == "json" else _csv(self.data)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.place)) from None
        if self.form == "json" and TIME not in columns:
            columns, rows = {TIME: Type.TIMESTAMP, **columns}, [now | row for row in rows]
        return table(columns, rows, compiler)


def _json(text: str) -> tuple[dict[str, Type], list[dict[str, Any]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("the data is no JSON") from None
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UserError("the data is no list of JSON objects")
    names = dict.fromkeys(name for row in found for name in row)
    _bounded(len(names) * len(found), text)
    columns = {name: _type([row[name] for row in found if row.get(name) is not None]) for name in names}
    rows = [{name: _plain(value, columns[name]) for name, value in row.items()} for row in found]
    return columns, rows


def _bounded(cells: int, text: str) -> None:
    if cells > MOST_CELLS:
        raise UserError(f"the data has {cells} cells, more than {MOST_CELLS}")
    if len(text) > MOST_CELLS * MOST_CHARACTERS:
        raise UserError("the data is too long")


def _type(values: list[Any]) -> Type:
    if values and all(isinstance(value, bool) for value in values):
        return Type.BOOLEAN
    if values and all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return Type.BIGINT
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return Type.FLOAT
    return Type.STRING


def _plain(value: Any, kind: Type) -> Any:
    if value is None or kind is not Type.STRING or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _csv(text: str) -> tuple[dict[str, Type], list[dict[str, Any]]]:
    lines = list(csv.reader(re.split(r"\r\n|\n|\\n", text.strip()), skipinitialspace=True))
    if not lines or not lines[0]:
        raise UserError("the data has no header")
    columns: dict[str, Type] = {}
    for token in lines[0]:
        name, _, kind = token.strip().partition(":")
        found = coerce.CAST_TYPES.get(kind.strip().lower() or "string")
        if found is None or found in {*coerce.INSTANTS, Type.IP}:
            raise UserError(f"unknown type {kind!r} of the column {name!r}", hint="int, long, double, string, boolean")
        columns[name] = found
    _bounded(len(columns) * (len(lines) - 1), text)
    return columns, [dict(zip(columns, (_cell(cell) for cell in line), strict=False)) for line in lines[1:]]


def _cell(text: str) -> str | None:
    return text or None


def parse(parser: Parser) -> Makeresults:
    """Read what follows `makeresults`."""
    if not parser.starting:
        parser.fail("makeresults can only come first")
    start = parser.peek().start
    count, form, data = 1, "", None
    while option := parser.option("count", "format", "data"):
        match option:
            case "count":
                count = parser.integer("the number of rows")
            case "format":
                form = parser.expect_word("csv", "json")
            case _:
                if parser.peek().kind is not Kind.STRING:
                    parser.fail("expected a text between quotes")
                data = parser.take().value
    place = (start, parser.last_end)
    if bool(form) != (data is not None):
        raise UserError("format= and data= stand together", where=parser.where(place))
    if count > MOST:
        raise UserError(f"makeresults gives {MOST} rows at most", where=parser.where(place))
    return Makeresults(max(0, count) if not form else 1, form, data or "", place)
