"""Conditions as query DSL, on a real node: every wanted document is found, and no other where that is said."""

from __future__ import annotations

import json
import string
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.opensearch.drawn import CONDITION, MAPPING, NOW, RECORD, SEARCH
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
        self.index = f"translation-{uuid.uuid4().hex[:8]}"
        self.store = DuckdbStore()
        self.store.create(self.index, MAPPING)
        ids = [str(number) for number in range(len(records))]
        self.store.append([batch(self.index, records, received_ns=NOW, ids=ids, unit_ns=10**6)])
        settings = {"number_of_shards": 1, "number_of_replicas": 0}
        status, told = node.call("PUT", f"/{self.index}", {"mappings": MAPPING, "settings": settings})
        assert status == 200, told
        lines = [
            json.dumps({"index": {"_id": number}}) + "\n" + json.dumps(record)
            for number, record in zip(ids, records, strict=True)
        ]
        status, told = node.call("POST", f"/{self.index}/_bulk?refresh=true", ("\n".join(lines) + "\n").encode())
        assert status == 200, told
        assert not told["errors"], [item for item in told["items"] if item["index"]["status"] >= 300][:1]
        self.target = Target(self.index, self.index, MAPPING, time="@timestamp")

    def close(self) -> None:
        self.node.call("DELETE", f"/{self.index}")
        self.store.close()

    def agree(self, text: str) -> None:
        try:
            query = ppl.compile(
                f"source={self.index} {text} | fields _id", schema=self.store.schema, now_ns=NOW, default_source=None
            )
            wanted = {row[0] for row in self.store.run(query, Limits()).rows}
        except UserError:
            return
        (scan,) = query.scans.values()
        dsl, exact = translated(scan.filter, Fields(self.target, self.store.schema([self.index])))
        body = {"query": dsl, "size": 10_000, "_source": False, "timeout": "10s"}
        status, told = self.node.call("POST", f"/{self.index}/_search", body)
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
def pair(opensearch) -> Iterator[Pair]:
    records: list[dict[str, Any]] = []

    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(st.lists(RECORD, min_size=20, max_size=20))
    def draw(drawn: list[dict[str, Any]]) -> None:
        records.extend(drawn)

    draw()
    made = Pair(opensearch, records[:500])
    yield made
    made.close()


@EXAMPLES
@given(st.lists(CONDITION, min_size=5, max_size=5))
def test_conditions_find_what_the_embedded_store_finds(pair, conditions) -> None:
    for condition in conditions:
        pair.agree(f"| where {condition}")


@EXAMPLES
@given(SEARCH)
def test_searches_find_what_the_embedded_store_finds(pair, search) -> None:
    pair.agree(search)


LETTERS = string.ascii_letters + string.digits + " .,:;'-_/\u2019\u00b7"


@EXAMPLES
@given(st.text(LETTERS + "éßЖλ中あ", max_size=30))
def test_words_are_those_of_the_node(opensearch, text) -> None:
    from treering.query import analyzer

    status, told = opensearch.call("POST", "/_analyze", {"analyzer": "standard", "text": text})
    assert status == 200
    assert analyzer.words(text) == [token["token"] for token in told["tokens"] if token["token"].strip("_")]


# Signs without a width, marks, joints of words, scripts whose words end where others begin, emoji.
STRANGE = (
    "\u00ad\u200b\u200c\u200d\u2060\u202e\ufeff\u0301\u20dd\uff1a\uff0e\u2018\u2019\u2024\u00b7\u2027\u05f4\u0387\u060c\u066c"
    "\u30ab\u30bf\u30fc\uff66\u0e17\u0ea5\u1780\u1000\ud55c\uae00\u4e2d\u3042"
    "\U0001f600\u00e9\u2166\u00b2\u00bd\u0661\uff21 .:,;'_-a1"
)
AROUND = st.text(STRANGE, max_size=3)
WORD_PAIR = st.sampled_from(["test", "12", "ab_c", "2a", "é"])


DRAWN = st.tuples(AROUND, WORD_PAIR, AROUND, WORD_PAIR, AROUND).map("".join)


@settings(EXAMPLES, max_examples=8)
@given(st.lists(DRAWN, min_size=60, max_size=60), WORD_PAIR, WORD_PAIR)
def test_words_among_strange_letters_are_found_alike(opensearch, drawn, first, second) -> None:
    pair = Pair(opensearch, [{"body": text} for text in drawn])
    try:
        pair.agree(f"| where match(body, '{first}')")
        pair.agree(f"| where match_phrase(body, '{first} {second}')")
        pair.agree(f"| where not match(body, '{first} {second}')")
    finally:
        pair.close()
