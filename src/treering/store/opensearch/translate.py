"""Conditions as OpenSearch's query DSL: never fewer documents than a condition is true for, and often no more.

Each condition becomes two queries, one for the documents for which it is true and one for those for which it is false,
because the opposite of "more than needed" is "fewer than needed". A document without the field is found by neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from treering.stage.condition import (
    Condition,
    Constant,
    Either,
    Every,
    HasForm,
    HasWords,
    Known,
    Negated,
    Network,
    OneOf,
    Present,
    Within,
)
from treering.store.opensearch import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.store.opensearch.fields import Fields
    from treering.store.opensearch.leaves import Dsl

ALL: Dsl = {"match_all": {}}
NONE: Dsl = {"match_none": {}}
# OpenSearch takes so many clauses in one query by default (indices.query.bool.max_clause_count).
_MOST_CLAUSES = 1024


@dataclass(frozen=True, slots=True)
class Sides:
    """The documents for which a condition is true and for which it is false; whether these queries find no others."""

    true: Dsl
    false: Dsl
    exact: bool
    false_exact: bool


UNKNOWN = Sides(ALL, ALL, exact=False, false_exact=False)


def translated(condition: Condition, fields: Fields) -> tuple[Dsl, bool]:
    """Return the query that finds the documents for which a condition is true, and whether it finds no others."""
    sides = _sides(condition, fields)
    if _clauses(sides.true) > _MOST_CLAUSES:
        return ALL, False
    return sides.true, sides.exact


def _sides(condition: Condition, fields: Fields) -> Sides:
    match condition:
        case Constant():
            return _constant(condition)
        case Every():
            parts = [_sides(part, fields) for part in condition.parts]
            return _joined(parts)
        case Either():
            return _turned(_joined([_turned(_sides(part, fields)) for part in condition.parts]))
        case Negated():
            return _turned(_sides(condition.part, fields))
        case Known():
            part = _sides(condition.part, fields)
            opposite = none_of([part.true]) if part.exact else ALL
            return Sides(part.true, opposite, part.exact, part.exact)
        case _:
            return _leaf(condition, fields)


def _constant(condition: Constant) -> Sides:
    if condition.truth is None:
        return UNKNOWN
    sides = Sides(ALL, NONE, exact=True, false_exact=True)
    return sides if condition.truth else _turned(sides)


def _turned(sides: Sides) -> Sides:
    return Sides(sides.false, sides.true, sides.false_exact, sides.exact)


def _joined(parts: Sequence[Sides]) -> Sides:
    return Sides(
        all_of(part.true for part in parts),
        any_of(part.false for part in parts),
        all(part.exact for part in parts),
        all(part.false_exact for part in parts),
    )


def _leaf(condition: OneOf | Within | Present | Network | HasWords | HasForm, fields: Fields) -> Sides:
    field = fields.get(condition.field)
    if field is None:
        return UNKNOWN
    found = leaves.found(condition, field)
    exists: Dsl = {"exists": {"field": field.path}}
    if found is None:
        known = Sides(exists, exists, exact=False, false_exact=False)
    elif isinstance(condition, Present):
        known = Sides(found.query, none_of([found.query]), found.exact, found.exact)
    else:
        opposite = all_of([exists, none_of([found.query])]) if found.exact else exists
        known = Sides(found.query, opposite, found.exact, found.exact)
    return _with_others(known, field.elsewhere, condition, lists=field.lists)


def _with_others(sides: Sides, elsewhere: Dsl | None, condition: Condition, *, lists: bool) -> Sides:
    """Add the documents about whose value the index says nothing."""
    if elsewhere is not None:
        sides = Sides(any_of([sides.true, elsewhere]), any_of([sides.false, elsewhere]), exact=False, false_exact=False)
    if lists:
        # A list without items is a value, though not in the index; of a list, some conditions see the first item only.
        exact = sides.exact and (isinstance(condition, HasWords) or _of_texts(condition))
        empty = ALL if isinstance(condition, Present) else sides.true
        sides = replace(sides, true=empty, false=ALL, exact=exact, false_exact=False)
    return sides


def _of_texts(condition: Condition) -> bool:
    return isinstance(condition, OneOf) and all(isinstance(value, str) for value in condition.values)


def all_of(queries: Iterable[Dsl]) -> Dsl:
    """Return the documents that all queries find."""
    kept = [query for query in queries if query != ALL]
    if any(query == NONE for query in kept):
        return NONE
    filters = [part for query in kept for part in _filters(query)]
    if not filters:
        return ALL
    return filters[0] if len(filters) == 1 else {"bool": {"filter": filters}}


def _filters(query: Dsl) -> list[Dsl]:
    body = query.get("bool")
    return list(body["filter"]) if body is not None and set(body) == {"filter"} else [query]


def any_of(queries: Iterable[Dsl]) -> Dsl:
    """Return the documents that at least one query finds."""
    kept: list[Dsl] = []
    for query in queries:
        if query == ALL:
            return ALL
        if query != NONE and query not in kept:
            kept.append(query)
    if not kept:
        return NONE
    return kept[0] if len(kept) == 1 else {"bool": {"should": kept, "minimum_should_match": 1}}


def none_of(queries: Sequence[Dsl]) -> Dsl:
    """Return the documents that none of the queries finds."""
    if any(query == ALL for query in queries):
        return NONE
    kept = [query for query in queries if query != NONE]
    return {"bool": {"must_not": kept}} if kept else ALL


def _clauses(query: Any) -> int:
    if isinstance(query, dict):
        return sum(_clauses(value) for value in query.values()) if "bool" in query else _inside(query)
    return sum(map(_clauses, query)) if isinstance(query, list) else 0


def _inside(query: dict[str, Any]) -> int:
    below = sum(_clauses(value) for value in query.values() if isinstance(value, list | dict))
    return max(1, below)
