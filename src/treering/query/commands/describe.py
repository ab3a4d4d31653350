"""`describe <stream>`: a row per field of a stream, in the columns of JDBC's `getColumns`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from treering.core.errors import UserError
from treering.query import unions, values
from treering.query.commands.search import stream_name, streams
from treering.query.types import Type, type_of

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place
    from treering.query.values import Cell

NAMES = ("describe",)
CATALOG = "treering"
_S, _I = Type.STRING, Type.INT
COLUMNS = {
    "TABLE_CAT": _S,
    "TABLE_SCHEM": _S,
    "TABLE_NAME": _S,
    "COLUMN_NAME": _S,
    "DATA_TYPE": _I,
    "TYPE_NAME": _S,
    "COLUMN_SIZE": _I,
    "BUFFER_LENGTH": _I,
    "DECIMAL_DIGITS": _I,
    "NUM_PREC_RADIX": _I,
    "NULLABLE": _I,
    "REMARKS": _S,
    "COLUMN_DEF": _S,
    "SQL_DATA_TYPE": _I,
    "SQL_DATETIME_SUB": _I,
    "CHAR_OCTET_LENGTH": _I,
    "ORDINAL_POSITION": _I,
    "IS_NULLABLE": _S,
    "SCOPE_CATALOG": _S,
    "SCOPE_SCHEMA": _S,
    "SCOPE_TABLE": _S,
    "SOURCE_DATA_TYPE": Type.SMALLINT,
    "IS_AUTOINCREMENT": _S,
    "IS_GENERATEDCOLUMN": _S,
}
# As the node answers: numbers in base 10, whether null is allowed not known.
_ALWAYS: dict[str, Cell] = {
    "TABLE_CAT": CATALOG,
    "NUM_PREC_RADIX": 10,
    "NULLABLE": 2,
    "IS_NULLABLE": "",
    "IS_AUTOINCREMENT": "NO",
    "IS_GENERATEDCOLUMN": "",
}


@dataclass(frozen=True, slots=True)
class Describe:
    """The streams."""

    names: tuple[str, ...]
    place: Place = field(default=(0, 0), compare=False)

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return f"describe {', '.join(map(stream_name, self.names))}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the fields as rows. Raises `UserError` when no stream is called so."""
        where = compiler.where(self.place)
        if unions.present(relation):
            raise UserError("describe can only come first", where=where)
        try:
            schema = compiler.schema(self.names)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=error.where or where) from error
        rows: list[list[Cell]] = []
        for known in schema:
            if "own" in known.options:
                continue
            given = _ALWAYS | {
                "TABLE_NAME": ",".join(self.names),
                "COLUMN_NAME": known.name,
                "TYPE_NAME": type_of(known).value,
                "ORDINAL_POSITION": len(rows),
            }
            rows.append([given.get(column) for column in COLUMNS])
        return values.table(COLUMNS, rows, compiler)


def parse(parser: Parser) -> Describe:
    """Read what follows `describe`."""
    start = parser.peek().start
    return Describe(streams(parser), (start, parser.last_end))
