"""From SQL text to one checked SELECT."""

from __future__ import annotations

from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError

from treering.core.errors import UserError, Where
from treering.query.sql import allowed

MOST, DEEPEST = 100_000, 150


class Streams(DuckDB):
    """DuckDB's SQL with backticks around names too, and `@timestamp` a name as it stands."""

    class Tokenizer(DuckDB.Tokenizer):
        """The words."""

        IDENTIFIERS: ClassVar = ['"', "`"]
        SINGLE_TOKENS: ClassVar = {key: kind for key, kind in DuckDB.Tokenizer.SINGLE_TOKENS.items() if key != "@"}
        KEYWORDS: ClassVar = {key: kind for key, kind in DuckDB.Tokenizer.KEYWORDS.items() if not key.startswith("@")}
        VAR_SINGLE_TOKENS: ClassVar = {*DuckDB.Tokenizer.VAR_SINGLE_TOKENS, "@"}


def read(text: str) -> exp.Query:
    """Return the SELECT that `text` is. Raises `UserError` for anything else, and for what is not allowed in one."""
    if len(text) > MOST:
        raise UserError(f"the statement is longer than {MOST} characters")
    try:
        found = [each for each in sqlglot.parse(text, dialect=Streams) if each is not None]
        for each in found:
            _only_select(each, text)
    except SqlglotError as error:
        raise _syntax(error, text) from None
    except RecursionError:
        raise UserError("the statement is nested too deeply") from None
    if len(found) != 1:
        raise UserError("expected one SELECT" if not found else "there is more than one statement")
    (tree,) = found
    assert isinstance(tree, exp.Query)  # checked above
    return tree


def _only_select(tree: exp.Expr, text: str) -> None:
    if not isinstance(tree, allowed.QUERIES):
        word = text.split(None, 1)[0][:40].upper() if text.split() else ""
        raise UserError(f"{word} is not a SELECT", hint="SQL here only reads: SELECT … FROM <stream>")
    if _deeper(tree, DEEPEST):
        raise UserError(f"the statement is nested deeper than {DEEPEST} levels", hint="for many values write IN (…)")
    allowed.check(tree, text)


def _deeper(tree: exp.Expr, most: int) -> bool:
    """Whether a tree has more than `most` levels; a chain of AND has as many as conditions."""
    level = [tree]
    for _ in range(most):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return False
    return True


def _syntax(error: SqlglotError, text: str) -> UserError:
    details = getattr(error, "errors", None) or [{}]
    told = details[0]
    message = str(told.get("description") or "the statement cannot be read").strip(". ")
    where = None
    if told.get("highlight"):
        lines = text.splitlines(keepends=True)
        line, column = int(told["line"]), int(told["col"])
        length = len(told["highlight"])
        where = Where(text, max(0, sum(map(len, lines[: line - 1])) + column - length), length)
    return UserError(message[:1].lower() + message[1:], where=where)
