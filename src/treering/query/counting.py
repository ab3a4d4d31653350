"""Queries that only count the records with a word: a store may know their answer without looking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import analyzer, naming
from treering.query.lucene import Lowering, Words, is_text
from treering.query.types import Type
from treering.stage.store import Word

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.lucene import Query
    from treering.query.relation import Column, Source
    from treering.query.syntax import Pipeline, Relevance

_PLAIN = re.compile(r"[a-z0-9_]{1,64}")


def word(pipeline: Pipeline, compiler: Compiler) -> Word | None:
    """Return the word whose records `pipeline` counts, if that is all it does: `body=timeout | stats count()`."""
    query = _asked(pipeline, compiler.now_ns)
    if not isinstance(query, Words) or query.quoted or query.prefix or query.fuzzy or query.least:
        return None
    text = query.text.lower()
    if not _PLAIN.fullmatch(text) or analyzer.words(text) != [text] or len(compiler.sources) != 1:
        return None
    counted = compiler.sources[0]
    if len(counted.conditions) != 1 or counted.newest is not None:
        return None
    relation = compiler.scan(counted.streams)
    source = compiler.sources.pop()
    lowering = Lowering(relation, compiler)
    columns = lowering.columns(query.field)
    if not all(_is_own(column, source) and not may_equal(text, column, lowering) for column in columns):
        return None
    texts = frozenset(column.stored for column in columns if column.type is Type.STRING and is_text(column))
    wholes = frozenset(column.stored for column in columns if column.type is Type.STRING and not is_text(column))
    return Word(text, texts, wholes)


def _is_own(column: Column, source: Source) -> bool:
    """Whether the column is a field of the scan itself."""
    return (
        column.source is source and not column.stored.startswith(naming.MARK) and column.stored in source.schema.fields
    )


def may_equal(text: str, column: Column, lowering: Lowering) -> bool:
    """Whether a field that holds no texts may have the value that `text` says."""
    if column.type is Type.STRING:
        return False
    found = lowering.value(text, column)
    return not (isinstance(found, exp.Boolean) and not found.this)


def _asked(pipeline: Pipeline, now_ns: int) -> Query | None:
    """Return the full-text query of a pipeline that counts what it finds."""
    from treering.query.commands import search
    from treering.query.commands.search import Search
    from treering.query.commands.stats import Stats
    from treering.query.commands.where import Where
    from treering.query.syntax import Relevance

    *steps, last = pipeline.commands or (None,)
    if not isinstance(last, Stats) or last.groups or len(last.aggregates) != 1:
        return None
    counted = last.aggregates[0]
    if counted.name != "count" or counted.argument is not None or counted.condition is not None:
        return None
    first = steps[0] if steps and isinstance(steps[0], Search) else None
    conditions = steps[1:] if first is not None else steps
    if first is not None and first.inner is not None:
        return None
    if first is not None and first.terms is not None and not conditions:
        return search.lucene(first.terms, now_ns)
    if (first is None or first.terms is None) and len(conditions) == 1 and isinstance(conditions[0], Where):
        node = conditions[0].condition
        return _of_function(node) if isinstance(node, Relevance) else None
    return None


def _of_function(node: Relevance) -> Query | None:
    """Return the query of a full-text function over one field, or over all."""
    from treering.query import relevance

    query = relevance.query_of(node)
    return query if not node.fields or (isinstance(query, Words) and query.field is not None) else None
