"""A search for words without the fields that have none of them: what remains of its SQL is a fraction of it.

A search in any field asks each field of the stream. The token index knows in which columns its words are in the rows
that are read; a test of any other column is false there, or, like that of a missing value, nothing that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.coerce import data_type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# The fields that the rows of a table do not have what is looked for in, kept with the table's SELECT.
ABSENT = "absent"


def of(name: str, table: exp.Query) -> dict[str, str]:
    """Return the columns of a query that stand for such fields of the scan `name`, each with the field."""
    return {f"{name}.{field}": field for field in table.meta.get(ABSENT, ())}


def without(node: exp.Expr, columns: Collection[str], copy: Callable[[exp.Expr], exp.Expr]) -> exp.Expr | None:
    """Return what a node is without tests of `columns`, None when that makes no difference to the node itself.

    Parts that stay are copied by `copy`.
    """
    if isinstance(node, exp.Or):
        parts = _alternatives(node)
        kept = [part for part in parts if not _asks(part, columns)]
        if len(kept) == len(parts):
            return None
        return exp.or_(*map(copy, kept), copy=False) if kept else exp.false()
    if _asks(node, columns):
        return exp.false()
    if isinstance(node, exp.Anonymous) and node.name == "concat_ws":
        parts = [part for part in node.expressions if not _is_one(part, columns)]
        if len(parts) == 1:  # the separator
            return exp.Literal.string("")
        if len(parts) < len(node.expressions):
            return exp.Anonymous(this="concat_ws", expressions=list(map(copy, parts)))
    return None


def drop(select: exp.Select | None, columns: Collection[str], used: Collection[str]) -> None:
    """Take the columns out of the SELECT that names them; those `used` elsewhere become null."""
    if select is None:
        return
    kept = [part for part in select.expressions if part.alias not in columns]
    kept += [
        exp.alias_(exp.Cast(this=exp.null(), to=data_type("VARCHAR")), name, quoted=True)
        for name in columns
        if name in used
    ]
    select.set("expressions", kept or [exp.Literal.number(1)])


def _alternatives(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    while isinstance(node, exp.Or):
        found.append(node.expression)
        node = node.this
    return [node, *found[::-1]]


def _asks(node: exp.Expr, columns: Collection[str]) -> bool:
    """Whether a node tests one of the columns, and nothing else, for a text."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.EQ):
        return _is_one(node.this, columns) and isinstance(node.expression, exp.Literal)
    if not isinstance(node, exp.Anonymous) or node.name != "contains":
        return False
    text = node.expressions[0]
    return isinstance(text, exp.Lower) and _is_one(text.this, columns)


def _is_one(node: exp.Expr, columns: Collection[str]) -> bool:
    return isinstance(node, exp.Column) and node.name in columns
