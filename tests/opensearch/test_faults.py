"""Requests and answers that get lost, and records that are turned away: what was acknowledged is there, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.opensearch.faults import Faulty
from treering.core.errors import Permanent, Retryable, UserError
from treering.model.columns import SEQUENCE
from treering.stage.store import Scan
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import answer, column, count, logs, refuses

if TYPE_CHECKING:
    from tests.opensearch.common import Shared


def faulty(proxy: Faulty, name: str, **settings: Any) -> OpenSearchStore:
    return OpenSearchStore(
        Config(urls=(proxy.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", replicas=0, read=(), **settings)
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_is_there_once_and_nothing_else(opensearch: Shared, name: str, seed: int) -> None:
    with Faulty(opensearch.port, seed, rate=0) as proxy:
        store = faulty(proxy, name, patience_s=0.4, bulk_bytes=400)
        store.append(logs([{"n": -1}]))
        proxy.rate = 0.45
        acknowledged, refused = {-1: 0}, 0
        for turn in range(40):
            rows = [{"n": turn * 5 + place} for place in range(5)]
            try:
                first = store.append(logs(rows))
            except Retryable:
                refused += 1
            else:
                acknowledged |= {row["n"]: first + place for place, row in enumerate(rows)}
        proxy.rate = 0
        store.append([])
        found = answer(store, Scan(("logs",), ("n", SEQUENCE)), column("n"), column(SEQUENCE))
        assert sorted(found) == sorted(acknowledged.items())
        assert set(proxy.happened) == {"busy", "lost", "answer lost", "items turned away"}
        assert 0 < refused < 40
        position, parts = store.since(-1, 1_000_000)
        seqs = [seq for part in parts for seq in part.data.column(SEQUENCE).to_pylist()]
        assert seqs == sorted(acknowledged.values())
        assert position == max(acknowledged.values())
        store.close()


def test_a_record_that_is_replaced_is_there_once(opensearch: Shared, name: str) -> None:
    with Faulty(opensearch.port, 3, rate=0.3) as proxy:
        store = faulty(proxy, name, patience_s=20)
        seq = store.append(logs([{"n": 0}], ids=["a"]))
        for turn in range(1, 8):
            seq = store.append(logs([{"n": turn}], ids=["a"]), {"logs": [seq]})
        proxy.rate = 0
        assert answer(store, Scan(("logs",), ("_id", "n"))) == [("a", 7)]
        store.close()


def test_names_that_no_index_can_have_are_never_taken(opensearch: Shared, name: str) -> None:
    with Faulty(opensearch.port, 0, rate=0) as proxy:
        store = faulty(proxy, name)
        for bad in ("Logs", "a b", "_x", "x" * 300, "a*"):
            refuses(Permanent, lambda bad=bad: store.append(logs([{"n": 1}], bad)))  # type: ignore[misc]
            refuses(UserError, lambda bad=bad: store.create(bad, {}))  # type: ignore[misc]
        assert store.streams() == []
        store.close()


def test_an_index_that_somebody_deleted_comes_again(opensearch: Shared, name: str) -> None:
    store = OpenSearchStore(Config(urls=(opensearch.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", read=()))
    try:
        store.append(logs([{"n": 1}]))
        opensearch.call("DELETE", f"/{name}-logs-*")
        assert count(store, "logs") == 0
        store.append(logs([{"n": 2, "body": "again"}]))
        assert answer(store, Scan(("logs",), ("n", "body"))) == [(2, "again")]
        found = opensearch.call("GET", f"/{name}.logs/_search?q=n:2")[1]["hits"]["hits"]
        assert [hit["_source"]["body"] for hit in found] == ["again"]
    finally:
        store.close()


def test_no_node_is_something_to_try_again() -> None:
    told = refuses(Retryable, lambda: OpenSearchStore(Config(urls=("http://127.0.0.1:9",), patience_s=0.2)))
    assert "cannot reach OpenSearch at http://127.0.0.1:9" in told
