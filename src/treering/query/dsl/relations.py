"""The matching records as a relation, for hits and aggregations to build on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.query import pushdown
from treering.query.commands.search import Search
from treering.query.compiler import Compiler, scan
from treering.query.dsl.leaves import KEYWORD
from treering.query.function import Context, Typed
from treering.query.lucene import Everything, Lowering
from treering.query.relation import Column, Relation
from treering.query.scope import column_value
from treering.query.syntax import Pipeline
from treering.stage.store import Query as StoreQuery
from treering.stage.store import ResultColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import exp

    from treering.model.schema import StreamSchema
    from treering.query.lucene import Query

    Schema = Callable[[Sequence[str]], StreamSchema]


@dataclass(slots=True)
class Matching:
    """Records of streams that satisfy a query, not yet selected from."""

    relation: Relation
    compiler: Compiler

    def where(self, query: Query) -> exp.Expression:
        """Return the condition of a query over these records."""
        return Lowering(self.relation, self.compiler).condition(query)

    def column(self, name: str) -> Column | None:
        """Return the column of a field; `x.keyword` is `x` where it is not declared."""
        found = self.compiler.column(self.relation, name)
        if found is None and name.endswith(KEYWORD):
            found = self.compiler.column(self.relation, name.removesuffix(KEYWORD))
        return found

    def value(self, name: str) -> Typed | None:
        """Return the value of a field, or None when no stream has it."""
        column = self.column(name)
        return None if column is None else column_value(column)

    def finished(self, select: exp.Select, columns: Sequence[ResultColumn]) -> StoreQuery:
        """Return a SELECT over these records as the store runs it."""
        return StoreQuery(select, {source.name: scan(source) for source in self.compiler.sources}, tuple(columns))


def matching(streams: Sequence[str], query: Query, schema: Schema, now_ns: int) -> Matching:
    """Return the records of `streams` that match. Raises `UserError` when no stream does."""
    compiler = Compiler(Pipeline(()), schema=schema, context=Context(now_ns))
    relation = compiler.relation(Pipeline((Search(tuple(streams)),)))
    if not isinstance(query, Everything):
        lowering = Lowering(relation, compiler)
        condition = lowering.condition(query)
        pushdown.absorb_query(relation, query, condition, lowering)
        relation = relation.where(condition)
    return Matching(relation, compiler)
