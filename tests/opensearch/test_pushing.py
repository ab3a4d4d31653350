"""What goes down to a node for a query, how much comes back, and that `explain` says so."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.opensearch.common import Shared
from treering import query as ppl
from treering.model.batch import batch
from treering.stage.plan import Planner
from treering.stage.store import Limits, Result
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore

START = 1_700_000_000_000_000_000
ROWS = 200


@pytest.fixture(scope="module")
def store(opensearch: Shared) -> Iterator[OpenSearchStore]:
    name = f"push{uuid.uuid4().hex[:8]}"
    made = OpenSearchStore(
        Config(urls=(opensearch.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", replicas=0, read=())
    )
    records = [
        {
            "@timestamp": START + n * 10**9,
            "body": f"request {n} {'failed: timeout' if n % 10 == 0 else 'done'}",
            "svc": f"service-{n % 3}",
            "n": n,
            "ms": n / 4,
            "user": f"user-{n}",
            "big": 2**62 + n,
        }
        for n in range(ROWS)
    ]
    made.append([batch("logs", records, received_ns=START)])
    yield made
    made.delete("logs")
    made.close()


def run(store: OpenSearchStore, text: str) -> Result:
    return store.run(ppl.compile(text, schema=store.schema, now_ns=START), Limits())


@pytest.mark.parametrize(
    ("query", "documents", "first"),
    [
        ("stats count()", 0, (200,)),
        ("where svc = 'service-1' | stats count(), max(n) as m by svc", 0, (67, 199, "service-1")),
        ("where match(body, 'timeout') | stats count()", 0, (20,)),
        ("where n >= 100 and not svc like '%-2' | stats sum(n), avg(ms) as a by svc", 0, (4950, 37.5, "service-0")),
        ("top 1 svc", 0, ("service-0", 67)),
        ("timechart span=1m count() by svc", 0, None),
        ("stats dc(svc)", 0, (3,)),
        ("eval even = n % 2 = 0 | stats count() by even", 0, (100, False)),
        ("sort - n | head 3 | fields n", 3, (199,)),
        ("head 5 | fields n", 5, (0,)),
        ("where svc = 'service-2' | sort ms | head 2 from 1 | fields n", 3, (5,)),
        ("where upper(svc) = 'SERVICE-1' | stats count()", 0, (67,)),
        ("stats p50(n)", 200, (100,)),
        ("where user = 'user-7' | fields n", 1, (7,)),
        ("dedup svc | fields n", 3, (0,)),
        ("where n > 10 | sort - n | dedup 2 svc | fields n, svc", 6, (199, "service-1")),
        ("dedup svc keepempty=true | fields n", 200, (0,)),
        ("where regexp_match(body, 'time..t') | fields n", 20, (0,)),
    ],
)
def test_as_little_comes_as_says_the_same(store: OpenSearchStore, query: str, documents: int, first: Any) -> None:
    found = run(store, f"source=logs | {query}")
    assert found.rows_scanned == documents
    assert first is None or found.rows[0] == first


def test_groups_that_are_hardly_fewer_than_documents_are_not_made(store: OpenSearchStore) -> None:
    found = run(store, "source=logs | stats count() by user | sort user | head 1")
    assert found.rows == [(1, "user-0")]


def test_sums_that_doubles_cannot_hold_are_made_here(store: OpenSearchStore) -> None:
    found = run(store, "source=logs | where n < 2 | stats min(big), max(big)")
    assert found.rows == [(2**62, 2**62 + 1)]
    assert found.rows_scanned == 2


def test_explain_says_what_is_sent_and_how_much_comes(store: OpenSearchStore) -> None:
    assert isinstance(store, Planner)
    query = ppl.compile("source=logs | where n < 50 | stats count() by svc", schema=store.schema, now_ns=START)
    plan = store.plan(query, Limits())
    (sent,) = plan.sent
    assert (sent.form, sent.matching, sent.fetched) == ("groups", 50, 0)
    assert json.loads(sent.body)["aggs"]["groups"]["composite"]["sources"][0]["k0"]["terms"]["field"] == "svc"
    assert plan.measured is None
    lines = ppl.explain(query, plan, "standard").splitlines()
    assert any("groups of 50 documents, none comes here" in line for line in lines)
    assert any(line.strip().startswith("{") for line in lines)
    assert plan.operators


def test_explain_analyze_measures_what_came(store: OpenSearchStore) -> None:
    query = ppl.compile("source=logs | where match(body, 'done') | head 4", schema=store.schema, now_ns=START)
    plan = store.plan(query, Limits(), measure=True)
    (sent,) = plan.sent
    assert (sent.form, sent.matching, sent.fetched) == ("first documents", 180, 4)
    assert plan.measured is not None
    assert (plan.measured.rows, plan.measured.scanned_rows) == (4, 4)
    assert plan.measured.read_bytes > 0
