"""`_search` and its kin, through the real clients and over the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan as es_scan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opensearchpy import OpenSearch
from opensearchpy.helpers import bulk, scan

from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600 * 1000
START = 1_795_420_800_000  # 2026-11-23T08:00:00Z
MODELS = ["gpt-5", "claude-5", "gpt-5", "mistral"]


def documents() -> list[dict[str, Any]]:
    return [
        {
            "_index": "logs-ai",
            "_id": str(n),
            "@timestamp": f"2026-11-23T{8 + n // 10:02d}:{(n % 10) * 6:02d}:00Z",
            "message": f"GET /v1/chat {n} took {'Timeout error' if n % 8 == 0 else 'well'}",
            "service": {"name": "rag-service" if n % 2 else "gateway"},
            "model": MODELS[n % 4],
            "tokens": n * 10,
            "latency": n / 4,
            "ok": n % 8 != 0,
            "tags": ["a", "b"] if n % 3 else ["c"],
            **({"user": f"u{n % 5}"} if n % 10 else {}),
        }
        for n in range(40)
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("search")
    with Server(directory) as running:
        client = OpenSearch(running.url)
        mapping = {
            "properties": {
                "@timestamp": {"type": "date"},
                "model": {"type": "keyword"},
                "tokens": {"type": "long"},
                "latency": {"type": "double"},
            }
        }
        client.indices.create(index="logs-ai", body={"mappings": mapping})
        assert bulk(client, documents()) == (40, [])
        yield running


def ask(server: Server, body: dict[str, Any], index: str = "logs-ai") -> dict[str, Any]:
    return OpenSearch(server.url).search(body=body, index=index)


def ids(server: Server, query: dict[str, Any]) -> set[int]:
    found = ask(server, {"query": query, "size": 100})
    hits = found["hits"]
    assert hits["total"] == {"value": len(hits["hits"]), "relation": "eq"}
    return {int(hit["_id"]) for hit in hits["hits"]}


def where(test: str) -> set[int]:
    scope = {"any": any, "all": all}
    return {int(d["_id"]) for d in documents() if eval(test, scope, {"d": d, "n": int(d["_id"])})}  # noqa: S307


QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"match_all": {}}, "True"),
    ({"match_none": {}}, "False"),
    ({"term": {"model": "gpt-5"}}, "d['model'] == 'gpt-5'"),
    ({"term": {"model": {"value": "GPT-5", "case_insensitive": True}}}, "d['model'] == 'gpt-5'"),
    ({"term": {"service.name.keyword": "rag-service"}}, "n % 2 == 1"),
    ({"term": {"service.name": "gateway"}}, "n % 2 == 0"),
    ({"term": {"tokens": 50}}, "n == 5"),
    ({"term": {"ok": False}}, "n % 8 == 0"),
    ({"term": {"tags": "c"}}, "n % 3 == 0"),
    ({"term": {"missing": "x"}}, "False"),
    ({"terms": {"model": ["claude-5", "mistral"]}}, "n % 4 in (1, 3)"),
    ({"terms": {"tokens": [10, 20, 999]}}, "n in (1, 2)"),
    ({"terms": {"tags": ["a", "zz"]}}, "n % 3 != 0"),
    ({"terms": {"model": []}}, "False"),
    ({"range": {"tokens": {"gte": 100, "lt": 150}}}, "10 <= n < 15"),
    ({"range": {"latency": {"gt": 2.5}}}, "n / 4 > 2.5"),
    ({"range": {"@timestamp": {"gte": "2026-11-23T10:00:00Z"}}}, "n >= 20"),
    (
        {"range": {"@timestamp": {"gte": START + HOUR, "lt": START + 2 * HOUR, "format": "epoch_millis"}}},
        "10 <= n < 20",
    ),
    ({"range": {"@timestamp": {"gte": START + HOUR, "lte": START + 2 * HOUR}}}, "10 <= n <= 20"),
    ({"range": {"@timestamp": {"gte": "2026-11-23T11:00:00", "time_zone": "+01:00"}}}, "n >= 20"),
    ({"range": {"@timestamp": {"gte": "2026-11-23T11:00:00", "time_zone": "Europe/Berlin"}}}, "n >= 20"),
    ({"range": {"@timestamp": {"from": "2026-11-23T10:00:00Z", "include_lower": False}}}, "n > 20"),
    ({"match": {"message": "timeout"}}, "n % 8 == 0"),
    ({"match": {"message": {"query": "timeout well", "operator": "and"}}}, "False"),
    ({"match": {"message": {"query": "timout", "fuzziness": "AUTO"}}}, "n % 8 == 0"),
    ({"match_phrase": {"message": "timeout error"}}, "n % 8 == 0"),
    ({"match_phrase": {"message": "error timeout"}}, "False"),
    ({"match_phrase_prefix": {"message": "timeout err"}}, "n % 8 == 0"),
    ({"multi_match": {"query": "gpt-5", "fields": ["model^2", "message"]}}, "d['model'] == 'gpt-5' or n == 5"),
    ({"multi_match": {"query": "timeout"}}, "n % 8 == 0"),
    ({"query_string": {"query": "model:gpt* AND tokens:>=200"}}, "d['model'] == 'gpt-5' and n >= 20"),
    ({"query_string": {"query": "timeout OR mistral", "analyze_wildcard": True}}, "n % 8 == 0 or n % 4 == 3"),
    ({"query_string": {"query": "gateway", "default_field": "service.name"}}, "n % 2 == 0"),
    ({"simple_query_string": {"query": "timeout +error", "fields": ["message"]}}, "n % 8 == 0"),
    ({"exists": {"field": "user"}}, "'user' in d"),
    ({"exists": {"field": "service"}}, "True"),
    ({"wildcard": {"model": "cl*-?"}}, "n % 4 == 1"),
    ({"wildcard": {"model": {"value": "CL*", "case_insensitive": True}}}, "n % 4 == 1"),
    ({"wildcard": {"user": {"wildcard": "*"}}}, "'user' in d"),
    ({"prefix": {"model": "mis"}}, "n % 4 == 3"),
    ({"prefix": {"model": {"value": "gpt*"}}}, "False"),
    ({"regexp": {"model": "(gpt|claude)-[0-9]"}}, "n % 4 != 3"),
    ({"regexp": {"model": "gpt"}}, "False"),
    ({"ids": {"values": ["3", "7", "nope"]}}, "n in (3, 7)"),
    ({"constant_score": {"filter": {"term": {"model": "mistral"}}}}, "n % 4 == 3"),
    ({"dis_max": {"queries": [{"term": {"tokens": 0}}, {"term": {"tokens": 10}}]}}, "n < 2"),
    (
        {
            "bool": {
                "must": [{"match": {"message": "chat"}}],
                "filter": {"range": {"tokens": {"gte": 100}}},
                "must_not": [{"term": {"model": "gpt-5"}}],
                "should": [{"term": {"model": "mistral"}}, {"term": {"ok": False}}],
                "minimum_should_match": 1,
            }
        },
        "n >= 10 and n % 4 == 3",
    ),
    ({"bool": {"should": [{"term": {"tokens": 0}}, {"term": {"tokens": 10}}]}}, "n < 2"),
    ({"bool": {"must_not": {"exists": {"field": "user"}}}}, "'user' not in d"),
    ({"bool": {}}, "True"),
]


@pytest.mark.parametrize(("query", "test"), QUERIES, ids=[json.dumps(query)[:70] for query, _ in QUERIES])
def test_a_query_selects_what_it_means(query: dict[str, Any], test: str, server: Server) -> None:
    assert ids(server, query) == where(test)
    assert OpenSearch(server.url).count(body={"query": query}, index="logs-ai")["count"] == len(where(test))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"query": {"more_like_this": {}}}, "more_like_this"),
        ({"query": {"match": {"a": 1, "b": 2}}}, "match"),
        ({"aggs": {"x": {"significant_terms": {"field": "a"}}}}, "significant_terms"),
        ({"aggs": {"x": {"terms": {"field": "model", "script": "1"}}}}, "scripts"),
        ({"collapse": {"field": "a"}}, "collapse"),
        ({"script_fields": {"x": {"script": "1"}}}, "script_fields"),
        ({"sort": [{"_script": {}}]}, "_script"),
        ({"query": {"regexp": {"model": "a~b"}}}, "~"),
        ({"from": 9_999, "size": 10}, "search_after"),
        ({"aggs": {"x": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1M"}}}}, "1M"),
        ({"aggs": {"x": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1ms"}}}}, "65535"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(body: dict[str, Any], name: str, server: Server) -> None:
    answer = server.request("POST", "/logs-ai/_search", json.dumps(body).encode(), {"content-type": "application/json"})
    assert answer.status == 400
    error = json.loads(answer.body)["error"]
    assert name in error["reason"] or name == "search_after"


def test_pages_follow_each_other_in_order(server: Server) -> None:
    body: dict[str, Any] = {"size": 7, "sort": [{"model": "asc"}, {"@timestamp": {"order": "desc"}}]}
    seen: list[dict[str, Any]] = []
    while hits := ask(server, body)["hits"]["hits"]:
        seen += hits
        body["search_after"] = hits[-1]["sort"]
    assert len(seen) == 40
    expected = sorted(documents(), key=lambda d: -int(d["_id"]))
    expected.sort(key=lambda d: d["model"])
    assert [hit["_id"] for hit in seen] == [d["_id"] for d in expected]
    assert seen[0]["sort"][0] == "claude-5"
    assert seen[0]["sort"][1] == START + 37 * 6 * 60_000
    second = ask(server, {"size": 5, "from": 5, "sort": ["tokens"]})["hits"]["hits"]
    assert [hit["_source"]["tokens"] for hit in second] == [50, 60, 70, 80, 90]


def test_absent_values_sort_last_or_first(server: Server) -> None:
    last = ask(server, {"size": 40, "sort": [{"user": {"order": "desc", "unmapped_type": "keyword"}}]})["hits"]["hits"]
    assert [hit["sort"] for hit in last[-4:]] == [[None]] * 4
    first = ask(server, {"size": 2, "sort": [{"user": {"missing": "_first"}}]})["hits"]["hits"]
    assert [hit["sort"] for hit in first] == [[None]] * 2
    assert len(ask(server, {"size": 3, "sort": [{"nothing": {"order": "asc"}}]})["hits"]["hits"]) == 3


def test_only_the_wanted_members_are_shown(server: Server) -> None:
    query = {"term": {"tokens": 10}}
    (hit,) = ask(server, {"query": query, "_source": ["serv*", "tokens"]})["hits"]["hits"]
    assert hit["_source"] == {"service": {"name": "rag-service"}, "tokens": 10}
    (hit,) = ask(server, {"query": query, "_source": {"excludes": ["service", "message", "tags", "user"]}})["hits"][
        "hits"
    ]
    assert set(hit["_source"]) == {"@timestamp", "model", "tokens", "latency", "ok"}
    fields = ["tags", {"field": "@timestamp", "format": "epoch_millis"}]
    (hit,) = ask(server, {"query": query, "_source": False, "fields": fields})["hits"]["hits"]
    assert "_source" not in hit
    assert hit["fields"] == {"tags": ["a", "b"], "@timestamp": [str(START + 360_000)]}


def test_terms_with_metrics_in_them(server: Server) -> None:
    body = {
        "size": 0,
        "aggs": {
            "models": {
                "terms": {"field": "model", "size": 2, "order": {"mean": "desc"}},
                "aggs": {
                    "mean": {"avg": {"field": "tokens"}},
                    "all": {"stats": {"field": "tokens"}},
                    "users": {"cardinality": {"field": "user.keyword"}},
                    "newest": {"top_hits": {"size": 1, "sort": [{"@timestamp": "desc"}], "_source": ["tokens"]}},
                },
            }
        },
    }
    found = ask(server, body)["aggregations"]["models"]
    assert [one["key"] for one in found["buckets"]] == ["mistral", "claude-5"]
    assert (found["sum_other_doc_count"], found["doc_count_error_upper_bound"]) == (20, 0)
    mistral = found["buckets"][0]
    assert mistral["doc_count"] == 10
    assert mistral["mean"]["value"] == 210.0
    assert mistral["all"] == {"count": 10, "min": 30.0, "max": 390.0, "avg": 210.0, "sum": 2100.0}
    assert mistral["users"]["value"] == 5
    (newest,) = mistral["newest"]["hits"]["hits"]
    assert (newest["_id"], newest["_source"]) == ("39", {"tokens": 390})


def test_a_date_histogram_fills_its_gaps_and_nests(server: Server) -> None:
    body = {
        "size": 0,
        "query": {"bool": {"should": [{"range": {"tokens": {"lt": 100}}}, {"range": {"tokens": {"gte": 300}}}]}},
        "aggs": {
            "time": {
                "date_histogram": {"field": "@timestamp", "fixed_interval": "1h", "min_doc_count": 0},
                "aggs": {"by": {"terms": {"field": "ok"}, "aggs": {"sum": {"sum": {"field": "tokens"}}}}},
            }
        },
    }
    buckets = ask(server, body)["aggregations"]["time"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in buckets] == [
        (START, 10), (START + HOUR, 0), (START + 2 * HOUR, 0), (START + 3 * HOUR, 10),
    ]  # fmt: skip
    assert buckets[0]["key_as_string"] == "2026-11-23T08:00:00.000Z"
    inner = {
        one["key_as_string"]: (one["key"], one["doc_count"], one["sum"]["value"]) for one in buckets[0]["by"]["buckets"]
    }
    assert inner == {"true": (1, 8, 370.0), "false": (0, 2, 80.0)}
    assert buckets[1]["by"]["buckets"] == []


def test_days_begin_by_the_clock_of_the_zone(server: Server) -> None:
    zone = {
        "field": "@timestamp",
        "calendar_interval": "day",
        "time_zone": "America/New_York",
        "format": "yyyy-MM-dd HH:mm",
    }
    (bucket,) = ask(server, {"size": 0, "aggs": {"d": {"date_histogram": zone}}})["aggregations"]["d"]["buckets"]
    assert (bucket["key_as_string"], bucket["key"]) == ("2026-11-23 00:00", 1_795_410_000_000)
    shifted = {"field": "@timestamp", "fixed_interval": "2h", "offset": "+1h", "keyed": True, "format": "epoch_millis"}
    found = ask(server, {"size": 0, "aggs": {"d": {"date_histogram": shifted}}})["aggregations"]["d"]["buckets"]
    assert {key: one["doc_count"] for key, one in found.items()} == {
        str(START - HOUR): 10, str(START + HOUR): 20, str(START + 3 * HOUR): 10,
    }  # fmt: skip


def test_bounds_extend_a_histogram(server: Server) -> None:
    params = {"field": "tokens", "interval": 100, "extended_bounds": {"min": -100, "max": 500}}
    found = ask(server, {"size": 0, "aggs": {"h": {"histogram": params}}})["aggregations"]["h"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in found] == [
        (-100.0, 0), (0.0, 10), (100.0, 10), (200.0, 10), (300.0, 10), (400.0, 0), (500.0, 0),
    ]  # fmt: skip
    dates = {"field": "@timestamp", "fixed_interval": "1h", "extended_bounds": {"min": START - HOUR, "max": START}}
    found = ask(server, {"size": 0, "aggs": {"h": {"date_histogram": dates}}})["aggregations"]["h"]["buckets"]
    assert (len(found), found[0]["key"]) == (5, START - HOUR)


def test_ranges_and_filters_may_overlap(server: Server) -> None:
    aggs = {
        "r": {
            "range": {"field": "tokens", "ranges": [{"to": 100}, {"from": 50, "to": 200}, {"from": 200, "key": "many"}]}
        },
        "d": {"date_range": {"field": "@timestamp", "ranges": [{"from": "2026-11-23T10:00:00Z"}], "keyed": True}},
        "f": {
            "filters": {
                "other_bucket_key": "rest",
                "filters": {"slow": {"range": {"latency": {"gte": 5}}}, "bad": {"term": {"ok": False}}},
            },
            "aggs": {"p": {"percentiles": {"field": "latency", "percents": [50, 99.9]}}},
        },
        "anonymous": {"filters": {"filters": [{"term": {"model": "gpt-5"}}]}},
        "one": {"filter": {"term": {"model": "gpt-5"}}, "aggs": {"m": {"max": {"field": "@timestamp"}}}},
        "none": {"missing": {"field": "user"}},
    }
    found = ask(server, {"size": 0, "aggs": aggs})["aggregations"]
    assert [(one["key"], one["doc_count"]) for one in found["r"]["buckets"]] == [
        ("*-100.0", 10), ("50.0-200.0", 15), ("many", 20),
    ]  # fmt: skip
    assert [one["doc_count"] for one in found["d"]["buckets"].values()] == [20]
    counts = {name: one["doc_count"] for name, one in found["f"]["buckets"].items()}
    assert counts == {"slow": 20, "bad": 5, "rest": 17}
    assert found["f"]["buckets"]["bad"]["p"]["values"]["50.0"] == 4.0
    assert found["anonymous"]["buckets"] == [{"doc_count": 20}]
    assert found["one"]["doc_count"] == 20
    assert found["one"]["m"]["value_as_string"] == "2026-11-23T11:48:00.000Z"
    assert found["none"] == {"doc_count": 4}


def test_every_item_of_a_list_counts(server: Server) -> None:
    found = ask(server, {"size": 0, "aggs": {"t": {"terms": {"field": "tags", "order": {"_key": "asc"}}}}})
    buckets = found["aggregations"]["t"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in buckets] == [("a", 26), ("b", 26), ("c", 14)]
    some = {"terms": {"field": "model", "include": "g.*|m.*", "exclude": ["mistral"]}}
    buckets = ask(server, {"size": 0, "aggs": {"t": some}})["aggregations"]["t"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in buckets] == [("gpt-5", 20)]


def test_spread_and_counts_of_values(server: Server) -> None:
    aggs = {
        "x": {"extended_stats": {"field": "latency"}, "meta": {"unit": "s"}},
        "n": {"value_count": {"field": "user"}},
        "lists": {"value_count": {"field": "tags"}},
        "kinds": {"cardinality": {"field": "tags"}},
        "absent": {"avg": {"field": "nothing"}},
    }
    found = ask(server, {"size": 0, "aggs": aggs})["aggregations"]
    assert found["x"]["meta"] == {"unit": "s"}
    assert found["x"]["std_deviation"] == pytest.approx(2.8858, abs=1e-3)
    assert found["x"]["std_deviation_bounds"]["upper"] == pytest.approx(4.875 + 2 * 2.8858, abs=1e-3)
    assert (found["n"]["value"], found["lists"]["value"], found["kinds"]["value"]) == (36, 66, 3)
    assert found["absent"] == {"value": None}


def test_scans_of_both_clients_see_every_document_once(server: Server) -> None:
    query = {"query": {"match": {"message": "chat"}}}
    found = [hit["_id"] for hit in scan(OpenSearch(server.url), query=query, index="logs-ai", size=7)]
    assert sorted(map(int, found)) == list(range(40))
    with Elasticsearch(server.url) as client:
        found = [hit["_id"] for hit in es_scan(client, query=query, index="logs-*", size=9, preserve_order=True)]
    assert sorted(map(int, found)) == list(range(40))


def test_several_searches_in_one_request(server: Server) -> None:
    client = OpenSearch(server.url)
    body = [
        {"index": "logs-ai"}, {"size": 1, "query": {"match_all": {}}},
        {"index": "nowhere"}, {"query": {"match_all": {}}},
        {"index": ["logs-ai"]}, {"query": {"unheard_of": {}}},
        {"index": "nothing-*"}, {"query": {"match_all": {}}},
    ]  # fmt: skip
    answers = client.msearch(body=body)["responses"]
    assert [one["status"] for one in answers] == [200, 404, 400, 200]
    assert answers[0]["hits"]["total"]["value"] == 40
    assert "unheard_of" in answers[2]["error"]["reason"]
    assert answers[3]["hits"]["total"]["value"] == 0


def test_fields_tell_what_can_be_done_with_them(server: Server) -> None:
    found = OpenSearch(server.url).field_caps(index="logs-*", fields="mod*,tokens,@timestamp")
    assert found["indices"] == ["logs-ai"]
    assert found["fields"]["tokens"] == {"long": {"type": "long", "searchable": True, "aggregatable": True}}
    assert set(found["fields"]) == {"model", "tokens", "@timestamp"}


def test_an_index_that_is_not_there(server: Server) -> None:
    assert server.request("POST", "/nowhere/_search", b"{}", {"content-type": "application/json"}).status == 404
    assert ask(server, {}, index="nowhere-*")["hits"]["total"]["value"] == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "query bool must should term terms range match field size sort aggs x interval order".split()
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.one_of(
        JSON,
        st.builds(lambda kind, inner: {kind: inner}, st.sampled_from([*{next(iter(q)) for q, _ in QUERIES}]), JSON),
    ),
    aggs=st.one_of(
        st.none(),
        JSON,
        st.builds(
            lambda kind, inner: {"a": {kind: inner}},
            st.sampled_from(
                ["terms", "date_histogram", "histogram", "range", "filters", "stats", "top_hits", "percentiles"]
            ),
            JSON,
        ),
    ),
)
def test_any_body_is_answered_or_refused(server: Server, query: Any, aggs: Any) -> None:
    body = json.dumps({"query": query, "aggs": aggs, "size": 1}).encode()
    answer = server.request("POST", "/logs-ai/_search", body, {"content-type": "application/json"})
    assert answer.status in {200, 400}, answer.body
