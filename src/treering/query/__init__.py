"""PPL: text to syntax tree to plan to SQL expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.query import printer
from treering.query.commands.search import Search
from treering.query.commands.where import Where
from treering.query.compiler import MAX_ROWS, Compiler
from treering.query.complete import Completion, Data, Known, Suggestion, completions
from treering.query.explain import explain
from treering.query.function import Context
from treering.query.output import render
from treering.query.parser import parse
from treering.query.syntax import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import Query


def compile(  # noqa: A001  the name of what it does
    query: str | Pipeline,
    *,
    schema: Callable[[Sequence[str]], StreamSchema],
    now_ns: int,
    default_source: str | None = "logs",
    time_range: tuple[int | None, int | None] = (None, None),
    rows: int = MAX_ROWS,
    all_joins: bool = True,
) -> Query:
    """Return PPL as a query that a store can run.

    `schema` answers for streams, `now_ns` is the instant of `now()`, `default_source` the stream of a query that names
    none (None refuses such a query), `time_range` bounds every scan's `_time` (start included, end not), `rows` the
    length of the answer; without `all_joins`, right, full and cross joins are refused. Raises `UserError` with the
    place of the mistake.
    """
    context = Context(now_ns, all_joins=all_joins)
    return _compiler(query, schema, context, default_source, time_range).query(rows)


def compile_records(
    query: str | Pipeline,
    *,
    schema: Callable[[Sequence[str]], StreamSchema],
    now_ns: int,
    rows: int,
    default_source: str | None = "logs",
    time_range: tuple[int | None, int | None] = (None, None),
    ascending: bool = False,
    after: tuple[int, int] | None = None,
) -> Query:
    """Return a query for the records that a query of `search` and `where` selects, newest first unless `ascending`.

    Its columns are `_index` (the stream), `_seq` and `_time`; `after` is the (`_time`, `_seq`) of the last record seen.
    Raises `UserError` for any other command.
    """
    compiler = _compiler(query, schema, Context(now_ns), default_source, time_range)
    return compiler.records(rows, ascending=ascending, after=after)


def _compiler(
    query: str | Pipeline,
    schema: Callable[[Sequence[str]], StreamSchema],
    context: Context,
    default_source: str | None,
    time_range: tuple[int | None, int | None],
) -> Compiler:
    pipeline = parse(query, default_source) if isinstance(query, str) else query
    return Compiler(pipeline, schema=schema, context=context, default_source=default_source, time_range=time_range)


def is_records(pipeline: Pipeline) -> bool:
    """Whether the query selects whole records: it has no other commands than `search` and `where`."""
    return all(isinstance(command, Search | Where) for command in pipeline.commands) and not any(
        isinstance(command, Search) and command.inner is not None for command in pipeline.commands
    )


def sources(pipeline: Pipeline, default_source: str = "logs") -> tuple[str, ...]:
    """Return the streams or patterns that the query's first command names, or the default one."""
    first = pipeline.commands[0] if pipeline.commands else None
    while isinstance(first, Search) and first.inner is not None:
        first = first.inner.commands[0] if first.inner.commands else None
    return first.sources or (default_source,) if isinstance(first, Search) else (default_source,)


def print(pipeline: Pipeline) -> str:  # noqa: A001  the inverse of parse
    """Return a pipeline as one line of PPL; parsing it gives an equal pipeline."""
    return printer.pipeline(pipeline)


__all__ = [
    "Completion",
    "Data",
    "Known",
    "Pipeline",
    "Suggestion",
    "compile",
    "compile_records",
    "completions",
    "explain",
    "is_records",
    "parse",
    "print",
    "render",
    "sources",
]
