"""Weaviate, asked for its metrics page and for the state of its nodes (`/v1/nodes?output=verbose`).

Its log, with the audit trail of its roles, comes in as any other: followed as a file or read from its container.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent
from treering.model.batch import batch
from treering.receive._intake import store
from treering.receive._pull import Rounds, ask, check_url, ok, secret
from treering.receive._scrape import Pages, Scraper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.stage.parser import Record
    from treering.stage.source import Context

NAME = "weaviate"
_MAX_POINTS = 100_000


class Config(BaseConfig, frozen=True):
    """Where Weaviate is and who asks."""

    url: Annotated[str, Meta(description="address of its REST API")] = "http://127.0.0.1:8080"
    metrics: Annotated[str, Meta(description="address of its metrics page; empty asks none")] = (
        "http://127.0.0.1:2112/metrics"
    )
    api_key: Annotated[str, Meta(description="API key; `$NAME` takes it from the environment")] = ""
    every_s: Annotated[float, Meta(gt=0, description="seconds between rounds")] = 30.0
    timeout_s: Annotated[float, Meta(gt=0, description="seconds an answer may take")] = 10.0
    service: Annotated[str, Meta(description="`serviceName` of the points")] = "weaviate"
    ca: Annotated[str, Meta(description="file of certificates to trust instead of the system's")] = ""


def build(config: Config, context: Context) -> Rounds:
    """Return the source. Raises `UserError` for addresses that are none."""
    home = check_url(config.url)
    headers = {"authorization": f"Bearer {secret(config.api_key)}"} if config.api_key else {}
    scraper = None
    if config.metrics:
        pages = Pages(
            (config.metrics,), service=config.service, every_s=config.every_s, timeout_s=config.timeout_s, ca=config.ca
        )
        scraper = Scraper(NAME, pages, context)

    async def nodes() -> None:
        url = f"{home}/v1/nodes?output=verbose"
        answer = await asyncio.to_thread(ask, url, headers, config.timeout_s, ca=config.ca)
        now = context.clock.now_ns()
        points = records(ok(answer, urlsplit(home).netloc).json(), now, _shared(config.service, home))
        await store(context, NAME, [batch("metrics", points, received_ns=now)], patience_s=config.every_s)

    async def both() -> None:
        work = [nodes()] if scraper is None else [nodes(), scraper.round()]
        for trouble in await asyncio.gather(*work, return_exceptions=True):
            if trouble is not None:
                raise trouble

    return Rounds(NAME, home, config.every_s, both)


def _shared(service: str, home: str) -> Record:
    attributes = {"service.name": service, "service.instance.id": urlsplit(home).netloc}
    return {"serviceName": service, "resource": {"attributes": attributes}}


def records(answer: Any, now_ns: int, shared: Record) -> list[Record]:
    """Return the data points of an answer of `/v1/nodes`. Raises `Permanent` when it is none."""
    nodes = answer.get("nodes") if isinstance(answer, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise Permanent("the answer has no nodes")
    head = {**shared, "@timestamp": now_ns, "time": now_ns, "kind": "GAUGE"}
    found: list[Record] = []
    for name, value, attributes in (point for node in nodes for point in _node(node)):
        if type(value) in (int, float) and len(found) < _MAX_POINTS:
            named = {key: text for key, text in attributes.items() if text not in (None, "")}
            found.append({**head, "name": name, "value": value, "attributes": {"db.system.name": NAME, **named}})
    return found


def _node(node: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    about = {"weaviate.node": node.get("name"), "weaviate.version": node.get("version")}
    state = {**about, "weaviate.node.status": node.get("status"), "weaviate.node.mode": node.get("operationalMode")}
    yield "weaviate.node.healthy", int(node.get("status") == "HEALTHY"), state
    stats, batches = _part(node, "stats"), _part(node, "batchStats")
    yield "weaviate.node.objects", stats.get("objectCount"), about
    yield "weaviate.node.shards", stats.get("shardCount"), about
    yield "weaviate.node.batch.queue_length", batches.get("queueLength"), about
    yield "weaviate.node.batch.rate", batches.get("ratePerSecond"), about
    shards = node.get("shards")
    for shard in shards if isinstance(shards, list) else []:
        if isinstance(shard, dict):
            where = {**about, "db.collection.name": shard.get("class"), "weaviate.shard": shard.get("name")}
            indexing = {**where, "weaviate.shard.indexing": shard.get("vectorIndexingStatus")}
            yield "weaviate.shard.objects", shard.get("objectCount"), where
            yield "weaviate.shard.vector_queue_length", shard.get("vectorQueueLength"), indexing
            yield "weaviate.shard.loaded", int(shard.get("loaded") is not False), where


def _part(node: dict[str, Any], name: str) -> dict[str, Any]:
    held = node.get(name)
    return held if isinstance(held, dict) else {}
