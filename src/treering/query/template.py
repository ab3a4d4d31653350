"""SQL expressions from constant templates: `:name` stands for an expression put in as a syntax node."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from treering.query.coerce import sql_cast
from treering.query.copying import copied
from treering.query.function import Typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SIMPLE = (exp.Literal, exp.Column, exp.Cast, exp.TryCast, exp.Paren, exp.Null, exp.Boolean, exp.Identifier)


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> exp.Expression:
    found = parse_one(text, read="duckdb")
    assert isinstance(found, exp.Expression)  # every node is one
    return found


def sql(text: str, /, **parts: exp.Expression) -> exp.Expression:
    """Return the expression of a template of ours with each `:name` replaced. `text` is never built at run time."""
    found = copied(_parsed(text), _filling(parts))
    if isinstance(found, (*_SIMPLE, exp.Func)) and not isinstance(found, exp.Binary):
        return found
    return exp.Paren(this=found)


def select(text: str, /, *, tables: Mapping[str, exp.Expr], **parts: exp.Expression) -> exp.Select:
    """Return a SELECT of a template of ours: tables by their names there, each `:name` as in `sql`.

    Queries are put in as they are, not copied: a scan inside is filled in later.
    """
    root = copied(_parsed(text), _filling(parts))
    assert isinstance(root, exp.Select)  # a template of ours
    for node in list(root.find_all(exp.Table)):
        if (found := tables.get(node.name)) is None:
            continue
        alias = exp.TableAlias(this=exp.to_identifier(node.name))
        if isinstance(found, exp.Query):
            node.replace(exp.Subquery(this=found, alias=alias))
        else:
            named = found.copy()
            named.set("alias", alias)
            node.replace(named)
    return root


def _filling(parts: Mapping[str, exp.Expression]) -> Callable[[exp.Expr], exp.Expr | None]:
    def filled(node: exp.Expr) -> exp.Expr | None:
        """Return what stands for a placeholder."""
        if not isinstance(node, exp.Placeholder):
            return None
        part = copied(parts[node.name])
        return part if isinstance(part, _SIMPLE) else exp.Paren(this=part)

    return filled


def typed(kind: Type, text: str, /, **parts: Typed | exp.Expression) -> Typed:
    """Return a template's expression, cast to the SQL type of `kind`."""
    found = sql(text, **{name: part.sql if isinstance(part, Typed) else part for name, part in parts.items()})
    return Typed(sql_cast(found, kind), kind)


def call(name: str, kind: Type, *args: Typed | exp.Expression) -> Typed:
    """Return a call of an SQL function, as `kind`. The name is one of ours, never a user's."""
    nodes = [copied(arg.sql if isinstance(arg, Typed) else arg) for arg in args]
    return Typed(sql_cast(exp.Anonymous(this=name, expressions=nodes), kind), kind)


def literal(value: str | int) -> exp.Expression:
    """Return a text or a whole number as a node."""
    if isinstance(value, str):
        return exp.Literal.string(value)
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
