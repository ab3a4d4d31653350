"""`describe <stream>`: the fields of a stream and their types, a row each, in the columns that JDBC has for it.

`show datasources` lists where data can come from: this store.

Syntax:
    describe <stream>
    show datasources

Arguments:
    stream: a stream or a pattern

Example:
    describe logs
    show datasources
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import datasets
from treering.query.coerce import sql_cast
from treering.query.datasets import Dataset
from treering.query.relation import Column, Relation, aliased, nested
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser

NAMES = ("describe", "show")
_CLUSTER = "treering"
_S, _I = Type.STRING, Type.INT
# The columns of java.sql.DatabaseMetaData.getColumns.
COLUMNS = {
    "TABLE_CAT": _S, "TABLE_SCHEM": _S, "TABLE_NAME": _S, "COLUMN_NAME": _S, "DATA_TYPE": _I, "TYPE_NAME": _S,
    "COLUMN_SIZE": _I, "BUFFER_LENGTH": _I, "DECIMAL_DIGITS": _I, "NUM_PREC_RADIX": _I, "NULLABLE": _I, "REMARKS": _S,
    "COLUMN_DEF": _S, "SQL_DATA_TYPE": _I, "SQL_DATETIME_SUB": _I, "CHAR_OCTET_LENGTH": _I, "ORDINAL_POSITION": _I,
    "IS_NULLABLE": _S, "SCOPE_CATALOG": _S, "SCOPE_SCHEMA": _S, "SCOPE_TABLE": _S, "SOURCE_DATA_TYPE": Type.SMALLINT,
    "IS_AUTOINCREMENT": _S, "IS_GENERATEDCOLUMN": _S,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Describe:
    """The streams."""

    dataset: Dataset

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return f"describe {self.dataset.print()}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return one row per field: objects included, what only treering fills last."""
        del relation
        found = self.dataset.relation(compiler)
        own = {name: one for name, one in found.metadata.items() if one.field and "own" in one.field.options}
        rows: list[dict[str, object]] = [
            {
                "TABLE_CAT": _CLUSTER, "TABLE_NAME": ",".join(self.dataset.streams), "COLUMN_NAME": name,
                "TYPE_NAME": column.type.value, "NUM_PREC_RADIX": 10, "NULLABLE": 2, "ORDINAL_POSITION": index,
                "IS_NULLABLE": "", "IS_AUTOINCREMENT": "NO", "IS_GENERATEDCOLUMN": "",
            }
            for index, (name, column) in enumerate({**found.columns, **own}.items())
        ]  # fmt: skip
        compiler.sources.pop()
        return table(COLUMNS, rows, compiler)


@dataclass(frozen=True, slots=True)
class ShowDatasources:
    """The command; it has no options."""

    starts: ClassVar[bool] = True

    def print(self) -> str:
        """Return the command as PPL."""
        return "show datasources"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return one row: the store."""
        del relation
        columns = {"DATASOURCE_NAME": Type.STRING, "CONNECTOR_TYPE": Type.STRING}
        return table(columns, [{"DATASOURCE_NAME": "@opensearch", "CONNECTOR_TYPE": "OPENSEARCH"}], compiler)


def table(columns: dict[str, Type], rows: list[dict[str, object]], compiler: Compiler) -> Relation:
    """Return rows given as values: texts, numbers, booleans or nothing."""
    found = {name: Column(compiler.fresh(), kind) for name, kind in columns.items()}
    sequence = Column(compiler.fresh(), Type.BIGINT)
    selects = []
    for index, row in enumerate(rows or [{}]):
        values = [aliased(_value(row.get(name), columns[name]), column.ref) for name, column in found.items()]
        selects.append(exp.Select(expressions=[*values, aliased(exp.Literal.number(index), sequence.ref)]))
    joined: exp.Query = selects[0]
    for select in selects[1:]:
        joined = exp.Union(this=joined, expression=select, distinct=False)
    sql = exp.Select(expressions=[exp.Star()]).from_(nested(joined), copy=False)
    result = Relation(sql, found, (), sequence, plain=False, implicit=False, shuffled=True)
    return result if rows else result.where(exp.false())


def _value(value: object, kind: Type) -> exp.Expression:
    if value is None:
        return sql_cast(exp.Null(), kind)
    if isinstance(value, bool):
        return sql_cast(exp.Boolean(this=value), kind)
    if isinstance(value, int | float):
        number = exp.Literal.number(repr(abs(value)))
        return sql_cast(exp.Neg(this=number) if value < 0 else number, kind)
    return sql_cast(exp.Literal.string(str(value)), SQL[kind])


def parse(parser: Parser) -> Describe | ShowDatasources:
    """Read what follows `describe` or `show`."""
    if not parser.starting:
        parser.fail("describe and show can only come first")
    start = parser.last_end
    if parser.text[:start].lower().endswith("show"):
        parser.expect_word("datasources")
        return ShowDatasources()
    found = datasets.read(parser)
    if found.bracket is not None:
        raise UserError("describe takes the name of a stream", where=parser.where(found.place))
    return Describe(found)
