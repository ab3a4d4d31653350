"""What the OpenSearch store reads: indexes that others write, in place; what was appended, by followers; in bounds."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.opensearch.common import Shared
from tests.opensearch.test_contract import config
from treering import query as language
from treering.core.errors import UserError
from treering.model.columns import SEQUENCE
from treering.stage.store import Limits, Scan, Tokens
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import START_NS, answer, column, count, logs, refuses


def bulk(opensearch: Shared, index: str, documents: list[dict[str, Any]]) -> None:
    lines = b"".join(b'{"index":{}}\n' + msgspec.json.encode(document) + b"\n" for document in documents)
    status, told = opensearch.call("POST", f"/{index}/_bulk?refresh=true", lines)
    assert (status, told["errors"]) == (200, False), told


def ppl(store: OpenSearchStore, text: str) -> list[tuple[Any, ...]]:
    return store.run(language.compile(text, schema=store.schema, now_ns=START_NS), Limits()).rows


def test_an_index_of_the_collector_is_read_in_place(opensearch: Shared, name: str) -> None:
    index = f"{name}-ss4o_logs-default-namespace"
    opensearch.call("PUT", f"/{index}", {"settings": {"number_of_shards": 3}})
    documents = [
        {
            "@timestamp": f"2026-11-27T20:00:{n:02d}.123456789Z",
            "body": f"line {n} done",
            "severity": {"text": "INFO", "number": 9},
            "attributes": {"http.route": "/ask", "tags": ["a", "b"], "n": n},
            "resource": {"service.name": "rag"},
        }
        for n in range(50)
    ]
    bulk(opensearch, index, documents)
    store = OpenSearchStore(config(opensearch, name + "own", read=(f"{name}-*",)))
    try:
        (info,) = store.streams(f"{name}-*")
        assert (info.name, info.rows) == (index, 50)
        assert info.last_ns is not None
        assert info.last_ns // 10**9 == 1795809649
        found = ppl(
            store,
            f"source={index} | where severity.number >= 9 and `attributes.n` < 2 | sort `attributes.n` "
            "| fields `attributes.http.route`, `resource.service.name`, @timestamp",
        )
        assert found == [("/ask", "rag", 1795809600123456789), ("/ask", "rag", 1795809601123456789)]
        numbers = answer(store, Scan((index,), (SEQUENCE, "attributes.n")), column(SEQUENCE), column("attributes.n"))
        assert sorted(n for _, n in numbers) == list(range(50))
        assert len({seq for seq, _ in numbers}) == 50
        seq = next(seq for seq, n in numbers if n == 7)
        record = store.record(index, seq)
        assert record is not None
        assert record["attributes"] == documents[7]["attributes"]
        assert [
            row[0] for row in ppl(store, f"source={index} | sort - @timestamp | head 2 | fields `attributes.n`")
        ] == [49, 48]
        (row,) = ppl(store, f"source={index} | where `attributes.n` = 3 | fields `attributes.tags`")
        assert msgspec.json.decode(row[0]) == ["a", "b"]
    finally:
        store.close()


def test_an_alias_of_others_is_a_stream(opensearch: Shared, name: str) -> None:
    for part in ("000001", "000002"):
        opensearch.call("PUT", f"/{name}-otel-v1-apm-span-{part}", {"aliases": {f"{name}-spans": {}}})
        bulk(opensearch, f"{name}-otel-v1-apm-span-{part}", [{"traceId": part, "startTime": "2026-11-27T20:00:00Z"}])
    store = OpenSearchStore(config(opensearch, name + "own", read=(f"{name}-*",)))
    try:
        assert ppl(store, f"source={name}-spans | stats count() as n, distinct_count(traceId) as d") == [(2, 2)]
        assert ppl(store, f"source={name}-otel* | stats count() as n") == [(2,)]
    finally:
        store.close()


def test_a_follower_reads_on_in_a_store_opened_anew(opensearch: Shared, name: str) -> None:
    store = OpenSearchStore(config(opensearch, name))
    for number in range(0, 12, 3):
        store.append(logs([{"n": number}, {"n": number + 1, "v": "x"}]) + logs([{"n": number + 2}], "other"))
    store.append([], {"logs": [4]})
    store.close()
    store = OpenSearchStore(config(opensearch, name))
    try:
        assert store.newest_seq() == 11
        found: list[tuple[str, int]] = []
        position, after = -1, -2
        while position > after:
            after = position
            position, parts = store.since(after, 5)
            assert position - after <= 5
            for part in parts:
                seqs, values = part.data.column(SEQUENCE).to_pylist(), part.data.column("n:l").to_pylist()
                assert seqs == values
                found += [(part.stream, seq) for seq in seqs]
        assert sorted(found, key=lambda row: row[1]) == [
            ("other" if seq % 3 == 2 else "logs", seq) for seq in range(12) if seq != 4
        ]
        first = store.append(logs([{"n": 99}]))
        assert first > 11
        position, parts = store.since(11, 5)
        assert position == first
        assert [value for part in parts for value in part.data.column("n:l").to_pylist()] == [99]
    finally:
        store.close()


def test_a_query_that_would_fetch_too_much_is_refused_with_numbers(opensearch: Shared, name: str) -> None:
    store = OpenSearchStore(config(opensearch, name, pull_documents=100))
    try:
        store.append(logs([{"n": n, "@timestamp": START_NS + n} for n in range(300)]))
        told = refuses(UserError, lambda: count(store, "logs"))
        assert "300 documents" in told
        assert "limit of 100" in told
        assert count(store, "logs", start_ns=START_NS + 250) == 50
        newest = answer(store, Scan(("logs",), ("n",), newest=5))
        assert {row[0] for row in newest} >= {295, 296, 297, 298, 299}
    finally:
        store.close()


def test_words_narrow_what_is_fetched_and_lose_nothing(opensearch: Shared, name: str) -> None:
    store = OpenSearchStore(config(opensearch, name, pull_documents=3))
    try:
        needles: list[dict[str, Any]] = [
            {"body": "Upstream TIMEOUT, again"},
            {"attributes": {"note": ["one", "a timeout"], "mixed": 1}},
            {"attributes": {"mixed": "timeout in a field of numbers"}},
        ]
        store.append(logs([*needles, *({"body": f"line {n}", "attributes": {"mixed": n}} for n in range(50))]))
        scan = Scan(("logs",), (SEQUENCE,), tokens=Tokens("token", "timeout"))
        assert [row[0] for row in answer(store, scan)] == [0, 1, 2]
        assert count(store, "logs", tokens=Tokens("prefix", "timeo")) == 3
        assert (
            count(store, "logs", tokens=Tokens("and", parts=(Tokens("token", "timeout"), Tokens("token", "again"))))
            == 1
        )
    finally:
        store.close()


def test_two_stores_that_disagree_about_a_field_both_keep_their_records(opensearch: Shared, name: str) -> None:
    first, second = OpenSearchStore(config(opensearch, name)), OpenSearchStore(config(opensearch, name))
    try:
        first.append(logs([{"v": 1}]))
        first.close()  # only one may write at a time
        seq = second.append(logs([{"v": "text"}]))
        assert second.record("logs", seq) == {"v": "text"}
        assert seq > first.newest_seq()
        assert count(second, "logs") == 2
        assert count(second, "logs", tokens=Tokens("token", "text")) == 1
    finally:
        first.close()
        second.close()


def test_spans_that_data_prepper_wrote_are_read_in_place(opensearch: Shared, name: str) -> None:
    index = f"{name}-otel-v1-apm-span-000001"
    keyword = {"type": "keyword", "ignore_above": 1024}
    mapping = {
        "date_detection": False,
        "dynamic_templates": [{"attributes": {"path_match": "span.attributes.*", "mapping": {"type": "keyword"}}}],
        "properties": {
            "traceId": keyword,
            "startTime": {"type": "date_nanos"},
            "endTime": {"type": "date_nanos"},
            "durationInNanos": {"type": "long"},
            "events": {"type": "nested", "properties": {"name": keyword, "time": {"type": "date_nanos"}}},
            "traceGroupFields": {"properties": {"statusCode": {"type": "integer"}}},
        },
    }
    opensearch.call("PUT", f"/{index}", {"mappings": mapping})
    spans = [
        {
            "traceId": f"t{n}",
            "startTime": f"2026-11-27T20:00:0{n}.000000001Z",
            "endTime": f"2026-11-27T20:00:0{n}.5Z",
            "durationInNanos": 499_999_999,
            "events": [{"name": "exception", "time": "2026-11-27T20:00:00Z"}] if n else [],
            "traceGroupFields": {"statusCode": n},
            "span.attributes.http@status_code": "200",
        }
        for n in range(3)
    ]
    bulk(opensearch, index, spans)
    store = OpenSearchStore(config(opensearch, name + "own", read=(f"{name}-*",)))
    try:
        (info,) = store.streams(index)
        assert (info.rows, info.first_ns) == (3, 1795809600000000000)
        types = {field.name: field.type for field in store.schema([index])}
        assert types["startTime"] == "date_nanos"
        assert types["events"] == "nested"
        found = ppl(store, f"source={index} | where startTime > '2026-11-27 20:00:01' | sort traceId | fields traceId")
        assert found == [("t1",), ("t2",)]
        code = "`span.attributes.http@status_code`"
        assert ppl(store, f"source={index} | stats sum(durationInNanos) as s by {code}") == [(1499999997, "200")]
        assert ppl(store, f"source={index} | where traceGroupFields.statusCode = 2 | fields startTime") == [
            (1795809602000000001,)
        ]
        ((events,),) = ppl(store, f"source={index} | where traceId = 't1' | fields events")
        assert msgspec.json.decode(events)[0]["name"] == "exception"
    finally:
        store.close()
