"""Pinecone, asked for its metrics (Prometheus by HTTP service discovery) and for the statistics of its indexes.

docs.pinecone.io, "Monitor performance" and "describe_index_stats". Its audit log is files in a bucket: hand them to
`treering ingest`, or follow the folder that they are copied to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent, TreeringError, UserError
from treering.model.batch import batch
from treering.receive._intake import store
from treering.receive._pull import Rounds, ask, check_url, may_have_secret, ok, secret
from treering.receive._scrape import Pages, Scraper

if TYPE_CHECKING:
    from treering.stage.parser import Record
    from treering.stage.source import Context

NAME = "pinecone"
_VERSION = "2025-04"
_MAX_INDEXES, _MAX_NAMESPACES = 1000, 10_000


class Config(BaseConfig, frozen=True):
    """Which project, and as whom."""

    api_key: Annotated[str, Meta(description="API key; `$NAME` takes it from the environment")] = "$PINECONE_API_KEY"
    project: Annotated[str, Meta(description="project id; without one its metrics are not asked for")] = ""
    url: Annotated[str, Meta(description="address of the control plane")] = "https://api.pinecone.io"
    statistics: Annotated[bool, Meta(description="whether to ask each index for its statistics")] = True
    every_s: Annotated[float, Meta(gt=0, description="seconds between rounds")] = 60.0
    timeout_s: Annotated[float, Meta(gt=0, description="seconds an answer may take")] = 20.0
    service: Annotated[str, Meta(description="`serviceName` of the points")] = "pinecone"
    ca: Annotated[str, Meta(description="file of certificates to trust instead of the system's")] = ""


def build(config: Config, context: Context) -> Rounds:
    """Return the source. Raises `UserError` for a key that is not there, or nothing to ask."""
    key = secret(config.api_key)
    home = check_url(config.url)
    if not config.project and not config.statistics:
        raise UserError("pinecone: neither a project nor statistics to ask for")
    work = [Statistics(config, home, key, context).round] if config.statistics else []
    if config.project:
        pages = Pages(
            discovery=f"{home}/prometheus/projects/{config.project}/metrics/discovery",
            headers={"authorization": f"Bearer {key}"},
            service=config.service,
            labels={"db.system.name": NAME},
            every_s=config.every_s,
            timeout_s=config.timeout_s,
            ca=config.ca,
        )
        work.append(Scraper(NAME, pages, context).round)

    async def all_of_it() -> None:
        for trouble in await asyncio.gather(*(one() for one in work), return_exceptions=True):
            if trouble is not None:
                raise trouble

    return Rounds(NAME, home, config.every_s, all_of_it)


class Statistics:
    """Asks for the list of indexes, then each of them for what it holds."""

    def __init__(self, config: Config, home: str, key: str, context: Context) -> None:
        """Ask the control plane at `home` with the API key `key`."""
        self._config = config
        self._home = home
        self._headers = {"api-key": key, "x-pinecone-api-version": _VERSION, "content-type": "application/json"}
        self._context = context

    async def round(self) -> None:
        """Ask once and store the data points. Raises the first thing that went wrong, when all have been asked."""
        listed = await asyncio.to_thread(self._ask, f"{self._home}/indexes")
        indexes = listed.get("indexes") if isinstance(listed, dict) else None
        if not isinstance(indexes, list):
            raise Permanent("the answer has no indexes")
        now = self._context.clock.now_ns()
        points: list[Record] = []
        trouble: TreeringError | None = None
        for index in indexes[:_MAX_INDEXES]:
            if isinstance(index, dict) and isinstance(index.get("host"), str):
                try:
                    stats = await asyncio.to_thread(self._statistics, index["host"])
                    points += records(index, stats, now, self._config.service)
                except TreeringError as error:
                    trouble = trouble or error
        if points:
            made = batch("metrics", points, received_ns=now)
            await store(self._context, NAME, [made], patience_s=self._config.every_s)
        if trouble is not None:
            raise trouble

    def _ask(self, url: str, method: str = "GET", body: bytes = b"") -> Any:
        answer = ask(url, self._headers, self._config.timeout_s, method=method, body=body, ca=self._config.ca)
        return ok(answer, urlsplit(url).netloc).json()

    def _statistics(self, host: str) -> Any:
        url = host if "://" in host else f"{urlsplit(self._home).scheme}://{host}"
        if not may_have_secret(url, self._home):
            raise Permanent(f"the index at {host[:100]} is of another domain: it does not get the key")
        return self._ask(f"{url.rstrip('/')}/describe_index_stats", "POST", b"{}")


def records(index: dict[str, Any], stats: Any, now_ns: int, service: str) -> list[Record]:
    """Return the data points of an index: vectors by namespace, fullness, dimension."""
    if not isinstance(stats, dict):
        raise Permanent("the statistics are no object")
    name = str(index.get("name", ""))
    status = index.get("status")
    ready = status.get("ready") if isinstance(status, dict) else None
    about = {"db.system.name": NAME, "db.collection.name": name, "pinecone.index.metric": index.get("metric")}
    named = stats.get("namespaces")
    values: list[tuple[str, Any, dict[str, Any]]] = [
        ("pinecone.index.vectors", stats.get("totalVectorCount"), {}),
        ("pinecone.index.fullness", stats.get("indexFullness"), {}),
        ("pinecone.index.dimension", stats.get("dimension", index.get("dimension")), {}),
        ("pinecone.index.ready", int(ready) if isinstance(ready, bool) else None, {}),
    ]
    for namespace, held in list(named.items())[:_MAX_NAMESPACES] if isinstance(named, dict) else []:
        count = held.get("vectorCount") if isinstance(held, dict) else None
        values.append(("pinecone.namespace.vectors", count, {"db.namespace": namespace or "__default__"}))
    resource = {"attributes": {"service.name": service, "service.instance.id": str(index.get("host", ""))}}
    head = {"serviceName": service, "resource": resource, "@timestamp": now_ns, "time": now_ns, "kind": "GAUGE"}
    return [
        {**head, "name": what, "value": value, "attributes": {**about, **more}}
        for what, value, more in values
        if type(value) in (int, float)
    ]
