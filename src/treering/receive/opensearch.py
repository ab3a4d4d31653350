"""The OpenSearch API around `_bulk`: what real clients ask before, between and after.

Elasticsearch's clients are answered too. PPL (`/_plugins/_ppl`) is one of `treering.api`'s operations.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from treering.core.config import Config as BaseConfig
from treering.core.errors import TreeringError
from treering.receive import (
    _elastic,
    _opensearch_cluster,
    _opensearch_documents,
    _opensearch_fields,
    _opensearch_indices,
    _opensearch_search,
)
from treering.receive import _opensearch_templates as templates
from treering.receive._indices import Indices
from treering.receive.bulk import Bulk
from treering.stage.source import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.stage.source import Context, Request, Response

    Handler = Callable[[Indices, Request], Response]

__all__ = ["Config", "Indices", "build"]

NAME = "opensearch"
_TEMPLATE_PATHS = {
    "/_index_template": "index_templates",
    "/_component_template": "component_templates",
    "/_template": "templates",
    "/_ilm/policy": "policies",
    "/_plugins/_ism/policies": "policies",
}


class Config(BaseConfig, frozen=True):
    """The API has nothing to configure."""


def build(_config: Config, context: Context, indices: Indices) -> tuple[Route, ...]:
    """Return the routes around `_bulk`, working on the store behind `indices`."""
    return (*_cluster(indices), *_templates(indices), *_indexes(indices), *_documents(context, indices))


def _route(indices: Indices, methods: str, path: str, handler: Handler, role: str) -> Route:
    async def handle(request: Request) -> Response:
        gone = threading.Event()
        _opensearch_search.GONE.set(gone)  # of this request's own task, which the thread inherits
        try:
            return await asyncio.to_thread(handler, indices, request)
        except asyncio.CancelledError:
            gone.set()
            raise
        except TreeringError as error:
            return _elastic.refusal(request, error)

    return Route(frozenset(methods.split()), path, handle, role, reads=handler in _opensearch_search.READING)


def _cluster(indices: Indices) -> list[Route]:
    cluster = _opensearch_cluster
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("GET", "/", cluster.root, "any"),
        ("GET", "/_license", cluster.license_, "any"),
        ("GET", "/_xpack", cluster.xpack, "any"),
        ("GET", "/_cluster/health", cluster.health, "any"),
        ("GET", "/_cluster/health/{index}", cluster.health, "any"),
        ("GET", "/_cluster/settings", cluster.settings, "any"),
        ("PUT", "/_cluster/settings", cluster.put_settings, "admin"),
        ("GET", "/_nodes", cluster.nodes, "any"),
        ("GET", "/_nodes/http", cluster.nodes, "any"),
        ("GET", "/_nodes/_all/http", cluster.nodes, "any"),
        ("GET POST", "/_refresh", cluster.shards_done, "any"),
        ("GET POST", "/{index}/_refresh", cluster.shards_done, "any"),
        ("GET POST", "/{index}/_flush", cluster.shards_done, "any"),
        ("POST", "/{index}/_forcemerge", cluster.shards_done, "any"),
    )
    return [_route(indices, *row) for row in table]


def _templates(indices: Indices) -> list[Route]:
    routes = []
    for path, kind in _TEMPLATE_PATHS.items():
        routes.append(_route(indices, "GET", path, templates.get(kind), "any"))
        routes.append(_route(indices, "GET", f"{path}/{{name}}", templates.get(kind), "any"))
        routes.append(_route(indices, "PUT POST", f"{path}/{{name}}", templates.put(kind), "ingest"))
        routes.append(_route(indices, "DELETE", f"{path}/{{name}}", templates.delete(kind), "admin"))
    aliases = ("/_alias", "/_alias/{name}", "/{index}/_alias", "/{index}/_alias/{name}")
    routes.extend(_route(indices, "GET", path, templates.aliases, "any") for path in aliases)
    routes.append(_route(indices, "PUT POST", "/{index}/_alias/{name}", templates.put_alias, "ingest"))
    routes.append(_route(indices, "POST", "/_aliases", templates.put_alias, "ingest"))
    return routes


def _indexes(indices: Indices) -> list[Route]:
    handlers, search = _opensearch_indices, _opensearch_search
    field_caps = _opensearch_fields.field_caps
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("PUT", "/{index}", handlers.create, "ingest"),
        ("DELETE", "/{index}", handlers.delete, "admin"),
        ("GET", "/{index}", handlers.describe, "any"),
        ("GET", "/_mapping", handlers.get_mapping, "viewer"),
        ("GET", "/{index}/_mapping", handlers.get_mapping, "viewer"),
        ("PUT POST", "/{index}/_mapping", handlers.put_mapping, "ingest"),
        ("GET POST", "/_count", search.count, "viewer"),
        ("GET POST", "/{index}/_count", search.count, "viewer"),
        ("GET POST", "/_search", search.search, "viewer"),
        ("GET POST", "/{index}/_search", search.search, "viewer"),
        ("GET POST", "/_msearch", search.several, "viewer"),
        ("GET POST", "/{index}/_msearch", search.several, "viewer"),
        ("GET POST", "/_search/scroll", search.scroll, "viewer"),
        ("DELETE", "/_search/scroll", search.end_scroll, "viewer"),
        ("GET POST", "/_field_caps", field_caps, "viewer"),
        ("GET POST", "/{index}/_field_caps", field_caps, "viewer"),
        ("GET", "/_cat/indices", handlers.cat_indices, "viewer"),
        ("GET", "/_cat/indices/{index}", handlers.cat_indices, "viewer"),
        ("GET", "/_cat/health", handlers.cat_health, "any"),
    )
    return [_route(indices, *row) for row in table]


def _documents(context: Context, indices: Indices) -> list[Route]:
    bulk = Bulk(context, indices)
    write, read = _opensearch_documents.write, _opensearch_documents.read
    both, post, get = frozenset({"PUT", "POST"}), frozenset({"POST"}), frozenset({"GET"})
    return [
        Route(post, "/{index}/_doc", write(bulk, "index"), "ingest"),
        Route(both, "/{index}/_doc/{id}", write(bulk, "index"), "ingest"),
        Route(both, "/{index}/_create/{id}", write(bulk, "create"), "ingest"),
        Route(post, "/{index}/_update/{id}", write(bulk, "update"), "ingest"),
        Route(frozenset({"DELETE"}), "/{index}/_doc/{id}", write(bulk, "delete"), "analyst"),
        Route(get, "/{index}/_doc/{id}", read(indices), "viewer"),
        Route(get, "/{index}/_source/{id}", read(indices, bare=True), "viewer"),
    ]
