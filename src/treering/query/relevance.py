"""The full-text functions of `where`: match, match_phrase, multi_match, query_string and their kin."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import analyzers, querystring
from treering.query.function import Typed
from treering.query.lucene import Boolean, Clause, Everything, Lowering, Query, Words
from treering.query.minimum import least_of
from treering.query.syntax import Name
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.relation import Relation
    from treering.query.syntax import Relevance

_AUTO = 9
_FUZZINESS = {"0": 0, "1": 1, "2": 2}


def query_of(node: Relevance) -> Query:
    """Return the full-text query that a function call means. Raises `UserError` for an analyzer that is not known."""
    options = dict(node.options)
    query = _query_of(node, options)
    if "analyzer" in options:
        query = analyzers.analysed(query, options["analyzer"])
    if isinstance(query, Words) and not query.words() and options.get("zero_terms_query", "none").lower() == "all":
        return Everything()
    return query


def _query_of(node: Relevance, options: dict[str, str]) -> Query:
    operator = options.get("operator", options.get("default_operator", "or")).lower()
    fuzziness = options.get("fuzziness")
    fuzzy = 0 if fuzziness is None else _FUZZINESS.get(fuzziness, _AUTO)
    slop = int(options.get("slop", options.get("phrase_slop", "0")) or 0)
    least = options.get("minimum_should_match", "")
    if node.name == "query_string":
        text = querystring.escaped(node.query) if options.get("escape", "").lower() == "true" else node.query
        return _at_least(querystring.query_string(text, operator), least)
    if node.name == "simple_query_string":
        return querystring.simple_query_string(node.query, operator, options.get("flags", "ALL"))
    field = node.fields[0][0] if len(node.fields) == 1 else None
    fixed = int(options.get("prefix_length", "0") or 0)
    phrase = node.name in {"match_phrase", "match_phrase_prefix"} or "phrase" in options.get("type", "")
    prefix = node.name in {"match_phrase_prefix", "match_bool_prefix"} or options.get("type", "").endswith("prefix")
    auto = _bounds(fuzziness or "")
    return Words(node.query, field, operator, phrase, prefix, slop, fuzzy, least, fixed=fixed, auto=auto)


def _at_least(query: Query, least: str) -> Query:
    """Return the query with so many of its optional clauses demanded."""
    if not least or not isinstance(query, Boolean):
        return query
    return replace(query, least=least_of(least, sum(clause.occur == "should" for clause in query.clauses)))


def _bounds(fuzziness: str) -> tuple[int, int]:
    """Return from how many letters on one edit and two are allowed: `AUTO:low,high`, else 3 and 6."""
    found = re.fullmatch(r"auto:(\d+),(\d+)", fuzziness, re.IGNORECASE)
    return (int(found[1]), int(found[2])) if found else (3, 6)


def lower(relation: Relation, node: Relevance, compiler: Compiler) -> Typed:
    """Return the condition of a full-text function over `relation`. Raises `UserError` for an unknown field."""
    for name, _ in node.fields:
        if "*" not in name and node.name.startswith("match") and compiler.column(relation, name) is None:
            from treering.query.scope import Scope

            Scope(relation, compiler).unknown(Name(name, place=node.place))
    query, fields = meaning(node)
    try:
        condition = Lowering(relation, compiler, fields).condition(query)
    except UserError as error:
        raise UserError(error.message, hint=error.hint, where=compiler.where(node.place)) from error
    return Typed(condition, Type.BOOLEAN)


def meaning(node: Relevance) -> tuple[Query, tuple[str, ...]]:
    """Return the full-text query of a call, and the fields it asks where it names none; of words, each by itself."""
    fields = tuple(name for name, _ in node.fields)
    query = query_of(node)
    if isinstance(query, Words) and query.field is None and len(fields) > 1:
        words = query
        query = Boolean(tuple(Clause("should", replace(words, field=name)) for name in fields))
    return query, fields
