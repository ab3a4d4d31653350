"""Sources that ask: Prometheus pages, Weaviate, Pinecone; books, secrets, and those who do not answer as hoped."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.receive.pages import served
from treering.app.config import Settings, check
from treering.core.clock import ManualClock
from treering.core.errors import Permanent, Retryable, UserError
from treering.core.telemetry import Telemetry
from treering.receive import pinecone, prometheus, weaviate
from treering.receive._pull import ask, may_have_secret
from treering.stage.source import Context
from treering.testing.sinks import FailingSink, FullSink, RecordingSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treering.receive._pull import Rounds
    from treering.stage.source import Sink

NOW = 1_795_489_000 * 10**9
Records = list[dict[str, Any]]


def once(build: Callable[[Context], Rounds], sink: Sink | None = None) -> tuple[Records, str]:
    """Run one round; return what was stored and how the source is afterwards. The books must balance."""
    kept, telemetry = RecordingSink(), Telemetry()

    async def scenario() -> str:
        source = build(Context(sink or kept, ManualClock(NOW), telemetry))
        await source.start()
        await asyncio.sleep(0)
        source._stopping.set()  # so that the round is the only one
        assert source._task is not None
        await source._task
        state = source.listening[2]
        await source.stop()
        await source.stop()
        return state

    state = asyncio.run(scenario())
    assert all(balance.holds and not balance.in_flight for balance in telemetry.conservation())
    return kept.records("metrics"), state


def named(records: Records, name: str) -> Records:
    return [record for record in records if record["name"] == name]


def test_a_page_and_what_is_said_about_the_asking() -> None:
    with served(metrics=b'# TYPE a counter\na_total{x="1"} 5\nbad line\n') as pages:
        config = prometheus.Config(urls=(f"{pages.address}/metrics",), service="vllm", labels={"env": "ci"}, token="T")
        records, state = once(lambda context: prometheus.build(config, context))
        headers = pages.asked[0][2]
    assert state == "open"
    assert (headers["authorization"], headers["accept"][:28]) == ("Bearer T", "application/openmetrics-text")
    (point,) = named(records, "a_total")
    assert (point["value"], point["serviceName"], point["@timestamp"]) == (5, "vllm", NOW)
    assert point["attributes"] == {"x": "1", "env": "ci"}
    assert point["resource"]["attributes"]["service.instance.id"] == pages.address[7:]
    assert [record["value"] for record in named(records, "up")] == [1]
    assert [record["value"] for record in named(records, "scrape_samples_scraped")] == [1]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"", "answered 500"),
        (401, b"", "answered 401"),
        (302, b"", "answered 302"),
        (200, b"<html>", "no metrics"),
    ],
)
def test_those_who_do_not_answer_are_down(status: int, body: bytes, message: str) -> None:
    with served(metrics=body, good=b"a 1\n") as pages:
        pages.statuses["/metrics"] = status
        pages.redirects["/metrics"] = f"{pages.address}/good"
        config = prometheus.Config(urls=(f"{pages.address}/metrics", f"{pages.address}/good"))
        records, state = once(lambda context: prometheus.build(config, context))
    assert message in state
    assert sorted(record["value"] for record in named(records, "up")) == [0, 1]
    assert len(named(records, "a")) == 1


def test_nobody_there() -> None:
    config = prometheus.Config(urls=("http://127.0.0.1:1/metrics",), timeout_s=1)
    records, state = once(lambda context: prometheus.build(config, context))
    assert "no answer from 127.0.0.1:1" in state
    assert [record["value"] for record in named(records, "up")] == [0]


def test_a_busy_store_is_waited_for_and_a_full_one_is_counted() -> None:
    kept = RecordingSink()
    with served(metrics=b"a 1\n") as pages:
        config = prometheus.Config(urls=(f"{pages.address}/metrics",), every_s=20)
        failing = FailingSink(kept, seed=4, rate=0.5)
        once(lambda context: prometheus.build(config, context), failing)
        assert kept.count == 4
        config = prometheus.Config(urls=(f"{pages.address}/metrics",), every_s=0.1)
        _, state = once(lambda context: prometheus.build(config, context), FullSink(RecordingSink()))
        assert "no room" in state
        _, state = once(lambda context: prometheus.build(config, context), FullSink(RecordingSink(), permanent=True))
        assert "no room" in state


def test_packed_answers_and_bombs() -> None:
    with served(metrics=b"a 1\n", bomb=b"a" * (65 << 20)) as pages:
        pages.packed = True
        assert ask(f"{pages.address}/metrics", {}, 5).body == b"a 1\n"
        with pytest.raises(Permanent, match="larger than"):
            ask(f"{pages.address}/bomb", {}, 20)
    with served(cut=gzip.compress(b"a" * 1000)[:-9]) as pages:
        pages.kinds["/cut"] = "text/plain"
        pages.packed = False
        assert ask(f"{pages.address}/cut", {}, 5).status == 200


def test_discovery_tells_the_targets() -> None:
    with served(metrics=b"pinecone_db_record_total 7\n", other=b"b 1\n") as pages:
        host = pages.address[7:]
        groups = [
            {"targets": [host, 5], "labels": {"index_name": "docs", "__meta_x": "y", "job": "pc"}},
            {"targets": [host], "labels": {"__metrics_path__": "other"}},
            "junk",
        ]
        pages.bodies["/sd"] = json.dumps(groups).encode()
        config = prometheus.Config(discovery=f"{pages.address}/sd", token="T")
        records, state = once(lambda context: prometheus.build(config, context))
    assert state == "open"
    assert named(records, "pinecone_db_record_total")[0]["attributes"] == {"index_name": "docs", "job": "pc"}
    assert named(records, "pinecone_db_record_total")[0]["serviceName"] == "pc"
    assert len(named(records, "b")) == 1
    assert all(headers["authorization"] == "Bearer T" for _, _, headers in pages.asked)


@pytest.mark.parametrize(
    ("url", "home", "may"),
    [
        ("https://metrics.x.pinecone.io/m", "https://api.pinecone.io", True),
        ("http://metrics.x.pinecone.io/m", "https://api.pinecone.io", False),
        ("https://evil.example.org/m", "https://api.pinecone.io", False),
        ("https://pinecone.io.evil.org/m", "https://api.pinecone.io", False),
        ("https://10.0.0.1/m", "https://10.1.0.1", False),
        ("http://127.0.0.1:1/m", "http://127.0.0.1:2", True),
        ("http://api.pinecone.io/m", "https://api.pinecone.io", False),
    ],
)
def test_secrets_stay_in_their_domain(url: str, home: str, may: bool) -> None:
    assert may_have_secret(url, home) is may


def test_weaviate_s_nodes_and_metrics(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared / "data/vector_access"
    monkeypatch.setenv("WEAVIATE_KEY", "secret")
    with served(metrics=(folder / "metrics.txt").read_bytes()) as pages:
        pages.bodies["/v1/nodes"] = (folder / "nodes.json").read_bytes()
        config = weaviate.Config(url=pages.address, metrics=f"{pages.address}/metrics", api_key="$WEAVIATE_KEY")
        records, state = once(lambda context: weaviate.build(config, context))
        asked = {path: headers for _, path, headers in pages.asked}
    assert state == "open"
    assert asked["/v1/nodes?output=verbose"]["authorization"] == "Bearer secret"
    assert "authorization" not in asked["/metrics"]
    objects = {r["attributes"]["db.collection.name"]: r["value"] for r in named(records, "weaviate.shard.objects")}
    assert objects == {"SupportTickets": 0, "HrPolicies": 375, "Payroll": 0, "Contracts": 0}
    (healthy,) = named(records, "weaviate.node.healthy")
    assert (healthy["value"], healthy["attributes"]["weaviate.node.status"]) == (1, "HEALTHY")
    assert len(named(records, "weaviate.shard.loaded")) == 4
    assert named(records, "batch_durations_ms")
    assert {record["serviceName"] for record in records} == {"weaviate"}


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"nodes":[1]}', b"no", b'{"nodes":[{"shards":[1,{}],"stats":5}]}'])
def test_odd_answers_of_weaviate(body: bytes) -> None:
    with served() as pages:
        pages.bodies["/v1/nodes"] = body
        config = weaviate.Config(url=pages.address, metrics="")
        records, state = once(lambda context: weaviate.build(config, context))
    assert bool(records) is (state == "open")


def test_pinecone_s_metrics_and_statistics() -> None:
    with served(metrics=b'pinecone_db_op_query_count{index_name="docs"} 12\n') as pages:
        host = pages.address[7:]
        pages.bodies["/prometheus/projects/P/metrics/discovery"] = json.dumps([{"targets": [host]}]).encode()
        listed = {"name": "docs", "host": host, "metric": "cosine", "dimension": 8, "status": {"ready": True}}
        stranger = {"name": "other", "host": "https://evil.example.org"}
        pages.bodies["/indexes"] = json.dumps({"indexes": [stranger, listed, 5, {}]}).encode()
        stats = {
            "namespaces": {"": {"vectorCount": 3}, "eu": {"vectorCount": 4}, "odd": 5},
            "dimension": 8, "indexFullness": 0.25, "totalVectorCount": 7,
        }  # fmt: skip
        pages.bodies["/describe_index_stats"] = json.dumps(stats).encode()
        config = pinecone.Config(api_key="K", project="P", url=pages.address)
        records, state = once(lambda context: pinecone.build(config, context))
        asked = {path: (method, headers) for method, path, headers in pages.asked}
    assert "another domain" in state
    assert asked["/describe_index_stats"][0] == "POST"
    assert asked["/describe_index_stats"][1]["api-key"] == "K"
    assert asked["/metrics"][1]["authorization"] == "Bearer K"
    assert [record["value"] for record in named(records, "pinecone.index.vectors")] == [7]
    assert [record["value"] for record in named(records, "pinecone.index.fullness")] == [0.25]
    spaces = {r["attributes"]["db.namespace"]: r["value"] for r in named(records, "pinecone.namespace.vectors")}
    assert spaces == {"__default__": 3, "eu": 4}
    assert named(records, "pinecone_db_op_query_count")[0]["attributes"] == {
        "index_name": "docs", "db.system.name": "pinecone",
    }  # fmt: skip


def test_settings_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    context = Context(RecordingSink(), ManualClock(NOW), Telemetry())
    for build, message in (
        (lambda: prometheus.build(prometheus.Config(), context), "neither urls nor discovery"),
        (lambda: prometheus.build(prometheus.Config(urls=("ftp://x",)), context), "not an http"),
        (lambda: pinecone.build(pinecone.Config(), context), "PINECONE_API_KEY is not set"),
        (lambda: pinecone.build(pinecone.Config(api_key="K", statistics=False), context), "neither a project"),
        (lambda: check(Settings(sources=({"use": "promethesu"},))), "did you mean 'prometheus'"),
        (lambda: check(Settings(sources=({"use": "prometheus", "url": "x"},))), "did you mean 'urls'"),
        (lambda: check(Settings(sources=({"urls": ["x"]},))), "without use"),
    ):
        with pytest.raises(UserError, match=message):
            build()
    with pytest.raises(Retryable):
        ask("http://127.0.0.1:1", {}, 1)
