"""Metrics pages over HTTP, for every source that asks for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from treering.core.errors import Permanent, TreeringError
from treering.model.batch import batch
from treering.parse import prometheus
from treering.receive._intake import store
from treering.receive._pull import Answer, ask, check_url, may_have_secret, ok

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.stage.parser import Record
    from treering.stage.source import Context

_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_MAX_TARGETS = 1000
_AT_ONCE = 8
Target = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Pages:
    """Which pages, how often, and what they are told and labelled with."""

    urls: tuple[str, ...] = ()
    discovery: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    every_s: float = 30.0
    timeout_s: float = 10.0
    ca: str = ""


class Scraper:
    """Asks targets and stores what they say."""

    def __init__(self, name: str, pages: Pages, context: Context) -> None:
        """Ask for `pages`; books are kept under `name`. Raises `UserError` for addresses that are none."""
        self._pages = pages
        self._context = context
        self._name = name
        self._urls = [check_url(url) for url in pages.urls]
        self._home = check_url(pages.discovery or pages.urls[0])

    async def round(self) -> None:
        """Ask every target once. Raises the first thing that went wrong, when all targets have been asked."""
        targets: list[Target] = [(url, {}) for url in self._urls]
        if self._pages.discovery:
            targets += await asyncio.to_thread(self._discovered)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(target: Target) -> TreeringError | None:
            async with gate:
                return await self._scrape(*target)

        for trouble in await asyncio.gather(*map(one, targets)):
            if trouble is not None:
                raise trouble

    async def _scrape(self, url: str, labels: dict[str, str]) -> TreeringError | None:
        began = time.perf_counter()
        now = self._context.clock.now_ns()
        trouble: TreeringError | None = None
        page = prometheus.Exposition()
        shared = self._shared(url, labels)
        try:
            answer = ok(await asyncio.to_thread(self._get, url), urlsplit(url).netloc)
            openmetrics = "openmetrics" in answer.kind
            text = answer.body.decode("utf-8", "replace")
            page = await asyncio.to_thread(prometheus.parse, text, now, shared, openmetrics=openmetrics)
            if page.rejected and not page.records:
                raise Permanent(f"{urlsplit(url).netloc} answered no metrics page")
        except TreeringError as error:
            trouble = error
        extra = {**self._pages.labels, **labels}
        for record in page.records:
            if extra:
                record["attributes"] = {**record.get("attributes", {}), **extra}
        values = {
            "up": int(trouble is None),
            "scrape_duration_seconds": time.perf_counter() - began,
            "scrape_samples_scraped": len(page.records),
        }
        page.records += _about(shared, now, extra, values)
        made = batch("metrics", page.records, received_ns=now)
        await store(self._context, self._name, [made], rejected=page.rejected, patience_s=self._pages.every_s)
        return trouble

    def _shared(self, url: str, labels: Mapping[str, str]) -> Record:
        parts = urlsplit(url)
        service = self._pages.service or labels.get("job", "")
        attributes: dict[str, Any] = {"service.instance.id": parts.netloc, "url.full": url}
        if service:
            attributes["service.name"] = service
            return {"serviceName": service, "resource": {"attributes": attributes}}
        return {"resource": {"attributes": attributes}}

    def _get(self, url: str) -> Answer:
        trusted = url in self._urls or may_have_secret(url, self._home)
        headers = {"accept": _ACCEPT, **(self._pages.headers if trusted else {})}
        return ask(url, headers, self._pages.timeout_s, ca=self._pages.ca)

    def _discovered(self) -> list[Target]:
        """Return the targets that service discovery lists, each with its labels."""
        headers = {**self._pages.headers, "accept": "application/json"}
        answer = ok(ask(self._home, headers, self._pages.timeout_s, ca=self._pages.ca), urlsplit(self._home).netloc)
        found: list[Target] = []
        groups = answer.json()
        for group in groups if isinstance(groups, list) else []:
            named = group.get("targets") if isinstance(group, dict) else None
            labels = group.get("labels") if isinstance(group, dict) else None
            for host in named if isinstance(named, list) else []:
                if isinstance(host, str) and len(found) < _MAX_TARGETS:
                    found.append(_target(host, labels if isinstance(labels, dict) else {}, self._home))
        if not found:
            raise Permanent(f"{urlsplit(self._home).netloc} lists no targets")
        return found


def _target(host: str, labels: Mapping[str, Any], home: str) -> Target:
    """Return the address of a target by Prometheus' rules (`__scheme__`, `__metrics_path__`), and its plain labels."""
    scheme = labels.get("__scheme__") or urlsplit(home).scheme
    scheme = scheme if scheme in ("http", "https") else "https"
    path = str(labels.get("__metrics_path__") or "/metrics")
    plain = {str(name): str(text) for name, text in labels.items() if not str(name).startswith("__")}
    return f"{scheme}://{host}{path if path.startswith('/') else '/' + path}", plain


def _about(shared: Record, now: int, labels: Mapping[str, str], values: Mapping[str, Any]) -> list[Record]:
    """Return the scrape's own data points."""
    head = {**shared, "@timestamp": now, "time": now, "kind": "GAUGE"}
    if labels:
        head["attributes"] = dict(labels)
    return [{**head, "name": name, "value": value} for name, value in values.items()]
