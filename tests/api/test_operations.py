"""docs/api.md against a running server."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import Server, running
from treering.api.histogram import histogram
from treering.api.service import Service
from treering.model.batch import batch
from treering.store.duckdb import DuckdbStore

if TYPE_CHECKING:
    from collections.abc import Iterator

START = "2026-11-24T08:00:00Z"
BIG = 9_007_199_254_740_993
RECORDS: list[dict[str, Any]] = [
    {
        "@timestamp": f"2026-11-24T08:{number // 60:02d}:{number % 60:02d}.000000{number % 10:03d}Z",
        "severityText": "ERROR" if number % 10 == 0 else "INFO",
        "body": f"request {number} for <b>user</b>",
        "serviceName": "rag" if number % 2 else "gateway",
        "traceId": f"{number // 4:032x}",
        "attributes": {"http.status_code": 500 if number % 10 == 0 else 200, "big": BIG},
    }
    for number in range(300)
]
SPANS = [
    {
        "traceId": f"{1:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{number - 1:016x}" if number else "",
        "name": f"step {number}",
        "serviceName": "rag",
        "startTime": f"2026-11-24T08:00:0{number}Z",
        "endTime": f"2026-11-24T08:00:0{number + 1}Z",
        "durationInNanos": 10**9,
        "status": {"code": 0},
    }
    for number in range(3)
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("api") / "data") as found:
        assert found.send("logs", RECORDS)["stored"] == 300
        assert found.send("spans", SPANS)["stored"] == 3
        yield found


def test_streams_and_fields(server: Server) -> None:
    streams = {info["name"]: info for info in server.get("/api/streams")["streams"]}
    assert streams["logs"]["rows"] == 300
    assert streams["logs"]["first"] == START
    fields = {field["name"]: field["type"] for field in server.get("/api/fields?source=logs")["fields"]}
    assert fields["attributes.http.status_code"] == "long"
    assert server.call("GET", "/api/fields?source=nothing")[0] == 404


def test_query_answers_a_table(server: Server) -> None:
    answer = server.post("/api/query", {"query": "source=logs | stats count() by serviceName"})
    assert answer["schema"] == [{"name": "count()", "type": "bigint"}, {"name": "serviceName", "type": "string"}]
    assert sorted(answer["datarows"]) == [[150, "gateway"], [150, "rag"]]
    assert answer["rows_scanned"] == 300


def test_query_keeps_integers_exact(server: Server) -> None:
    answer = server.post("/api/query", {"query": "source=logs | fields attributes.big | head 1"})
    assert answer["datarows"] == [[str(BIG)]]


def test_query_obeys_the_time_range(server: Server) -> None:
    body = {"query": "source=logs | stats count()", "from": START, "to": "2026-11-24T08:01:00Z"}
    assert server.post("/api/query", body)["datarows"] == [[60]]


def test_query_points_at_the_mistake(server: Server) -> None:
    status, answer = server.call("POST", "/api/query", {"query": "source=logs | wher x=1"})
    assert status == 400
    assert answer["error"]["position"] == {"offset": 14, "length": 4}
    assert "where" in answer["error"]["hint"]


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_search_pages_through_everything_once(server: Server, order: str) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = server.post("/api/search", {"query": 'serviceName="rag"', "size": 64, "after": after, "order": order})
        seen += [record["ref"] for record in page["records"]]
        after = page["after"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 150
    numbers = [int(ref.split("/")[1]) for ref in seen]
    assert numbers == sorted(numbers, reverse=order == "desc")


def test_search_shows_level_message_and_exact_values(server: Server) -> None:
    (record,) = server.post("/api/search", {"query": "source=logs | where severityText = 'ERROR'", "size": 1})[
        "records"
    ]
    assert (record["level"], record["message"]) == ("error", "request 290 for <b>user</b>")
    assert record["record"]["attributes"]["big"] == str(BIG)
    assert record["time"] == "2026-11-24T08:04:50Z"


def test_search_refuses_what_makes_a_table(server: Server) -> None:
    status, answer = server.call("POST", "/api/search", {"query": "source=logs | stats count()"})
    assert (status, answer["error"]["type"]) == (400, "UserError")


def test_histogram_counts_every_record_once(server: Server) -> None:
    body = {"query": "source=logs | stats count()", "from": START, "to": "2026-11-24T08:05:00Z", "buckets": 10}
    answer = server.post("/api/histogram", body)
    assert answer["interval_ms"] == 30_000
    assert answer["series"] == ["error", "info"]
    assert [bucket["counts"] for bucket in answer["buckets"]] == [[3, 27]] * 10
    assert answer["total"] == 300


def test_histogram_by_a_field(server: Server) -> None:
    answer = server.post("/api/histogram", {"query": "source=logs", "by": "serviceName"})
    assert set(answer["series"]) == {"gateway", "rag"}
    assert answer["total"] == 300


def test_histogram_counts_values_on_the_way(server: Server) -> None:
    names = ["serviceName", "severityText", "attributes.http.status_code", "nothing"]
    for query in ("source=logs", "source=logs severityText=ERROR", "source=logs nowhere"):
        found = server.post("/api/histogram", {"query": query, "values": names})["values"]
        assert list(found) == names[:2]  # the others are no texts, or no fields
        for name, answer in found.items():
            assert answer == server.post("/api/values", {"query": query, "field": name, "limit": 6})


def test_histogram_leaves_out_values_of_too_many_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckdbStore()
    store.append([batch("logs", [{"serviceName": f"s{n}"} for n in range(9)], received_ns=1)])
    service = Service(store)
    assert len(asyncio.run(histogram(service, "", values=["serviceName"]))["values"]["serviceName"]["values"]) == 6
    monkeypatch.setattr("treering.api.histogram._MOST_COMBINED", 8)
    answer = asyncio.run(histogram(service, "", values=["serviceName"]))
    assert (answer["values"], answer["total"]) == ({}, 9)
    store.close()


def test_values_count_and_miss(server: Server) -> None:
    answer = server.post("/api/values", {"query": "source=logs", "field": "attributes.http.status_code"})
    assert answer["values"] == [{"value": 200, "count": 270}, {"value": 500, "count": 30}]
    assert (answer["distinct"], answer["missing"], answer["total"]) == (2, 0, 300)


def test_record_and_its_context(server: Server) -> None:
    record = server.get("/api/record/logs/10")
    assert record["record"] == {
        **RECORDS[10],
        "@timestamp": "2026-11-24T08:00:10Z",
        "attributes": {"http.status_code": 500, "big": str(BIG)},
    }
    around = server.get("/api/context/logs/10?before=2&after=3")["records"]
    assert [row["ref"] for row in around] == [f"logs/{n}" for n in (6, 8, 10, 12, 14, 16)]
    assert server.call("GET", "/api/record/logs/99999")[0] == 404


def test_trace_joins_spans_and_logs(server: Server) -> None:
    answer = server.get(f"/api/trace/{1:032x}")
    assert [span["name"] for span in answer["spans"]] == ["step 0", "step 1", "step 2"]
    assert answer["spans"][0]["parent_span_id"] is None
    assert answer["spans"][1]["duration_ns"] == 10**9
    assert [row["ref"] for row in answer["logs"]] == ["logs/4", "logs/5", "logs/6", "logs/7"]
    assert server.call("GET", f"/api/trace/{99:032x}")[0] == 404


def test_parse_tells_records_from_tables(server: Server) -> None:
    assert server.post("/api/parse", {"query": "source=logs error"})["kind"] == "records"
    answer = server.post("/api/parse", {"query": "source=spans | stats count()"})
    assert (answer["kind"], answer["sources"]) == ("table", ["spans"])


@pytest.mark.parametrize(
    ("query", "wanted", "replaced"),
    [
        ("source=lo", "logs", "lo"),
        ("source=logs | sta", "stats", "sta"),
        ("source=logs | where serv", "serviceName", "serv"),
        ("source=logs | stats cou", "count", "cou"),
    ],
)
def test_completion(server: Server, query: str, wanted: str, replaced: str) -> None:
    answer = server.post("/api/complete", {"query": query, "cursor": len(query)})
    assert wanted in [suggestion["text"].rstrip("()") for suggestion in answer["suggestions"]]
    assert query[answer["from"] : answer["to"]] == replaced


def test_completion_can_be_read_too(server: Server) -> None:
    answer = server.get("/api/complete?query=source%3Dlogs%20%7C%20where%20serviceName%20%3D%20")
    assert {suggestion["kind"] for suggestion in answer["suggestions"]} == {"value"}
    fields = server.get("/api/complete?query=source%3Dlogs%20%7C%20where%20serv&cursor=24")["suggestions"]
    assert fields[0]["text"] == "serviceName"
    assert fields[0]["values"]


def test_help(server: Server) -> None:
    every = {entry["name"]: entry for entry in server.get("/api/help")["help"]}
    assert every["diff"]["kind"] == "command"
    assert every["round"]["kind"] == "function"
    told = server.get("/api/help/stats")
    assert told["examples"]
    assert told["arguments"][0]["name"] == "aggregate"
    assert server.call("GET", "/api/help/nosuch")[0] == 404


def test_status_and_probes(server: Server) -> None:
    status = server.get("/api/status")
    assert status["rows"] >= 303
    assert all(balance["holds"] for balance in status["conservation"])
    assert server.get("/readyz")["status"] == "ready"
    assert server.get("/healthz") == {"status": "ok"}
    assert b"treering_stored_records_total" in server.call("GET", "/metrics")[1]


def test_ppl_answers_like_opensearch(server: Server) -> None:
    answer = server.post("/_plugins/_ppl", {"query": "source=logs | where severityText='ERROR' | stats count() as n"})
    assert answer == {"schema": [{"name": "n", "type": "bigint"}], "datarows": [[30]], "total": 1, "size": 1}
    status, error = server.call("POST", "/_plugins/_ppl", {"query": "source=logs | where"})
    assert status == error["status"] == 400
    assert error["error"]["reason"] == "Invalid Query"


def test_all_kinds_of_joins_are_a_setting_of_the_cluster(server: Server) -> None:
    setting = "plugins.calcite.all_join_types.allowed"
    query = {"query": "source=logs | head 2 | cross join left=a right=b [ source=logs | head 3 ] | stats count() as n"}
    status, error = server.call("POST", "/_plugins/_ppl", query)
    assert status == 400
    assert "cross joins are not allowed" in error["error"]["details"]
    assert server.post("/api/query", query)["datarows"] == [[6]]
    server.call("PUT", "/_cluster/settings", {"transient": {setting: "true"}})
    assert server.post("/_plugins/_ppl", query)["datarows"] == [[6]]
    server.call("PUT", "/_cluster/settings", {"transient": {setting: None}})
    assert server.call("POST", "/_plugins/_ppl", query)[0] == 400


def test_unknown_fields_of_a_body_are_refused(server: Server) -> None:
    status, answer = server.call("POST", "/api/search", {"query": "", "siez": 3})
    assert status == 400
    assert "siez" in answer["error"]["message"]


def test_an_empty_server_answers_with_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("empty") / "data") as empty:
        assert empty.post("/api/search", {"query": ""})["records"] == []
        assert empty.post("/api/histogram", {"query": ""})["total"] == 0
        assert empty.get("/api/fields?source=logs") == {"fields": []}
        assert empty.post("/api/query", {"query": "stats count()"})["datarows"] == []


def test_explain_shows_what_would_be_read(server: Server) -> None:
    answer = server.post("/_plugins/_ppl/_explain", {"query": "source=logs | fields body"})
    (scan,) = answer["root"]["description"]["scans"].values()
    assert scan["streams"] == ["logs"]
    assert "body" in scan["fields"]


def test_a_tail_of_a_stream_that_is_not_there_yet_waits(server: Server) -> None:
    with urllib.request.urlopen(f"{server.address}/api/tail?query=source%3Dlater", timeout=20) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        server.send("later", [{"body": "hello"}])
        for line in events:
            if line.startswith(b"data: "):
                assert json.loads(line[6:])[0]["message"] == "hello"
                break


def test_a_tail_of_a_table_is_refused(server: Server) -> None:
    status, answer = server.call("GET", "/api/tail?query=stats%20count()")
    assert (status, answer["error"]["type"]) == (400, "UserError")
