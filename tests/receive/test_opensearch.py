"""The calls around `_bulk`, over a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving import Server

if TYPE_CHECKING:
    from pathlib import Path

TYPE = {"content-type": "application/json"}


def call(server: Server, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = b"" if body is None else json.dumps(body).encode()
    answer = server.request(method, path, data, {**TYPE, **headers})
    return answer.status, json.loads(answer.body) if answer.body else None


@pytest.mark.parametrize(
    ("agent", "number"),
    [
        ("Elastic-filebeat/7.17.29 (linux; amd64)", "7.17.29"),
        ("elasticsearch-py/9.5.1 (Python/3.11.7)", "9.5.1"),
        ("Elastic-metricbeat-agent/8.17.0", "8.17.0"),
        ("opensearch-py/3.2.0 (Python 3.11.7)", "3.8.0"),
        ("curl/8.5.0", "3.8.0"),
    ],
)
def test_clients_get_a_version_that_they_take(server: Server, agent: str, number: str) -> None:
    answer = server.request("GET", "/", headers={"user-agent": agent})
    version = json.loads(answer.body)["version"]
    assert version["number"] == number
    assert (version.get("distribution") == "opensearch") is (number == "3.8.0")
    head = server.request("HEAD", "/", headers={"user-agent": agent})
    assert (head.status, head.body) == (200, b"")


def test_templates_give_new_indexes_their_mapping_across_restarts(tmp_path: Path) -> None:
    def mapping(**types: str) -> dict[str, Any]:
        return {"mappings": {"properties": {name: {"type": kind} for name, kind in types.items()}}}

    with Server(tmp_path / "data") as server:
        assert (
            call(server, "PUT", "/_component_template/base", {"template": mapping(a="keyword", b="keyword")})[0] == 200
        )
        body = {"index_patterns": ["app-*"], "template": mapping(b="ip"), "composed_of": ["base"], "priority": 5}
        assert call(server, "PUT", "/_index_template/app", body) == (200, {"acknowledged": True})
        low = {"index_patterns": "*", "template": mapping(a="long"), "priority": 1}
        assert call(server, "PUT", "/_index_template/low", low)[0] == 200
        assert call(server, "PUT", "/_template/old", {"index_patterns": ["old-*"], **mapping(x="keyword")})[0] == 200
        assert call(server, "PUT", "/_index_template/bad", {"template": {}})[0] == 400
        assert server.request("HEAD", "/_index_template/app").status == 200
        assert call(server, "GET", "/_index_template/none")[0] == 404
        assert call(server, "DELETE", "/_index_template/low")[0] == 200
        assert call(server, "DELETE", "/_index_template/low")[0] == 404
    with Server(tmp_path / "data") as server:
        (shown,) = call(server, "GET", "/_index_template/a*")[1]["index_templates"]
        assert (shown["name"], shown["index_template"]["priority"]) == ("app", 5)
        for index in ("app-1", "old-1"):
            assert call(server, "POST", f"/{index}/_doc", {"a": "x", "n": 1})[0] == 201
        fields = call(server, "GET", "/app-1/_mapping")[1]["app-1"]["mappings"]["properties"]
        assert {name: field["type"] for name, field in fields.items()} == {"a": "keyword", "b": "ip", "n": "long"}
        fields = call(server, "GET", "/old-1/_mapping")[1]["old-1"]["mappings"]["properties"]
        assert fields["x"]["type"] == "keyword"


def test_a_write_alias_is_the_name_of_the_stream(server: Server) -> None:
    body = {"aliases": {"beat": {"is_write_index": True}}, "mappings": {"properties": {"n": {"type": "long"}}}}
    status, answer = call(server, "PUT", "/%3Cbeat-%7Bnow%2Fd%7D-000001%3E", body)
    assert status == 200
    index = answer["index"]
    assert index.endswith("-000001")
    assert call(server, "GET", "/_alias/beat")[1] == {index: {"aliases": {"beat": {"is_write_index": True}}}}
    assert [server.request("HEAD", f"/{name}").status for name in (index, "beat", "other")] == [200, 200, 404]
    for name in (index, "beat"):
        assert call(server, "POST", f"/{name}/_doc", {"n": 1})[0] == 201
    assert server.records("beat") == [{"n": 1}, {"n": 1}]
    assert call(server, "PUT", f"/{index}", body)[0] == 400
    assert call(server, "DELETE", f"/{index}")[0] == 200
    assert call(server, "GET", "/_alias/beat")[0] == 404


def test_indexes_are_made_mapped_counted_listed_and_deleted(server: Server) -> None:
    body = {"mappings": {"properties": {"a": {"properties": {"b": {"type": "keyword"}}}}}}
    assert call(server, "PUT", "/one", body) == (
        200, {"acknowledged": True, "shards_acknowledged": True, "index": "one"},
    )  # fmt: skip
    assert call(server, "PUT", "/one")[1]["error"]["type"] == "resource_already_exists_exception"
    assert call(server, "PUT", "/UPPER")[1]["error"]["type"] == "invalid_index_name_exception"
    assert call(server, "PUT", "/one/_mapping", {"properties": {"t": {"type": "date"}}})[0] == 200
    assert call(server, "PUT", "/one/_mapping", {"properties": {"t": {"type": "long"}}})[0] == 400
    assert call(server, "PUT", "/none/_mapping", {"properties": {}})[0] == 404
    properties = call(server, "GET", "/one")[1]["one"]["mappings"]["properties"]
    assert properties == {"a": {"properties": {"b": {"type": "keyword"}}}, "t": {"type": "date"}}
    for number in range(3):
        assert call(server, "POST", "/two/_doc", {"n": number, "o": {"p": True}})[0] == 201
    assert call(server, "GET", "/_count")[1]["count"] == 3
    assert call(server, "POST", "/t*/_count", {"query": {"match_all": {}}})[1]["count"] == 3
    assert call(server, "POST", "/two/_count", {"query": {"term": {"n": 1}}})[1]["count"] == 1
    assert call(server, "GET", "/none/_count")[1]["error"]["type"] == "index_not_found_exception"
    rows = call(server, "GET", "/_cat/indices?format=json&h=index,docs.count")[1]
    assert rows == [{"index": "one", "docs.count": "0"}, {"index": "two", "docs.count": "3"}]
    table = server.request("GET", "/_cat/indices/two?v&h=health,index,docs.count").body.decode()
    assert [line.split() for line in table.splitlines()] == [["health", "index", "docs.count"], ["green", "two", "3"]]
    assert call(server, "DELETE", "/*")[0] == 400
    assert call(server, "DELETE", "/one,none")[0] == 404
    assert call(server, "DELETE", "/one,two")[0] == 200
    assert call(server, "GET", "/_cat/indices?format=json")[1] == []


@pytest.mark.parametrize(
    "properties",
    [5, {"a": 5}, {"a": {}}, {"a": {"type": 5}}, {"a": {"type": "colour"}}, {"a": {"properties": {"b": None}}},
     {"a": {"type": "date", "format": 5}}],
)  # fmt: skip
def test_a_wrong_mapping_is_refused_and_harms_no_stream(server: Server, properties: Any) -> None:
    mapping = {"properties": properties}
    status, answer = call(server, "PUT", "/app", {"mappings": mapping})
    assert status == 400
    assert "mapping" in answer["error"]["reason"]
    assert (
        call(server, "PUT", "/_index_template/t", {"index_patterns": "app*", "template": {"mappings": mapping}})[0]
        == 200
    )
    assert call(server, "POST", "/app/_doc", {"a": "x"})[0] == 201
    assert call(server, "PUT", "/app/_mapping", mapping)[0] == 400
    assert call(server, "GET", "/app/_mapping")[0] == 200
    assert call(server, "POST", "/_plugins/_ppl", {"query": "source=app"})[1]["datarows"] == [["x"]]


def test_single_documents_are_answered_in_their_own_shape(server: Server) -> None:
    assert call(server, "PUT", "/i/_doc/a", {"n": 1})[1]["result"] == "created"
    status, answer = call(server, "PUT", "/i/_create/a", {"n": 2})
    assert (status, answer["error"]["type"]) == (409, "version_conflict_engine_exception")
    assert call(server, "PUT", "/i/_doc/a?op_type=create", {"n": 2})[0] == 409
    assert call(server, "POST", "/i/_update/a", {"doc": {"m": 2}})[1]["result"] == "updated"
    assert call(server, "GET", "/i/_doc/a")[1]["_source"] == {"n": 1, "m": 2}
    assert call(server, "GET", "/i/_source/a")[1] == {"n": 1, "m": 2}
    assert call(server, "GET", "/none/_doc/a")[0] == 404
    assert call(server, "DELETE", "/i/_doc/b")[0] == 404
    assert call(server, "DELETE", "/i/_doc/a")[1]["result"] == "deleted"
    assert server.request("POST", "/i/_doc", b"{,", TYPE).status == 400
    assert server.request("POST", "/i/_doc", b"{}", {"content-type": "text/plain"}).status == 406
    server.busy = True
    assert call(server, "POST", "/i/_doc", {"n": 1})[0] == 429


def test_settings_and_policies_are_kept_and_shown(server: Server) -> None:
    change = {"persistent": {"a.b": "1"}, "transient": {"c": 2}}
    assert call(server, "PUT", "/_cluster/settings", change)[1] == {"acknowledged": True, **change}
    call(server, "PUT", "/_cluster/settings", {"persistent": {"a.b": None, "d": "3"}})
    assert call(server, "GET", "/_cluster/settings")[1] == {"persistent": {"d": "3"}, "transient": {"c": 2}}
    assert call(server, "PUT", "/_ilm/policy/p", {"policy": {"phases": {}}})[0] == 200
    assert call(server, "GET", "/_ilm/policy/p")[1]["p"]["policy"] == {"phases": {}}
    assert call(server, "PUT", "/i/_alias/x")[0] == 400


def test_the_rest_of_the_handshake_is_answered(server: Server) -> None:
    assert call(server, "GET", "/_license?human=false")[1]["license"]["status"] == "active"
    assert call(server, "GET", "/_xpack")[1]["features"]["ilm"] == {"available": True, "enabled": True}
    health = call(server, "GET", "/_cluster/health?filter_path=status,number_*")[1]
    assert health == {"status": "green", "number_of_nodes": 1, "number_of_data_nodes": 1, "number_of_pending_tasks": 0,
                      "number_of_in_flight_fetch": 0}  # fmt: skip
    (node,) = call(server, "GET", "/_nodes/http")[1]["nodes"].values()
    assert node["http"]["publish_address"] == f"127.0.0.1:{server.port}"
    assert call(server, "POST", "/logs/_refresh")[1]["_shards"]["failed"] == 0
    assert call(server, "POST", "/logs/_search", {})[0] == 404  # no such index yet
    assert call(server, "GET", "/_something/else")[0] == 404
    assert b"\n  " in server.request("GET", "/?pretty").body


WORDS = [
    "",
    *"_bulk _doc _count _mapping _cat indices _alias _cluster settings _create _search logs a* x,y %00 %ff ..".split(),
    *"%3C%7Bnow%7D%3E _index_template _update _template".split(),
]


def test_no_request_is_a_fault_of_ours(server: Server) -> None:
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.sampled_from(["GET", "PUT", "POST", "HEAD"]),
        st.lists(st.sampled_from(WORDS), max_size=3),
        st.sampled_from(["", "?filter_path=**", "?pretty", "?h=x&v", "?%ff=%fe", "?op_type=create", "?format=json"]),
        st.one_of(
            st.binary(max_size=60),
            st.recursive(
                st.one_of(st.none(), st.integers(), st.text(max_size=5)),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=2),
                    st.dictionaries(
                        st.sampled_from(["mappings", "properties", "type", "aliases", "doc", "query", "template", "a",
                                         "index_patterns", "persistent", "is_write_index", "composed_of"]),
                        inner, max_size=3,
                    ),
                ),
                max_leaves=8,
            ).map(lambda value: json.dumps(value).encode()),
        ),
    )  # fmt: skip
    def fuzz(method: str, steps: list[str], query: str, body: bytes) -> None:
        answer = server.request(method, "/" + "/".join(steps) + query, body, TYPE)
        assert answer.status < 500, (method, steps, query, body, answer)

    fuzz()
