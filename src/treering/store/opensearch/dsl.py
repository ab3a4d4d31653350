"""What of a scan OpenSearch itself can look for: conditions as its query DSL.

Every condition is necessary: a document that does not satisfy it is not in the answer. Whether the query is also
sufficient is said beside it; where it is not, the rows that come back are filtered by the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model.mapping import fields as fields_of
from treering.model.schema import StreamSchema
from treering.stage.condition import Condition, Within, every
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.fields import Fields
from treering.store.opensearch.state import LONGEST_WORD
from treering.store.opensearch.translate import all_of, translated

if TYPE_CHECKING:
    from treering.stage.store import Scan, SortKey, Tokens
    from treering.store.opensearch.leaves import Dsl
    from treering.store.opensearch.target import Target

_MOST = 2**63 - 1
_SORTED = frozenset({"keyword", "long", "integer", "short", "byte", "double", "boolean", "date_nanos"})


def dsl_of(scan: Scan, target: Target, fields: Fields, sure: Condition | None = None) -> tuple[dict[str, Any], bool]:
    """Return the query that finds the scan's documents in `target`, and whether it finds no others.

    `sure` is what has to be answered exactly for that, without it all that the query demands.
    """
    bounds, bounded = _time(scan, target)
    found, exact = translated(scan.filter, fields)
    if sure is not None:
        exact = translated(sure, fields)[1]
    # What is exact already needs no words beside it.
    words = _words(scan.tokens, target) if not exact or sure is not None else None
    return dict(all_of([bounds, found, *([words] if words else [])])), exact and bounded


def order_of(keys: tuple[SortKey, ...], target: Target, fields: Fields) -> list[Any] | None:
    """Return the `sort` of rows in the order of `keys` and then of their numbers; None where the index cannot."""
    order: list[Any] = []
    for key in keys:
        field = fields.get(key.field)
        if field is None or not field.complete or field.type not in _SORTED:
            return None
        path = field.whole if field.type == "keyword" else field.path
        if path is None:
            return None
        about = {
            "order": "desc" if key.descending else "asc",
            "missing": "_first" if key.nulls_first else "_last",
            "unmapped_type": field.type,
        }
        if field.type == "date_nanos":
            about["numeric_type"] = "long"  # without it, OpenSearch 3.8 never ends where some documents lack the field
        order.append({path: about})
    return [*order, number_of(target)]


def number_of(target: Target) -> dict[str, str]:
    """Return the `sort` by the numbers of rows."""
    return {f"{ROOT}.seq" if target.own else "_seq_no": "asc"}


def _time(scan: Scan, target: Target) -> tuple[Dsl, bool]:
    if scan.start_ns is None and scan.end_ns is None:
        return {"match_all": {}}, True
    if target.own:
        bounds = {"gte": scan.start_ns, "lt": scan.end_ns}
        inside = {name: max(-_MOST, min(ns, _MOST)) for name, ns in bounds.items() if ns is not None}
        return {"range": {target.time: inside}}, True
    own = StreamSchema({field.name: field for field in fields_of(target.mapping.get("properties", {}))})
    within = Within(target.time, scan.start_ns, scan.end_ns, high_included=False)
    return translated(every([within]), Fields(target, own))


def _words(tokens: Tokens | None, target: Target) -> dict[str, Any] | None:
    """Return the condition on words: all texts of our documents are in one field, so the field asked for is too."""
    if tokens is None or not target.own:
        return None
    if tokens.op in {"and", "or"}:
        parts = [_words(part, target) for part in tokens.parts]
        if tokens.op == "or" and (None in parts or not parts):
            return None
        known = [part for part in parts if part is not None]
        if not known:
            return None
        return {"bool": {"filter": known} if tokens.op == "and" else {"should": known, "minimum_should_match": 1}}
    # Beyond ASCII, lower case is not the same everywhere; parts of a word may lie behind what is indexed of it.
    if not tokens.text.isascii() or tokens.op not in {"token", "prefix"}:
        return None
    return {"term" if tokens.op == "token" else "prefix": {f"{ROOT}.words": tokens.text[:LONGEST_WORD]}}
