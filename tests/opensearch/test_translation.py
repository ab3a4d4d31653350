"""Conditions as query DSL, on a real node: every wanted document is found, and no other where that is said."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.opensearch.drawn import CONDITION, INDEX, MAPPING, NOW, RECORD, SEARCH
from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.store.opensearch.fields import Fields
from treering.store.opensearch.target import Target
from treering.store.opensearch.translate import translated


class Pair:
    """The same records in the embedded store and in an index of the node."""

    def __init__(self, node: Any, records: list[dict[str, Any]]) -> None:
        self.node = node
        self.store = DuckdbStore()
        self.store.create(INDEX, MAPPING)
        ids = [str(number) for number in range(len(records))]
        self.store.append([batch(INDEX, records, received_ns=NOW, ids=ids, unit_ns=10**6)])
        node.call("DELETE", f"/{INDEX}")
        settings = {"number_of_shards": 1, "number_of_replicas": 0}
        status, told = node.call("PUT", f"/{INDEX}", {"mappings": MAPPING, "settings": settings})
        assert status == 200, told
        lines = [
            json.dumps({"index": {"_id": number}}) + "\n" + json.dumps(record)
            for number, record in zip(ids, records, strict=True)
        ]
        status, told = node.call("POST", f"/{INDEX}/_bulk?refresh=true", ("\n".join(lines) + "\n").encode())
        assert status == 200, told
        assert not told["errors"], [item for item in told["items"] if item["index"]["status"] >= 300][:1]
        self.target = Target(INDEX, INDEX, MAPPING, time="@timestamp")

    def agree(self, text: str) -> None:
        try:
            query = ppl.compile(f"{text} | fields _id", schema=self.store.schema, now_ns=NOW, default_source=None)
            wanted = {row[0] for row in self.store.run(query, Limits()).rows}
        except UserError:
            return
        (scan,) = query.scans.values()
        dsl, exact = translated(scan.filter, Fields(self.target, self.store.schema([INDEX])))
        body = {"query": dsl, "size": 10_000, "_source": False, "timeout": "10s"}
        status, told = self.node.call("POST", f"/{INDEX}/_search", body)
        assert status == 200, (dsl, told)
        found = {hit["_id"] for hit in told["hits"]["hits"]}
        if scan.start_ns is not None or scan.end_ns is not None:
            exact = False  # the scan's bounds are asked for beside its filter
        assert wanted <= found, (dsl, sorted(wanted - found))
        assert found == wanted or not exact, (dsl, sorted(found - wanted))


EXAMPLES = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def pair(opensearch) -> Pair:
    records: list[dict[str, Any]] = []

    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(st.lists(RECORD, min_size=20, max_size=20))
    def draw(drawn: list[dict[str, Any]]) -> None:
        records.extend(drawn)

    draw()
    return Pair(opensearch, records[:500])


@EXAMPLES
@given(st.lists(CONDITION, min_size=5, max_size=5))
def test_conditions_find_what_the_embedded_store_finds(pair, conditions) -> None:
    for condition in conditions:
        pair.agree(f"source={INDEX} | where {condition}")


@EXAMPLES
@given(SEARCH)
def test_searches_find_what_the_embedded_store_finds(pair, search) -> None:
    pair.agree(f"search source={INDEX} {search}")


LETTERS = string.ascii_letters + string.digits + " .,:;'-_/\u2019\u00b7"


@EXAMPLES
@given(st.text(LETTERS + "éßЖλ中あ", max_size=30))
def test_words_are_those_of_the_node(opensearch, text) -> None:
    from treering.query import analyzer

    status, told = opensearch.call("POST", "/_analyze", {"analyzer": "standard", "text": text})
    assert status == 200
    assert analyzer.words(text) == [token["token"] for token in told["tokens"] if token["token"].strip("_")]
