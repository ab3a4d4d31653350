"""Vector databases as OpenLLMetry records them: what a query asked for, and its hits in span events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

_RETRIEVES = frozenset({"query", "search", "query_points", "search_points", "hybrid_search", "fetch_objects", "peek"})
_RESULTS = frozenset({"db.query.result", "db.search.result"})
_TOP = ("db.vector.query.top_k", "db.chroma.query.n_results", "pinecone.query.top_k", "db.milvus.search.limit",
        "qdrant.search.limit", "db.lancedb.query.limit")  # fmt: skip
_WHERE = ("db.collection.name", "db.vector.collection", "qdrant.collection_name", "db.milvus.search.collection_name",
          "db.milvus.query.collection_name", "pinecone.query.namespace", "db.chroma.collection")  # fmt: skip


def derive(facts: Facts) -> dict[str, Any]:
    """Return a retrieval's documents with their scores, and where they were looked for."""
    operation = str(facts.get("db.operation", "db.operation.name") or facts.name.rpartition(".")[2]).lower()
    place = facts.get(*_WHERE)
    found: dict[str, Any] = {"db.collection.name": place if isinstance(place, str) else None}
    if operation.rpartition(".")[2] not in _RETRIEVES:
        return found
    top = facts.get(*_TOP)
    documents = [document for event in facts.events if (document := _document(event))]
    return {
        **found,
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.top_k": top if type(top) is int else None,
        "gen_ai.retrieval.documents": content.text(documents) if documents else None,
    }


def _document(event: Any) -> dict[str, Any] | None:
    held: Mapping[str, Any] | None = event.get("attributes") if isinstance(event, dict) else None
    if not isinstance(held, dict) or event.get("name") not in _RESULTS:
        return None
    document: dict[str, Any] = {}
    for name, value in held.items():
        key = name.rpartition("result.")[2]
        if key == "id":
            document["id"] = str(value)
        elif key in {"score", "distance"}:
            document["score" if key == "score" else "distance"] = _number(value)
        elif key == "metadata":
            document["metadata"] = content.literal(value)
        elif key in {"document", "entity", "payload"}:
            document["content"] = value if isinstance(value, str) else content.text(value)
    return document


def _number(value: Any) -> Any:
    held = content.read(value) if isinstance(value, str) else value
    return float(held) if isinstance(held, int | float) and not isinstance(held, bool) else None
