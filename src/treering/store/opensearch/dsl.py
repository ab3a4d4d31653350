"""What of a scan OpenSearch itself can look for: conditions as its query DSL.

Every condition is necessary: a document that does not satisfy it is not in the answer. Whether the query is also
sufficient is said beside it; where it is not, the rows that come back are filtered by the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model.times import format_ns
from treering.store.opensearch.columns import ROOT
from treering.store.opensearch.state import LONGEST_WORD

if TYPE_CHECKING:
    from treering.stage.store import Scan, Tokens
    from treering.store.opensearch.target import Target

_MOST = 2**63 - 1
EVERYTHING: dict[str, Any] = {"match_all": {}}


def dsl_of(scan: Scan, target: Target) -> tuple[dict[str, Any], bool]:
    """Return the query that finds the scan's documents in `target`, and whether it finds no others."""
    conditions = [condition for condition in (_time(scan, target), _words(scan.tokens, target)) if condition]
    exact = scan.tokens is None and scan.where is None
    if not conditions:
        return EVERYTHING, exact
    return {"bool": {"filter": conditions}}, exact


def _time(scan: Scan, target: Target) -> dict[str, Any] | None:
    bounds: dict[str, Any] = {}
    if scan.start_ns is not None:
        bounds["gte"] = _instant(scan.start_ns, target)
    if scan.end_ns is not None:
        bounds["lt"] = _instant(scan.end_ns, target)
    if not bounds:
        return None
    return {"range": {target.time: bounds if target.own else bounds | {"format": "strict_date_optional_time_nanos"}}}


def _instant(ns: int, target: Target) -> int | str:
    inside = max(-_MOST, min(ns, _MOST))
    if target.own:
        return inside
    return format_ns(max(inside, 0))


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
