"""Subsearches: a pipeline as a value, a list of values, or a question whether it has rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, operators, output
from treering.query.function import Typed
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.scope import Scope
    from treering.query.syntax import Subsearch


def lower(scope: Scope, node: Subsearch, compiler: Compiler) -> Typed:
    """Return the value or condition of a subsearch. Raises `UserError` when it has not the columns it needs."""
    relation = compiler.relation(node.pipeline, outer=scope)
    visible = list(output.visible(relation).values())
    if node.form == "exists":
        select = relation.wrapped().limit(1, copy=False)
        found: exp.Expression = exp.Exists(this=select)
        return Typed(exp.Not(this=found) if node.negated else found, Type.BOOLEAN)
    wanted = max(1, len(node.operands))
    if len(visible) != wanted:
        raise UserError(
            f"the subsearch has {len(visible)} columns where {wanted} {'is' if wanted == 1 else 'are'} needed",
            hint="end it with | fields",
        )
    limited = replace(relation.limited(compiler.subsearch_rows if node.form == "in" else 1))
    if node.form == "scalar":
        value = exp.Select(expressions=[visible[0].raw]).from_(
            exp.Subquery(this=limited.sql, alias=exp.TableAlias(this=exp.to_identifier("t"))), copy=False
        )
        return Typed(exp.Subquery(this=value), visible[0].type, element=visible[0].element)
    return _member(scope, node, limited.sql, [Typed(column.raw, column.type) for column in visible], compiler)


def _member(scope: Scope, node: Subsearch, table: exp.Select, columns: list[Typed], compiler: Compiler) -> Typed:
    pairs = [
        operators.comparable(scope.typed(operand), column, compiler.now_ns)
        for operand, column in zip(node.operands, columns, strict=True)
    ]
    select = exp.Select(expressions=[right.sql for _, right in pairs]).from_(
        exp.Subquery(this=table, alias=exp.TableAlias(this=exp.to_identifier("t"))), copy=False
    )
    left: exp.Expression = (
        coerce.operand(pairs[0][0].sql) if len(pairs) == 1 else exp.Tuple(expressions=[value.sql for value, _ in pairs])
    )
    found: exp.Expression = exp.In(this=left, query=exp.Subquery(this=select))
    return Typed(exp.Not(this=exp.Paren(this=found)) if node.negated else found, Type.BOOLEAN)
