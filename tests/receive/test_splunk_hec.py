"""Splunk's HTTP Event Collector: the contract, recorded and live senders, and every code."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.receive.recordings import recordings
from tests.receive.test_contract import HttpSender
from tests.serving import Server
from treering import client
from treering.core.access import Token, digest
from treering.core.clock import ManualClock
from treering.core.telemetry import Telemetry
from treering.parse import hec
from treering.receive import splunk_hec
from treering.stage.source import Context, Request
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict
from treering.testing.sinks import RecordingSink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


NOW = 1_795_490_000 * 10**9


def events_in(body: bytes) -> list[Any]:
    """Return the events of a body whose texts hold no borders, each decoded; None for what is no JSON."""
    out: list[Any] = []
    for piece in body.replace(b"}{", b"}\n{").split(b"\n"):
        try:
            out.append(json.loads(piece))
        except ValueError:
            out.append(None)
    return out


class HecSender(HttpSender):
    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        answer = json.loads(response.body)
        assert (response.status, answer["text"]) == splunk_hec.CODES[answer["code"]]
        found = events_in(body)
        good = sum(isinstance(one, dict) and bool(one.get("event")) for one in found)
        if answer["code"] == splunk_hec.BUSY:
            assert int(response.headers["retry-after"]) >= 1
            return Verdict(retry=good)
        if answer["code"] == splunk_hec.FAILED:
            return Verdict(rejected=good)
        if "invalid-event-number" not in answer:
            return Verdict(accepted=good if answer["code"] == 0 else 0)
        return Verdict(good, 0, len(found) - good)

    async def ask(self, body: bytes) -> Any:
        return await self.route.handle(Request("POST", self.route.path, {}, {}, {}, body))


class TestSplunkHec(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return HecSender(splunk_hec.build(splunk_hec.Config(), context), "/services/collector/event", "")

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong = [b'{"event": ""}', b'{"event": cut}', b'{"time": 1}'][:bad]
        good = [json.dumps({"time": "1", "event": mark}).encode() for mark in marks]
        return b"".join([good[0], *wrong, *good[1:]])

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


def ask(
    body: bytes = b"", path: str = "", query: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    sink = RecordingSink()
    routes = splunk_hec.build(splunk_hec.Config(), Context(sink, ManualClock(NOW), Telemetry()))
    (route,) = [one for one in routes if one.path == f"/services/collector{path}"]
    response = asyncio.run(route.handle(Request("POST", route.path, {}, query or {}, headers or {}, body)))
    return response.status, json.loads(response.body), sink.records()


def test_each_capture_is_answered_as_its_client_expects_and_kept(server: Server, shared: Path) -> None:
    expected = []
    for name in ("fluent-bit-splunk", "splunk-handler", "otelcol-splunk-hec"):
        for one in recordings(shared / "captures" / name):
            answer = server.replay(one.method, one.path, one.headers, one.body)
            assert (answer.status, json.loads(answer.body)) == (one.answered, json.loads(one.answer))
            text = one.plain.decode().replace("}{", "}\n{").replace("\u2028", "\\u2028")
            expected += [json.loads(line, parse_float=Decimal) for line in text.split("\n")]
    stored = {stream: server.records(stream) for stream in ("logs", "spans", "metrics")}
    metrics = [one for one in expected if any(name.startswith("metric_name:") for name in one.get("fields", {}))]
    spans = [one for one in expected if isinstance(one["event"], dict) and "start_time" in one["event"]]
    assert [len(stored["metrics"]), len(stored["spans"])] == [len(metrics), len(spans)]
    assert sum(map(len, stored.values())) == len(expected)
    logs = [one for one in expected if one not in metrics and one not in spans]
    for sent, record in zip(logs, stored["logs"], strict=True):
        check_log(sent, record)
    for sent, record in zip(spans, stored["spans"], strict=True):
        event = sent["event"]
        assert (record["traceId"], record["spanId"], record["name"]) == (
            event["trace_id"], event["span_id"], event["name"],
        )  # fmt: skip
        assert record["durationInNanos"] == event["end_time"] - event["start_time"]
        assert record.get("attributes", {}) == json.loads(json.dumps(event.get("attributes", {}), default=float))
        assert sent["fields"].items() <= record["resource"]["attributes"].items()
    for sent, record in zip(metrics, stored["metrics"], strict=True):
        ((name, value),) = [(k[12:], v) for k, v in sent["fields"].items() if k.startswith("metric_name:")]
        assert (record["name"], record["value"]) == (name, float(value) if isinstance(value, str | Decimal) else value)
    assert all(balance.holds and not balance.rejected for balance in server.telemetry.conservation())


def check_log(sent: dict[str, Any], record: dict[str, Any]) -> None:
    moment = int(Decimal(sent["time"]) * 10**9)
    assert moment in (record["@timestamp"], record.get("observedTime"))
    for name, target in (("host", "host.name"), ("index", "com.splunk.index"), ("source", "com.splunk.source")):
        assert name not in sent or record["resource"]["attributes"][target] == sent[name]
    if isinstance(sent["event"], str | list | int | Decimal):
        assert record["body"] == json.loads(json.dumps(sent["event"], default=float))
    elif "event.name" in sent.get("fields", {}):
        assert (record["body"], record["eventName"]) == (sent["event"], sent["fields"]["event.name"])
    elif "message" in sent["event"]:
        assert record["body"] == sent["event"]["message"]
        moved = {"@timestamp", "message", "level"}
        kept = {name: value for name, value in sent["event"].items() if name not in moved}
        assert json.loads(json.dumps(kept, default=float)).items() <= record["attributes"].items()
    else:
        assert record["attributes"]["log.file.path"] == sent["event"]["log.file.path"]
        assert record["body"] in sent["event"]["log"].replace('\\"', '"')
    for name, value in sent.get("fields", {}).items():
        named = {
            "trace_id": "traceId", "span_id": "spanId"
        }.get(name)  # fmt: skip
        found = record.get("attributes", {}).get(name) if named is None else record.get(named)
        assert found == (float(value) if isinstance(value, Decimal) else value) or (named and not value), name


@pytest.mark.filterwarnings("ignore")
def test_a_live_python_handler(server: Server) -> None:
    from splunk_handler import SplunkHandler

    handler = SplunkHandler(
        host="127.0.0.1", port=str(server.port), token="T", index="main", protocol="http", verify=False,
        flush_interval=0.2, sourcetype="json", allow_overrides=True,
    )  # fmt: skip
    logger = logging.getLogger("live.hec")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("retrieval é took %d ms", 930)
        logger.error('{"level": "error", "msg": "no answer", "model": "m"}')
        until = time.monotonic() + 20
        while len(server.records("logs")) < 2 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        logger.removeHandler(handler)
        handler.shutdown()
    first, second = sorted(server.records("logs"), key=lambda record: record["body"], reverse=True)
    assert first["body"] == "retrieval é took 930 ms"
    assert (second["body"], second["severityText"], second["attributes"]) == ("no answer", "error", {"model": "m"})


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        (b"", 5, None),
        (b" \n", 5, None),
        (b"{", 6, 0),
        (b'{"event":"a"}{"event":', 6, 1),
        (b'{"event":"a"} junk {"event":"b"}', 6, 1),
        (b'{"time":1}', 12, 0),
        (b'{"event":null}', 12, 0),
        (b'{"event":""}', 13, 0),
        (b'{"event":{}}', 13, 0),
        (b'{"event":"a","fields":[1]}', 15, 0),
        (b'{"event":"a","time":"soon"}', 6, 0),
        (b'{"event":"a","time":1e400}', 6, 0),
        (b'{"event":"\xff"}', 6, 0),
        (b"[" * 100_000, 6, 0),
    ],
)
def test_every_mistake_has_its_code(body: bytes, code: int, number: int | None) -> None:
    status, answer, _ = ask(body)
    assert (status, answer["code"], answer.get("invalid-event-number")) == (splunk_hec.CODES[code][0], code, number)


def test_events_follow_each_other_in_any_way() -> None:
    tricky = 'a}{b "}{" \\ } {'
    pieces = [
        {"event": tricky, "time": "1795490000.123456789"},
        {"event": {"x": [{}, {"y": "}\n{"}]}, "time": 1795490000},
    ]
    for between in ("", "\n", " \r\n\t", "\n\n"):
        status, answer, records = ask(between.join(map(json.dumps, pieces)).encode())
        assert (status, answer) == (200, {"text": "Success", "code": 0})
        assert records[0] == {"@timestamp": NOW + 123_456_789, "body": tricky}
        assert records[1] == {"@timestamp": NOW, "attributes": {"x": [{}, {"y": "}\n{"}]}}


def test_times_keep_their_nanoseconds() -> None:
    for sent in ("1795490000.123456789", '"1795490000.123456789"', '" 1795490000.123456789 "'):
        assert ask(b'{"event":"a","time":%s}' % sent.encode())[2][0]["@timestamp"] == NOW + 123_456_789
    assert ask(b'{"event":"a","time":1.79549e9}')[2][0]["@timestamp"] == NOW
    assert "@timestamp" not in ask(b'{"event":"a"}')[2][0]


def test_raw_lines_take_what_the_query_says() -> None:
    query = {"host": "h", "sourcetype": "vllm", "index": "main", "time": "1795490000.5", "source": "s"}
    body = b'plain \xc3\xa9 line\n{"level":"error","msg":"no"}\nTraceback (most recent call last):\n x\nValueError: v'
    status, answer, records = ask(body, "/raw", query)
    assert (status, answer["code"]) == (200, 0)
    assert [record["body"] for record in records] == ["plain é line", "no", "ValueError: v"]
    assert all(record["@timestamp"] == NOW + 500_000_000 for record in records)
    assert records[0]["resource"]["attributes"] == {
        "host.name": "h", "com.splunk.source": "s", "com.splunk.sourcetype": "vllm", "com.splunk.index": "main",
    }  # fmt: skip


def test_raw_lines_that_are_too_long_are_told() -> None:
    status, answer, records = ask(b"short\n" + b"x" * (17 << 20) + b"\nlast\n", "/raw")
    assert (status, answer["code"]) == (400, 6)
    assert [record["body"] for record in records] == ["short", "last"]


def test_single_metrics_of_the_older_form() -> None:
    body = b'{"event":"metric","time":1,"fields":{"metric_name":"gpu.util","_value":0.5,"gpu":"0"}}'
    ((record,),) = [ask(body)[2]]
    assert record == {
        "@timestamp": 10**9, "time": 10**9, "name": "gpu.util", "value": 0.5, "attributes": {"gpu": "0"},
    }  # fmt: skip


def test_acknowledgements_are_true_once_given(server: Server) -> None:
    channel = {"X-Splunk-Request-Channel": "c1"}
    for number in range(3):
        answer = server.request("POST", "/services/collector", b'{"event":"a"}', channel)
        assert json.loads(answer.body) == {"text": "Success", "code": 0, "ackId": number}
    server.busy = True
    refused = server.request("POST", "/services/collector?channel=c1", b'{"event":"a"}')
    assert (refused.status, json.loads(refused.body)["code"]) == (503, 9)
    server.busy = False
    asked = server.request("POST", "/services/collector/ack?channel=c1", b'{"acks":[0,2,3]}')
    assert json.loads(asked.body) == {"acks": {"0": True, "2": True, "3": False}}
    assert json.loads(server.request("POST", "/services/collector/ack", b'{"acks":[0]}').body)["code"] == 10
    assert json.loads(server.request("POST", "/services/collector/ack?channel=c", b"no").body)["code"] == 6
    assert server.request("GET", "/services/collector/health").status == 200


def test_bombs_and_oversize_bodies_are_refused(server: Server) -> None:
    bomb = gzip.compress(b'{"event":"' + b"a" * (70 << 20) + b'"}')
    assert server.request("POST", "/services/collector", bomb, {"Content-Encoding": "gzip"}).status == 413
    assert server.request("POST", "/services/collector", b"", {"Content-Length": str(65 << 20)}).status == 413
    assert server.records("logs") == []


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(max_size=30), max_size=8), st.sampled_from(["", "\n", " "]))
def test_every_text_comes_back(texts: list[str], between: str) -> None:
    events = hec.decode(between.join(json.dumps({"event": {"é": text}}) for text in texts).encode(), NOW)
    sent = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert [record["attributes"]["é"] for record in events.records.get("logs", [])] == sent
    assert events.rejected == []


def test_hostile_borders_take_linear_time() -> None:
    for body in (b'{"a":"}{"' * 200_000, b'{"event":"' + b"}{" * 500_000, b'{"a":[' * 200_000, b"}{" * 500_000):
        began = time.perf_counter()
        hec.decode(body, NOW)
        assert time.perf_counter() - began < 20


def test_who_may_send(tmp_path: Path) -> None:
    tokens = (
        Token(name="hec", sha256=digest("sesame"), role="ingest"),
        Token(name="eyes", sha256=digest("viewer"), role="viewer"),
    )
    with Server(tmp_path / "data", tokens=tokens) as server:

        def send(headers: dict[str, str], path: str = "/services/collector") -> int:
            return server.request("POST", path, b'{"event":"a"}', headers).status

        basic = base64.b64encode(b"any:sesame").decode()
        assert send({"Authorization": "Splunk sesame"}) == 200
        assert send({"Authorization": f"Basic {basic}"}) == 200
        assert send({"Authorization": "Splunk wrong"}) == 401
        assert send({"Authorization": "Splunk viewer"}) == 403
        assert send({}) == 401
        assert send({}, "/services/collector?token=sesame") == 401
        assert server.request("GET", "/services/collector/health").status == 200
        sender = client.Sender(server.url, token="sesame")
        sender.log({"timeUnixNano": "1", "body": {"stringValue": "b"}})
        assert sender.flush(10)
        assert (sender.sent, len(server.records("logs"))) == (1, 3)
