"""The part of a query that selects records, for what lists, counts or follows them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query.commands.search import Search
from treering.query.commands.where import Where
from treering.query.compiler import Compiler, scan
from treering.query.function import Context
from treering.query.parser import parse
from treering.query.relation import Column, Source, aliased, nested
from treering.query.syntax import Pipeline
from treering.query.types import Type
from treering.stage.store import Query, ResultColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.model.schema import StreamSchema
    from treering.query.relation import Relation

_STORE_COLUMNS = {"_seq": Type.BIGINT, "_time": Type.TIMESTAMP, "_index": Type.STRING}


def sources(pipeline: Pipeline, default_source: str) -> tuple[str, ...]:
    """Return the streams that a query reads first."""
    first = pipeline.commands[0] if pipeline.commands else None
    while isinstance(first, Search) and first.inner is not None:
        first = first.inner.commands[0] if first.inner.commands else None
    return (first.sources if isinstance(first, Search) else ()) or (default_source,)


def is_records(pipeline: Pipeline) -> bool:
    """Whether the answer is records as they were stored: only `search` and `where`."""
    return all(isinstance(command, Search | Where) for command in pipeline.commands)


def select(
    text: str,
    fields: Sequence[str],
    *,
    schema: Callable[[Sequence[str]], StreamSchema],
    now_ns: int,
    default_source: str,
    time_range: tuple[int | None, int | None] = (None, None),
    newest: int | None = None,
) -> Query:
    """Return a query for exactly `fields` of all records that `search` and `where` at the start of `text` select.

    `_seq`, `_time` (TIMESTAMP_NS) and `_index` may be among the fields. With `newest` the store may leave out all but
    that many of the greatest `_time`. Raises `UserError` with the place of a mistake.
    """
    whole = parse(text, default_source)
    commands = tuple(itertools.takewhile(lambda command: isinstance(command, Search | Where), whole.commands))
    compiler = Compiler(
        Pipeline(commands, whole.text, whole.places[: len(commands)]),
        schema=schema,
        context=Context(now_ns),
        default_source=default_source,
        time_range=time_range,
    )
    relation = compiler.relation(compiler.pipeline)
    expressions = [aliased(_value(compiler, relation, name), name) for name in fields]
    if newest is not None and relation.plain and relation.sequence is not None and relation.sequence.source is not None:
        relation.sequence.source.newest = newest
    sql = exp.Select(expressions=expressions).from_(nested(relation.sql), copy=False)
    columns = tuple(ResultColumn(name, "undefined") for name in fields)
    return Query(sql, {source.name: scan(source) for source in compiler.sources}, columns)


def _value(compiler: Compiler, relation: Relation, name: str) -> exp.Expression:
    if name in _STORE_COLUMNS:
        source = compiler.sources[0]
        return Column(f"{source.name}.{name}", _STORE_COLUMNS[name], source=source, stored=name).raw
    if (column := compiler.column(relation, name)) is not None:
        return column.raw
    if _is_mapped(compiler.sources, name):
        return exp.cast(exp.Null(), "VARCHAR")
    raise UserError(f"unknown field {name[:80]!r}")


def _is_mapped(found: Sequence[Source], name: str) -> bool:
    """Whether the field may be missing because no stream is there yet."""
    return not any(len(source.schema.fields) for source in found) or any(source.schema.get(name) for source in found)
