"""OpenSearch's query DSL, the part of it that log clients use: JSON to conditions, hits and aggregations.

Named after docs.opensearch.org, "Query DSL" and "Aggregations". What is not supported is refused by its name.
"""

from __future__ import annotations

from treering.query.dsl.aggregate import Aggregator
from treering.query.dsl.hits import Hit, Hits
from treering.query.dsl.request import Request, parse

__all__ = ["Aggregator", "Hit", "Hits", "Request", "parse"]
