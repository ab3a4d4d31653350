"""`dedup [<count>] <field>, … [keepempty=] [consecutive=]`: at most so many rows per combination of values.

Arguments:
    count: how many rows of each combination stay, 1 if not said
    field: what makes a combination
    keepempty: true to keep rows in which one of them is null
    consecutive: true to look only at rows that follow each other

Example:
    source=logs | dedup 2 serviceName, severityText
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, chain, hashorder, printer, windows
from treering.query.lexer import Kind
from treering.query.relation import Order, aliased, named
from treering.query.scope import Scope
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("dedup",)


@dataclass(frozen=True, slots=True)
class Dedup:
    """How many rows are kept, the fields compared, whether rows without a value stay, whether only neighbours count."""

    names: tuple[Name, ...]
    count: int = 1
    keep_empty: bool = False
    consecutive: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        count = "" if self.count == 1 else f"{self.count} "
        options = (" keepempty=true" if self.keep_empty else "") + (" consecutive=true" if self.consecutive else "")
        return f"dedup {count}{', '.join(map(printer.expression, self.names))}{options}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows of each combination and keep the first ones."""
        scope = Scope(relation, compiler)
        # The index keeps the first rows in ascending order; the engine, with windows over a hash table.
        ours = self.keep_empty or not relation.indexed or any(_inside(scope.column(name)) for name in self.names)
        hashed = ours and not self.consecutive and (relation.topped or not relation.order)
        if hashed:
            written = {name.name: name for name in self.names}
            placed = [written[name] for name in windows.placed(written, relation)]
            keys = [hashorder.printed(scope.typed(name), scope.column(name)) for name in placed]
            relation = windows.by_groups(relation, keys, compiler)
        values = [scope.column(name).raw for name in self.names]
        missing = [exp.Paren(this=exp.Is(this=value.copy(), expression=exp.Null())) for value in values]
        partition = list(values)
        if not self.consecutive and not self.keep_empty:
            chain.limit(relation, self.count, [scope.column(name) for name in self.names])
        if self.consecutive:
            relation, run = self._runs(relation, compiler, values)
            partition.append(run)
        order = exp.Order(expressions=relation.keys())
        number = exp.Window(this=exp.RowNumber(), partition_by=partition, order=order)
        ref = compiler.fresh()
        relation = replace(relation, sql=relation.wrapped(aliased(number, ref)), plain=False, cut=True)
        kept: exp.Expression = exp.LTE(this=named(ref), expression=exp.Literal.number(self.count))
        if self.keep_empty:
            for test in missing:
                kept = exp.Or(this=test, expression=kept)
        else:
            for value in values:
                kept = exp.And(this=aggregates.present(value), expression=kept)
        relation = relation.where(kept)
        if hashed and relation.order:
            return relation
        if self.consecutive or (self.keep_empty and not relation.order):
            return _stored_order(relation)
        # As the engine answers: in the order asked for, then by the fields compared.
        return relation.ordered([*relation.order, *(Order(scope.column(name)) for name in self.names)])

    def _runs(
        self, relation: Relation, compiler: Compiler, values: list[exp.Expression]
    ) -> tuple[Relation, exp.Column]:
        """Number the runs of equal neighbours."""
        changed: exp.Expression = exp.false()
        for value in values:
            before = exp.Window(
                this=exp.Anonymous(this="lag", expressions=[value.copy()]), order=exp.Order(expressions=relation.keys())
            )
            changed = exp.Or(this=changed, expression=exp.NullSafeNEQ(this=value.copy(), expression=before))
        flag, run = compiler.fresh(), compiler.fresh()
        relation = replace(relation, sql=relation.wrapped(aliased(exp.Paren(this=changed), flag)))
        total = exp.Window(
            this=exp.Anonymous(this="count_if", expressions=[named(flag)]), order=exp.Order(expressions=relation.keys())
        )
        return replace(relation, sql=relation.wrapped(aliased(total, run))), named(run)


def _inside(column: Column) -> bool:
    """Whether the column is a document or in one, which the index cannot compare."""
    return bool(column.path) or column.type is Type.ARRAY


def _stored_order(relation: Relation) -> Relation:
    """Numbering leaves the rows in any order: what was natural is asked for by name from here on."""
    if relation.order or relation.sequence is None:
        return relation
    return relation.ordered([Order(relation.sequence)])


def parse(parser: Parser) -> Dedup:
    """Read what follows `dedup`."""
    count = 1
    if parser.peek().kind is Kind.NUMBER or parser.peek().is_op("-"):
        start = parser.peek().start
        count = parser.integer("the number of rows to keep")
        if count <= 0:
            raise UserError(
                "the number of rows to keep must be greater than zero", where=parser.where((start, parser.last_end))
            )
    names = parser.names("keepempty", "consecutive")
    keep_empty = consecutive = False
    while option := parser.option("keepempty", "consecutive"):
        if option == "keepempty":
            keep_empty = parser.boolean()
        else:
            consecutive = parser.boolean()
    return Dedup(names, count, keep_empty, consecutive)
