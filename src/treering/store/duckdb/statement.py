"""A query as a statement of DuckDB, over the tables of its scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.stage.store import Query


def text(query: Query, tables: Mapping[str, exp.Query]) -> str:
    """Return the text of `query`, where the names of its scans stand for `tables`."""
    return _printed(_with_tables(query.sql.copy(), tables), query)


def _with_tables(sql: exp.Query, tables: Mapping[str, exp.Query]) -> exp.Query:
    for node in list(sql.find_all(exp.Table)):
        if (found := tables.get(node.name)) is not None:
            alias = exp.TableAlias(this=exp.to_identifier(node.alias_or_name))
            node.replace(exp.Subquery(this=found.copy(), alias=alias))
    return sql


def _printed(sql: exp.Query, query: Query) -> str:
    # Timestamps as nanoseconds: Python's datetime would cut them to microseconds.
    if not any(column.type == "timestamp" for column in query.columns):
        return sql.sql(dialect="duckdb")
    names = [f"c{index}" for index in range(len(query.columns))]
    chosen: list[exp.Expr] = []
    for name, column in zip(names, query.columns, strict=True):
        value: exp.Expression = exp.column(name)
        if column.type == "timestamp":
            value = exp.Anonymous(this="epoch_ns", expressions=[exp.cast(value, "TIMESTAMP_NS", dialect="duckdb")])
        chosen.append(exp.alias_(value, name))
    alias = exp.TableAlias(this=exp.to_identifier("answer"), columns=[exp.to_identifier(name) for name in names])
    return exp.select(*chosen).from_(exp.Subquery(this=sql, alias=alias)).sql(dialect="duckdb")
