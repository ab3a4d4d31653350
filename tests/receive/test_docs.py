"""docs/opensearch.md and docs/receivers.md say what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from treering.core import registry
from treering.parse.otlp import Signal
from treering.receive import bulk, opensearch, otlp_http

if TYPE_CHECKING:
    from tests.serving import Server

DOCS = Path(__file__).resolve().parents[2] / "docs"
METHODS = {"GET", "POST", "PUT", "DELETE"}


def documented() -> set[tuple[str, str]]:
    found = set()
    for row in re.findall(r"^\| (`.*?) \|", (DOCS / "opensearch.md").read_text(), re.MULTILINE):
        for group in row.split(" · "):
            words = re.findall(r"`([^`]+)`", group)
            methods = [word for word in words if word in METHODS]
            found |= {(method, word) for method in methods for word in words if word not in METHODS}
    return found


def test_every_call_is_documented_and_every_documented_call_is_there(server: Server) -> None:
    context = server.pipeline.context
    indices = opensearch.Indices(server.store, context.clock)
    routes = [
        *bulk.build(bulk.Config(), context, indices),
        *opensearch.build(opensearch.Config(), context, indices),
    ]
    assert documented() == {(method, route.path) for route in routes for method in route.methods}


def test_receivers_paths_are_documented(server: Server) -> None:
    text = (DOCS / "receivers.md").read_text()
    for route in otlp_http.build(otlp_http.Config(), server.pipeline.context):
        if route.path.startswith("/v1/") or route.path.endswith(f"/{Signal.TRACES}"):
            assert f"{route.path}`" in text


@pytest.mark.parametrize("name", ["prometheus", "weaviate", "pinecone", "cloudwatch"])
def test_every_setting_of_a_source_is_documented(name: str) -> None:
    section = (DOCS / "sources.md").read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    fields = {field.name for field in msgspec.structs.fields(registry.load("treering.receive", name).Config)}
    assert fields == set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_the_example_by_hand_works(server: Server) -> None:
    body = b'{"create":{"_index":"app"}}\n{"message":"hello"}\n'
    assert server.request("POST", "/_bulk", body, {"Content-Type": "application/x-ndjson"}).status == 200
    assert server.records("app") == [{"message": "hello"}]
