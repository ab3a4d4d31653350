"""Random queries over random records give the same rows from a real node as from the embedded store."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.opensearch.common import Shared
from tests.opensearch.drawn import CONDITION, INDEX, MAPPING, NOW, RECORD
from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore

KEY = st.sampled_from(["kw", "i", "n", "b", "obj.x", "d", "title", "span(n, 10)", "span(`@timestamp`, 1m)", "ip"])
METRIC = st.sampled_from(
    """count() | count(kw) | sum(i) | avg(i) | min(n) | max(d) | sum(d) | dc(kw) | count(eval(i > 0)) | avg(f) | max(kw)
    | values(kw) | p50(i) | min(`@timestamp`) | sum(n) | count(ip) | sum(f) | min(kw) | latest(kw)""".split(" | ")
)
METRICS = st.lists(METRIC, min_size=1, max_size=3, unique=True).map(", ".join)
SORT = st.sampled_from(["kw", "n", "d", "f", "`@timestamp`", "- kw", "- n", "- `@timestamp`", "b, kw", "short"])
TAIL = st.one_of(
    METRICS.map(lambda text: f"stats {text}"),
    st.tuples(METRICS, KEY).map(lambda pair: f"stats {pair[0]} by {pair[1]}"),
    st.tuples(METRICS, KEY, KEY).map(lambda three: f"stats {three[0]} by {three[1]}, {three[2]}"),
    st.tuples(st.sampled_from(["top 2", "rare"]), st.sampled_from(["kw", "i", "b"])).map(" ".join),
    st.sampled_from(["timechart span=1s count() by kw", "timechart span=1M avg(i)", "chart count() over kw by b"]),
    SORT.map(lambda keys: f"sort {keys} | head 7 | fields _id"),
    st.sampled_from(["head 5 | fields _id, kw", "head 3 from 2 | fields _id", "fields n, kw", "dedup kw | fields _id"]),
    st.sampled_from(["dedup 2 b, kw | fields _id", "sort - n | dedup kw | fields _id", "dedup i keepempty=true"]),
    st.sampled_from(["eval u = upper(kw) | stats count() by u", "eval x = n + 1 | where x > 2 | stats sum(i) by kw"]),
    st.sampled_from(["bin i span=5 | stats count() by i", "eventstats count() by kw | head 3 | fields _id, kw"]),
)


class Stores:
    """The same records in the embedded store, in a store of ours on the node, and in an index of somebody else."""

    def __init__(self, opensearch: Shared, records: list[dict[str, Any]]) -> None:
        name = f"same{uuid.uuid4().hex[:8]}"
        self.opensearch, self.index = opensearch, f"{name}-theirs"
        ids = [str(number) for number in range(len(records))]
        self.embedded = DuckdbStore()
        self.ours = OpenSearchStore(
            Config(urls=(opensearch.url,), prefix=f"{name}-own-", alias=f"{name}.{{stream}}", replicas=0, read=())
        )
        for store, stream in ((self.embedded, self.index), (self.embedded, INDEX), (self.ours, INDEX)):
            store.create(stream, MAPPING)
            store.append([batch(stream, records, received_ns=NOW, ids=ids, unit_ns=10**6)])
        settings_ = {"number_of_shards": 1, "number_of_replicas": 0}
        opensearch.call("PUT", f"/{self.index}", {"mappings": MAPPING, "settings": settings_})
        lines = [
            f"{json.dumps({'index': {'_id': number}})}\n{json.dumps(record)}\n"
            for number, record in zip(ids, records, strict=True)
        ]
        status, told = opensearch.call("POST", f"/{self.index}/_bulk?refresh=true", "".join(lines).encode())
        assert status == 200, told
        assert not told["errors"], told
        reading = (self.index,)
        self.theirs = OpenSearchStore(
            Config(urls=(opensearch.url,), prefix=f"{name}-none-", alias=f"{name}n.{{stream}}", read=reading)
        )

    def close(self) -> None:
        self.ours.delete(INDEX)
        self.opensearch.call("DELETE", f"/{self.index}")
        for store in (self.ours, self.theirs, self.embedded):
            store.close()


def answer(store: Any, text: str) -> Any:
    try:
        query = ppl.compile(text, schema=store.schema, now_ns=NOW, default_source=None)
        return ppl.render(store.run(query, Limits()))["datarows"]
    except UserError as error:
        return error.message[:20]


def close_to(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close_to, one, other))
    return bool(one == other)


@pytest.fixture(scope="module")
def stores(opensearch: Shared) -> Iterator[Stores]:
    records: list[dict[str, Any]] = []

    @settings(max_examples=25, deadline=None, database=None, derandomize=True)
    @given(st.lists(RECORD, min_size=12, max_size=12))
    def draw(drawn: list[dict[str, Any]]) -> None:
        records.extend(drawn)

    draw()
    made = Stores(opensearch, records[:300])
    yield made
    made.close()


EXAMPLES = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@EXAMPLES
@given(st.one_of(st.just(""), CONDITION.map(lambda text: f"| where {text}")), TAIL)
def test_streams_of_ours_answer_as_the_embedded_store_does(stores: Stores, where: str, tail: str) -> None:
    text = f"source={INDEX} {where} | {tail}"
    assert close_to(answer(stores.ours, text), answer(stores.embedded, text)), text


@EXAMPLES
@given(st.one_of(st.just(""), CONDITION.map(lambda text: f"| where {text}")), TAIL)
def test_indexes_of_others_answer_as_the_embedded_store_does(stores: Stores, where: str, tail: str) -> None:
    text = f"source={stores.index} {where} | {tail}"
    assert close_to(answer(stores.theirs, text), answer(stores.embedded, text)), text
