"""`_bulk` and its surroundings as real clients sent them: answered as they expect, and nothing lost or changed."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tests.receive.recordings import Recording, bulk_documents, instant, recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Answer, Server

CAPTURES = [
    "es-py-9",
    "os-py-3",
    "filebeat-es-setup",
    "filebeat-es-retry",
    "fluent-bit-es",
    "rsyslog-omelasticsearch",
    "rsyslog-omelasticsearch-retry",
    "rsyslog-omelasticsearch-retry-2",
    "otelcol-es-retry",
    "otelcol-elasticsearch-exporter-otel",
    "otelcol-opensearch-exporter",
]
# Treering answers otherwise than the recording server did: the index that was filled before exists.
OTHERWISE = {("HEAD", "/idx"): 200}


@pytest.mark.parametrize("capture", CAPTURES)
def test_recorded_client(capture: str, server: Server, shared: Path) -> None:
    expected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in recordings(shared / "captures" / capture):
        told = json.loads(one.answer) if one.answer else {}
        # Where the client was refused, the store is busy; a per-item 429 likewise counts for the whole request.
        server.busy = one.answered in (429, 503) or any(status == 429 for status in statuses(told))
        answer = server.replay(one.method, one.path, one.headers, one.body)
        server.busy = False
        if not one.path.startswith("/_bulk"):
            check_other(one, answer)
            if one.path == "/idx/_doc":
                expected["idx"].append(json.loads(one.plain))
        elif check_bulk(one, answer, told):
            for _, index, _, document in bulk_documents(one.plain):
                expected[index].append(document)
        elif len(told.get("items", ())) > 1:
            # The client kept the items that it was told are done; here none was, so it would resend all.
            assert server.replay(one.method, one.path, one.headers, one.body).status == 200
            for _, index, _, document in bulk_documents(one.plain):
                expected[index].append(document)
    for index, documents in expected.items():
        kept = [comparable(record) for record in server.records(index)]
        assert sorted(kept) == sorted(comparable(document) for document in documents)
    assert all(balance.holds for balance in server.telemetry.conservation())


def statuses(told: Any) -> list[int]:
    return (
        [part["status"] for item in told.get("items", ()) for part in item.values()] if isinstance(told, dict) else []
    )


def check_other(one: Recording, answer: Answer) -> None:
    assert answer.status == OTHERWISE.get((one.method, one.path), one.answered), (one.name, answer)
    if one.method == "HEAD":
        assert answer.body == b""
        return
    told, said = json.loads(one.answer), json.loads(answer.body)
    if answer.status == one.answered == 200:
        assert missing_members(told, said) == [], one.name
    if agent(one).startswith("elastic"):
        assert answer.headers["x-elastic-product"] == "Elasticsearch"


def agent(one: Recording) -> str:
    return {name.lower(): value for name, value in one.headers}.get("user-agent", "").lower()


# Members of the recording server's answers that no client reads.
UNREAD = {"_shards", "build_flavor", "max_resource_units", "root_cause", "index", "shards_acknowledged"}


def missing_members(told: Any, said: Any, path: str = "") -> list[str]:
    """Return the members of `told` that `said` lacks, or has with another type."""
    if not isinstance(told, dict):
        return [] if isinstance(said, type(told)) or told is None else [path]
    if not isinstance(said, dict):
        return [path]
    out = []
    for name, value in told.items():
        if name in UNREAD:
            continue
        out += [f"{path}/{name}"] if name not in said else missing_members(value, said[name], f"{path}/{name}")
    return out


def check_bulk(one: Recording, answer: Answer, told: dict[str, Any]) -> bool:
    """Check the answer to a bulk request; returns whether its documents are stored."""
    assert answer.status == 200  # 429 and 503 as well: see wire facts on rsyslog and the Collector
    said = json.loads(answer.body)
    documents = bulk_documents(one.plain)
    assert len(said["items"]) == len(documents)
    refused = one.answered != 200 or 429 in statuses(told)
    for item, (operation, index, identifier, _) in zip(said["items"], documents, strict=True):
        ((done, part),) = item.items()
        assert (done, part["_index"]) == (operation, index)
        assert part["status"] == (429 if refused else 201)
        if identifier is not None and "_id" in part:
            assert part["_id"] == identifier
    if "filter_path" in one.path:
        assert said.keys() == {"items"}
        assert said["items"][0].keys() == told["items"][0].keys()
    else:
        assert said["errors"] is refused
        assert isinstance(said["took"], int)
    if "elastic" in agent(one) or "filter_path" in one.path:
        assert answer.headers["x-elastic-product"] == "Elasticsearch"
    if "compatible-with=9" in dict(one.headers).get("accept", ""):
        assert answer.headers["content-type"] == "application/vnd.elasticsearch+json; compatible-with=9"
    return not refused


def comparable(record: dict[str, Any]) -> str:
    """Return a record as text; its time in nanoseconds, numbers as Python has them."""
    stamp = record.get("@timestamp")
    if stamp is not None:
        record = {**record, "@timestamp": stamp if isinstance(stamp, int) else instant(stamp)}
    return json.dumps(record, sort_keys=True)
