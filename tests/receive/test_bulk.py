"""`_bulk` item by item, as OpenSearch answers it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.core.telemetry import Telemetry
from treering.receive import _filter_path, _index_names, bulk
from treering.stage.source import Context, Request, Response
from treering.testing.sinks import FullSink, RecordingSink

if TYPE_CHECKING:
    from tests.serving import Server

TYPE = {"content-type": "application/x-ndjson"}


def lines(*parts: Any) -> bytes:
    return b"".join((part if isinstance(part, bytes) else json.dumps(part).encode()) + b"\n" for part in parts)


def ask(
    body: bytes, path: str = "/_bulk", headers: dict[str, str] = TYPE, **query: str
) -> tuple[Response, RecordingSink]:
    sink = RecordingSink()
    routes = bulk.build(bulk.Config(), Context(sink, ManualClock(), Telemetry()))
    params = {"index": path.split("/")[1]} if path != "/_bulk" else {}
    request = Request("POST", path, params, query, headers, body)
    return asyncio.run(routes[0].handle(request)), sink


def statuses(answer: Any) -> list[int]:
    return [part["status"] for item in answer["items"] for part in item.values()]


def server_bulk(server: Server, *parts: Any, path: str = "/_bulk") -> Any:
    answer = server.request("POST", path, lines(*parts), TYPE)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3),
    ),
    max_leaves=10,
)  # fmt: skip
names = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name != "@timestamp")


@settings(max_examples=150)
@given(st.lists(st.dictionaries(names, json_values, max_size=5), min_size=1, max_size=6), st.booleans())
def test_any_document_survives(documents: list[dict[str, Any]], escaped: bool) -> None:
    parts = []
    for document in documents:
        parts += [b'{"index":{}}', json.dumps(document, ensure_ascii=escaped).encode()]
    response, sink = ask(lines(*parts), "/logs/_bulk")
    assert response.status == 200
    assert statuses(json.loads(response.body)) == [201] * len(documents)
    assert json.dumps(sink.records("logs"), sort_keys=True) == json.dumps(documents, sort_keys=True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "request body is required"),
        (b"\n\n", "no requests added"),
        (b'{"index":{"_index":"i"}}\n{}', "must be terminated by a newline"),
        (
            b'{"upsert":{"_index":"i"}}\n{}\n',
            "expected field [create], [delete], [index] or [update] but found [upsert]",
        ),
        (b"[]\n{}\n", "Malformed action/metadata line [1]"),
        (b"nonsense\n{}\n", "Malformed action/metadata line [1]"),
        (b'{"index":{"_index":"i","colour":1}}\n{}\n', "unknown parameter [colour]"),
        (b'{"index":{}}\n{}\n', "index is missing"),
        (b'{"delete":{"_index":"i"}}\n', "id is missing"),
        (b'{"index":{"_index":"i","_id":""}}\n{}\n', "must not be empty"),
        (b'{"index":{"_index":"i","_id":"%s"}}\n{}\n' % (b"x" * 513), "no longer than 512 bytes"),
        (b'{"index":{"_index":["i"]}}\n{}\n', "expected a simple value"),
        (b'{"index":{"_index":"i"}}\n{}\n{"index":5}\n{}\n', "line [3], expected START_OBJECT"),
    ],
)
def test_a_wrong_action_line_fails_the_request(body: bytes, reason: str) -> None:
    response, sink = ask(body)
    answer = json.loads(response.body)
    assert (response.status, answer["status"], sink.count) == (400, 400, 0)
    assert reason in answer["error"]["reason"]
    assert answer["error"]["root_cause"][0]["reason"] == answer["error"]["reason"]


def test_a_wrong_document_fails_its_item() -> None:
    response, sink = ask(
        lines({"create": {"_index": "a"}}, {"n": 1}, {"create": {"_index": "B"}}, {},
              {"index": {"_index": "a"}}, b"{,}",
              {"index": {"_index": "a"}}, b"", {"index": {"_index": "a"}}, {"n": 2}, {"index": {"_index": "a"}})
    )  # fmt: skip
    answer = json.loads(response.body)
    assert statuses(answer) == [201, 400, 400, 400, 201, 400]
    kinds = [part["error"]["type"] for item in answer["items"] for part in item.values() if "error" in part]
    assert kinds == ["invalid_index_name_exception"] + ["mapper_parsing_exception"] * 3
    assert sink.records("a") == [{"n": 1}, {"n": 2}]


def test_blank_lines_between_pairs_and_carriage_returns_are_taken() -> None:
    response, sink = ask(b'\n{"index":{"_index":"i"}}\r\n{"n":1}\r\n\r\n\n{"index":{"_index":"i"}}\n{"n":2}\n\n')
    assert statuses(json.loads(response.body)) == [201, 201]
    assert sink.records("i") == [{"n": 1}, {"n": 2}]


class Sender:
    """Sends bodies one after another to one receiver."""

    def __init__(self) -> None:
        self.sink = RecordingSink()
        self.route = bulk.build(bulk.Config(), Context(self.sink, ManualClock(), Telemetry()))[0]

    def send(self, documents: list[Any], action: Any, **query: str) -> Any:
        body = lines(*(part for document in documents for part in (action, document)))
        response = asyncio.run(self.route.handle(Request("POST", "/_bulk", {}, query, TYPE, body)))
        return json.loads(response.body)


odd_documents = st.sampled_from(
    [
        {}, {"n": "one"}, {"n": 1.5}, {"n": None}, {"n": 2**70}, {"more": 1}, {"in": {}}, {"in": None},
        {"in": {"x": 1}},
        {"in": {"s": "t", "u": 2}}, {"@timestamp": "never"}, {"@timestamp": 1_764_000_000_000}, b"{,}", b"[]", b"{}{}",
        b'{"n":1', b"", b'{"n":1} ', {"x": 3}, {"list": [1, "a"]}, {"in": {"s": None}},
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(odd_documents, max_size=3), min_size=2, max_size=6), st.sampled_from(["create", "index"]))
def test_alike_documents_fare_as_they_do_one_by_one(bodies: list[list[Any]], operation: str) -> None:
    usual = {"@timestamp": "2026-11-03T05:14:37.112715168Z", "n": 7, "x": 0.5, "in": {"s": "text"}}
    quick, slow, action = Sender(), Sender(), {operation: {"_index": "logs"}}
    for odd in bodies:
        documents = [usual] * 20 + odd + [usual] * 20
        answer = quick.send(documents, action)
        items = [item for start in range(0, len(documents), 8) for item in
                 slow.send(documents[start : start + 8], action)["items"]]  # fmt: skip
        assert answer["items"] == items
        assert answer["errors"] == any("error" in item[operation] for item in items)
    assert json.dumps(quick.sink.records(), sort_keys=True) == json.dumps(slow.sink.records(), sort_keys=True)


def test_alike_documents_are_answered_as_asked_for() -> None:
    sender, documents = Sender(), [{"n": n} for n in range(40)]
    for start in (0, 40, 80):
        answer = sender.send(documents, {"index": {"_index": "logs"}}, filter_path="items.*._seq_no", refresh="true")
        assert [item["index"]["_seq_no"] for item in answer["items"]] == list(range(start, start + 40))
    refused = sender.send(documents, {"index": {"_index": "UPPER"}})
    assert statuses(refused) == [400] * 40
    assert statuses(sender.send(documents, {"index": {"_index": "UPPER"}})) == [400] * 40
    assert sender.sink.count == 120


def test_known_parameters_without_effect_are_taken() -> None:
    meta = {"_index": "i", "_type": "_doc", "routing": "r", "pipeline": "p", "require_alias": False, "version": 3,
            "version_type": "external", "dynamic_templates": {"a": "b"}, "_id": 7}  # fmt: skip
    response, sink = ask(lines({"index": meta}, {"n": 1}))
    assert json.loads(response.body)["items"][0]["index"]["_id"] == "7"
    assert sink.count == 1


def test_a_store_that_is_busy_for_a_moment_costs_no_item() -> None:
    sink = RecordingSink()
    full = FullSink(sink)
    context = Context(full, ManualClock(), Telemetry())
    (route, _) = bulk.build(bulk.Config(patience_s=5), context)

    async def scenario() -> Response:
        asking = asyncio.ensure_future(
            route.handle(Request("POST", "/_bulk", {}, {}, TYPE, lines({"index": {"_index": "i"}}, {"n": 1})))
        )
        await asyncio.sleep(0.05)
        full.room = 10
        return await asking

    assert statuses(json.loads(asyncio.run(scenario()).body)) == [201]
    assert sink.count == 1
    (balance,) = context.telemetry.conservation()
    assert (balance.stored, balance.rejected, balance.holds) == (1, 0, True)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_content_types_that_any_web_site_can_send_are_refused(kind: str) -> None:
    response, sink = ask(lines({"index": {"_index": "i"}}, {}), headers={"content-type": kind} if kind else {})
    assert (response.status, sink.count) == (406, 0)


def test_refresh_and_vendor_types_are_answered() -> None:
    accept = "application/vnd.elasticsearch+json; compatible-with=9"
    headers = {"content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9", "accept": accept}
    response, _ = ask(lines({"index": {"_index": "i"}}, {}), headers=headers, refresh="true")
    assert response.headers["content-type"] == accept
    assert response.headers["x-elastic-product"] == "Elasticsearch"
    assert json.loads(response.body)["items"][0]["index"]["forced_refresh"] is True
    response, _ = ask(lines({"index": {"_index": "i"}}, {}), headers={**TYPE, "user-agent": "opensearch-py/3.2.0"})
    assert "x-elastic-product" not in response.headers


def test_documents_with_ids_are_created_once_replaced_updated_and_deleted(server: Server) -> None:
    def on(operation: str, identifier: str) -> dict[str, Any]:
        return {operation: {"_index": "docs", "_id": identifier}}

    answer = server_bulk(
        server,
        on("index", "a"), {"v": 1},
        on("create", "a"), {"v": 2},
        on("create", "b"), {"v": 3, "o": {"x": 1}},
        on("index", "a"), {"v": 4},
        on("update", "b"), {"doc": {"o": {"y": 2}}},
        on("update", "b"), {"doc": {"v": 3}},
        on("update", "none"), {"doc": {"v": 0}},
        on("update", "new"), {"doc": {"v": 5}, "doc_as_upsert": True},
        on("update", "other"), {"doc": {"v": 5}, "upsert": {"v": 6}},
        on("update", "a"), {"script": "ctx._source.v = 1"},
        on("delete", "none"),
        on("create", "c"), {"v": 7},
        on("delete", "c"),
    )  # fmt: skip
    results = [(part["status"], part.get("result")) for item in answer["items"] for part in item.values()]
    assert results == [
        (201, "created"), (409, None), (201, "created"), (200, "updated"), (200, "updated"), (200, "noop"), (404, None),
        (201, "created"), (201, "created"), (400, None), (404, "not_found"), (201, "created"), (200, "deleted"),
    ]  # fmt: skip
    kept = [{"v": 4}, {"v": 3, "o": {"x": 1, "y": 2}}, {"v": 5}, {"v": 6}]
    assert server.records("docs") == kept
    answer = server_bulk(server, on("index", "a"), {"v": 8}, on("delete", "b"), on("create", "new"), {"v": 9})
    assert statuses(answer) == [200, 200, 409]
    assert server.records("docs") == [{"v": 5}, {"v": 6}, {"v": 8}]
    assert all(balance.holds for balance in server.telemetry.conservation())


def test_an_update_keeps_instants_exactly(server: Server) -> None:
    stamp = "2026-11-24T08:00:00.123456789Z"
    server_bulk(server, {"index": {"_index": "i", "_id": "a"}}, {"@timestamp": stamp, "n": 1})
    before = server.records("i")[0]["@timestamp"]
    server_bulk(server, {"update": {"_index": "i", "_id": "a"}}, {"doc": {"n": 2}})
    assert server.records("i") == [{"@timestamp": before, "n": 2}]
    shown = json.loads(server.request("GET", "/i/_doc/a").body)
    assert shown["_source"] == {"@timestamp": stamp, "n": 2}


def test_an_id_that_the_server_made_finds_its_document(server: Server) -> None:
    answer = server_bulk(server, {"index": {"_index": "i"}}, {"n": 1}, {"index": {"_index": "i"}}, {"n": 2})
    ids = [item["index"]["_id"] for item in answer["items"]]
    assert [json.loads(server.request("GET", f"/i/_source/{one}").body)["n"] for one in ids] == [1, 2]
    assert json.loads(server.request("DELETE", f"/i/_doc/{ids[0]}").body)["result"] == "deleted"
    assert server.records("i") == [{"n": 2}]
    assert server.request("GET", f"/i/_doc/{ids[0]}").status == 404


def test_the_same_id_written_at_once_is_created_once(server: Server) -> None:
    import threading

    found: list[int] = []

    def write() -> None:
        found.extend(statuses(server_bulk(server, {"create": {"_index": "i", "_id": "a"}}, {"n": 1})))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [201] + [409] * 7
    assert server.records("i") == [{"n": 1}]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("<fb-{now/d}-1>", "fb-2025.11.24-1"),
        ("<fb-{now/M{yyyy.MM}}>", "fb-2025.11"),
        ("<fb-{now-1d/d}>", "fb-2025.11.23"),
        ("<fb-{now+1M/d{yyyyMMdd}}>", "fb-20251224"),
        ("<fb-{now{HH|+00:00}}>", "fb-16"),
        ("plain", "plain"),
    ],
)
def test_date_math_names_are_resolved(name: str, expected: str) -> None:
    assert _index_names.resolve(name, 1_764_000_000_000_000_000) == expected


@pytest.mark.parametrize("name", ["", ".", "_x", "-x", "+x", "A", "a b", "a,b", "a*", "a/b", "a\\b", "x" * 256, "a\nb"])
def test_bad_index_names_are_told(name: str) -> None:
    assert _index_names.problem(name)


ANSWER = {"took": 1, "errors": False, "items": [{"create": {"_index": "a", "status": 201, "error": {"type": "t"}}}]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("took", {"took": 1}),
        ("items.*.status", {"items": [{"create": {"status": 201}}]}),
        ("items.*._index,items.*.error.type", {"items": [{"create": {"_index": "a", "error": {"type": "t"}}}]}),
        ("**.type", {"items": [{"create": {"error": {"type": "t"}}}]}),
        ("-items", {"took": 1, "errors": False}),
        ("items,-items.create.error", {"items": [{"create": {"_index": "a", "status": 201}}]}),
        ("t*k", {"took": 1}),
        ("none", {}),
        ("", ANSWER),
    ],
)
def test_filter_path(path: str, expected: Any) -> None:
    assert _filter_path.apply(ANSWER, path) == expected


@given(st.text("ab*.,-_", max_size=30), st.dictionaries(st.text("ab", max_size=2), json_values, max_size=3))
def test_any_filter_path_is_harmless(path: str, answer: dict[str, Any]) -> None:
    assert isinstance(_filter_path.apply(answer, path), dict)
