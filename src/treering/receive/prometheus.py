"""Metrics pages of others, asked for again and again: Prometheus' text format and OpenMetrics over HTTP.

Targets are named in the configuration or found by HTTP service discovery
(prometheus.io/docs/prometheus/latest/http_sd). As Prometheus does, each round adds `up`, `scrape_duration_seconds` and
`scrape_samples_scraped` of its target. A token goes to the named targets, and of the
discovered ones to those of the same domain only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, field

from treering.core.config import Config as BaseConfig
from treering.core.errors import UserError
from treering.receive._pull import Rounds, secret
from treering.receive._scrape import Pages, Scraper

if TYPE_CHECKING:
    from treering.stage.source import Context

NAME = "prometheus"


class Config(BaseConfig, frozen=True):
    """Whom to ask, how often, and as whom."""

    urls: Annotated[tuple[str, ...], Meta(description="addresses of metrics pages")] = ()
    discovery: Annotated[str, Meta(description="address of an HTTP service discovery that lists targets")] = ""
    every_s: Annotated[float, Meta(gt=0, description="seconds between rounds")] = 30.0
    timeout_s: Annotated[float, Meta(gt=0, description="seconds a target may take")] = 10.0
    token: Annotated[str, Meta(description="bearer token; `$NAME` takes it from the environment")] = ""
    headers: Annotated[dict[str, str], Meta(description="further request headers; `$NAME` as above")] = field(
        default_factory=dict
    )
    service: Annotated[str, Meta(description="`serviceName` of the points; else the target's `job`")] = ""
    labels: Annotated[dict[str, str], Meta(description="attributes that every point gets")] = field(
        default_factory=dict
    )
    ca: Annotated[str, Meta(description="file of certificates to trust instead of the system's")] = ""


def build(config: Config, context: Context) -> Rounds:
    """Return the source. Raises `UserError` for addresses that are none, or none at all."""
    if not config.urls and not config.discovery:
        raise UserError("prometheus: neither urls nor discovery")
    headers = {name.lower(): secret(text) for name, text in config.headers.items()}
    if config.token:
        headers["authorization"] = f"Bearer {secret(config.token)}"
    pages = Pages(
        urls=config.urls,
        discovery=config.discovery,
        headers=headers,
        service=config.service,
        labels=config.labels,
        every_s=config.every_s,
        timeout_s=config.timeout_s,
        ca=config.ca,
    )
    scraper = Scraper(NAME, pages, context)
    return Rounds(NAME, config.discovery or config.urls[0], config.every_s, scraper.round)
