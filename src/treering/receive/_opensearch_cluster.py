"""What clients ask a cluster before they send: who are you, which licence, how are you."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.receive import _elastic

if TYPE_CHECKING:
    from treering.receive._indices import Indices
    from treering.stage.source import Request, Response

CLUSTER = "treering"
_UUID = "treering00000000000000"
_OPENSEARCH = "3.8.0"
_DATE = "2026-01-01T00:00:00.000Z"
# Beats refuse a server older than themselves and some clients a newer one, so Elastic's get their own version back.
_ELASTIC_AGENT = re.compile(r"^(?:elastic|elasticsearch|logstash)\b[\w-]*/(\d{1,2}\.\d{1,3}\.\d{1,3})", re.IGNORECASE)
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+json.*compatible-with=(\d{1,2})")
_LICENSE = {
    "status": "active",
    "uid": "00000000-0000-0000-0000-000000000000",
    "type": "basic",
    "mode": "basic",
    "issue_date": _DATE,
    "issue_date_in_millis": 1_767_225_600_000,
    "max_nodes": 1000,
    "issued_to": CLUSTER,
    "issuer": "elasticsearch",
    "start_date_in_millis": -1,
}


def root(_indices: Indices, request: Request) -> Response:
    """`GET /`: name and version, as OpenSearch, or as Elasticsearch to Elastic's own clients."""
    number = elastic_version(request)
    version: dict[str, Any] = {
        "number": number or _OPENSEARCH,
        "build_type": "tar",
        "build_hash": "0" * 40,
        "build_date": _DATE,
        "build_snapshot": False,
        "lucene_version": "10.0.0",
        "minimum_wire_compatibility_version": "2.19.0",
        "minimum_index_compatibility_version": "2.0.0",
    }
    if number:
        version["build_flavor"] = "default"
        tagline = "You Know, for Search"
    else:
        version = {"distribution": "opensearch", **version}
        tagline = "The OpenSearch Project: https://opensearch.org/"
    names = {"name": CLUSTER, "cluster_name": CLUSTER, "cluster_uuid": _UUID}
    return _elastic.answer(request, {**names, "version": version, "tagline": tagline})


def elastic_version(request: Request) -> str | None:
    """Return the version that one of Elastic's clients expects, None for every other client."""
    if found := _ELASTIC_AGENT.match(request.headers.get("user-agent", "")):
        return found[1]
    if found := _COMPATIBLE.search(request.headers.get("accept", "")):
        return f"{found[1]}.0.0"
    return None


def license_(_indices: Indices, request: Request) -> Response:
    """`GET /_license`: Beats send nothing before they have seen an active licence."""
    return _elastic.answer(request, {"license": _LICENSE})


def xpack(_indices: Indices, request: Request) -> Response:
    """`GET /_xpack`: which features a Beat may set up."""
    features = {"ilm": {"available": True, "enabled": True}, "monitoring": {"available": False, "enabled": False}}
    licence = {name: _LICENSE[name] for name in ("uid", "type", "mode", "status")}
    build = {"hash": "0" * 40, "date": _DATE}
    return _elastic.answer(request, {"build": build, "license": licence, "features": features, "tagline": ""})


def health(indices: Indices, request: Request) -> Response:
    """`GET /_cluster/health`: one node, every stream one shard, all well."""
    shards = len(indices.store.streams())
    body = {
        "cluster_name": CLUSTER,
        "status": "green",
        "timed_out": False,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": True,
        "discovered_cluster_manager": True,
        "active_primary_shards": shards,
        "active_shards": shards,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    }
    return _elastic.answer(request, body)


def settings(indices: Indices, request: Request) -> Response:
    """`GET /_cluster/settings`: what was put there, and nothing else."""
    held = indices.state.settings
    scopes = {scope: held.get(scope, {}) for scope in ("persistent", "transient")}
    return _elastic.answer(request, scopes)


def put_settings(indices: Indices, request: Request) -> Response:
    """`PUT /_cluster/settings`: kept and shown again; of them only the one that allows all joins in PPL has effect."""
    body = _elastic.json_object(request)
    changed = {scope: body[scope] for scope in ("persistent", "transient") if isinstance(body.get(scope), dict)}
    for scope, values in changed.items():
        kept = {**indices.state.settings.get(scope, {}), **values}
        indices.put("settings", scope, {name: value for name, value in kept.items() if value is not None})
    answer = {"persistent": {}, "transient": {}, **changed}
    return _elastic.answer(request, {"acknowledged": True, **answer})


def nodes(_indices: Indices, request: Request) -> Response:
    """`GET /_nodes/http`: the one node, at the address the client already uses."""
    host = request.headers.get("host", "127.0.0.1:9200")
    node = {
        "name": CLUSTER,
        "transport_address": host,
        "host": host.rpartition(":")[0] or host,
        "ip": "127.0.0.1",
        "version": elastic_version(request) or _OPENSEARCH,
        "roles": ["data", "ingest", "cluster_manager"],
        "http": {"bound_address": [host], "publish_address": host, "max_content_length_in_bytes": 64 << 20},
    }
    counts = {"total": 1, "successful": 1, "failed": 0}
    return _elastic.answer(request, {"_nodes": counts, "cluster_name": CLUSTER, "nodes": {_UUID: node}})


def shards_done(_indices: Indices, request: Request) -> Response:
    """`_refresh`, `_flush`, `_forcemerge`: rows can be queried as soon as they are acknowledged."""
    return _elastic.answer(request, {"_shards": {"total": 1, "successful": 1, "failed": 0}})
