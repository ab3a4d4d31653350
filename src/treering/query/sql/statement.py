"""A SELECT ready to run, and the types of its columns, which only the engine knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import instants
from treering.query.coerce import sql_cast
from treering.query.compiler import Compiler, scan
from treering.query.function import Context
from treering.query.relation import aliased, nested
from treering.query.sql.reading import read
from treering.query.sql.scopes import Resolver
from treering.query.syntax import Pipeline
from treering.query.types import Type
from treering.stage.store import Query, ResultColumn, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.model.schema import StreamSchema

_KINDS = {
    "BOOLEAN": Type.BOOLEAN, "TINYINT": Type.TINYINT, "SMALLINT": Type.SMALLINT, "INTEGER": Type.INT,
    "BIGINT": Type.BIGINT, "HUGEINT": Type.BIGINT, "UTINYINT": Type.SMALLINT, "USMALLINT": Type.INT,
    "UINTEGER": Type.BIGINT, "UBIGINT": Type.BIGINT, "UHUGEINT": Type.BIGINT, "DOUBLE": Type.DOUBLE,
    "FLOAT": Type.DOUBLE, "VARCHAR": Type.STRING, "DATE": Type.DATE, "TIME": Type.TIME, "TIME_NS": Type.TIME,
    "INTERVAL": Type.INTERVAL, "JSON": Type.STRUCT, '"NULL"': Type.UNDEFINED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A checked statement: its tree over scans, and the names of its columns."""

    tree: exp.Query
    scans: Mapping[str, Scan]
    names: tuple[str, ...]
    rows: int

    def kinds(self) -> Query:
        """Return a query for one row: what the engine calls the type of each column. It reads nothing."""
        empty = {name: Scan(each.streams, each.fields, 0, 0) for name, each in self.scans.items()}
        places = [_place(index) for index in range(len(self.names))]
        none = self._from([exp.column(place) for place in places]).limit(0, copy=False)
        one = exp.Subquery(this=exp.Select(expressions=[exp.alias_(exp.Literal.number(1), "one")])).as_(
            "one", copy=False
        )
        join = exp.Join(this=nested(none), side="LEFT", on=exp.true())
        cells = [aliased(exp.Anonymous(this="typeof", expressions=[exp.column(place)]), place) for place in places]
        select = exp.Select(expressions=cells).from_(one, copy=False)
        select.set("joins", [join])
        return Query(select, empty, tuple(ResultColumn(name, "string") for name in self.names))

    def query(self, kinds: Sequence[str | None]) -> Query:
        """Return the statement as a query, given the types that `kinds` answered."""
        cells, shown = [], []
        for index, (name, kind) in enumerate(zip(self.names, kinds, strict=True)):
            cell, column = _cell(exp.column(_place(index)), name, kind or "")
            cells.append(aliased(cell, _place(index)))
            shown.append(column)
        select = self._from(cells).limit(self.rows, copy=False)
        return Query(select, self.scans, tuple(shown))

    def _from(self, cells: Sequence[exp.Expr]) -> exp.Select:
        columns = [exp.to_identifier(_place(index)) for index in range(len(self.names))]
        alias = exp.TableAlias(this=exp.to_identifier("statement"), columns=columns)
        inner = exp.Subquery(this=self.tree, alias=alias)
        return exp.Select(expressions=list(cells)).from_(inner, copy=False).copy()


def compile(  # noqa: A001  the name of what it does
    text: str,
    *,
    schema: Callable[[Sequence[str]], StreamSchema],
    now_ns: int,
    rows: int,
    time_range: tuple[int | None, int | None] = (None, None),
) -> Statement:
    """Return an SQL statement ready to run; `schema`, `now_ns`, `rows` and `time_range` as for PPL.

    Raises `UserError`, with a place where there is one, for what is no single SELECT over streams.
    """
    tree = read(text)
    compiler = Compiler(Pipeline((), text), schema=schema, context=Context(now_ns), time_range=time_range)
    resolver = Resolver(compiler, text)
    names = resolver.query(tree, {}, ())
    for node in list(tree.find_all(exp.CurrentTimestamp, exp.Anonymous)):
        if isinstance(node, exp.CurrentTimestamp) or node.name.lower() == "now":
            node.replace(instants.literal(now_ns))
    if not names:
        raise UserError("the statement has no columns")
    resolver.finish()
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", True)
    return Statement(tree, {source.name: scan(source) for source in compiler.sources}, names, rows)


def _cell(value: exp.Expression, name: str, kind: str) -> tuple[exp.Expression, ResultColumn]:
    """Return a column as it leaves the engine, and how the answer shows it."""
    if kind.startswith("TIMESTAMP"):
        return sql_cast(value, Type.TIMESTAMP), ResultColumn(name, Type.TIMESTAMP.value)
    if kind.startswith("DECIMAL"):
        return sql_cast(value, Type.DOUBLE), ResultColumn(name, Type.DOUBLE.value)
    found = _KINDS.get(kind)
    if found is None:
        value = exp.Anonymous(this="to_json", expressions=[value])
        found = Type.ARRAY if re.search(r"\[\d*\]$", kind) else Type.STRUCT
    if found in {Type.STRUCT, Type.ARRAY}:
        return sql_cast(value, "VARCHAR"), ResultColumn(name, found.value, json=True)
    if found in {Type.DATE, Type.TIME, Type.INTERVAL}:
        return sql_cast(value, "VARCHAR"), ResultColumn(name, found.value)
    return value, ResultColumn(name, found.value)


def _place(index: int) -> str:
    return f"c{index}"
