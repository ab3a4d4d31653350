"""The receiver contract, run on every receiver of this package."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from treering.receive import bulk, otlp_grpc, otlp_http
from treering.stage.source import Request
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.source import Context, Response, Route


class HttpSender:
    def __init__(self, routes: Sequence[Route], path: str, content_type: str) -> None:
        (self.route,) = [route for route in routes if route.path == path]
        self.content_type = content_type

    async def ask(self, body: bytes) -> Response:
        request = Request("POST", self.route.path, {}, {}, {"content-type": self.content_type}, body)
        response = await self.route.handle(request)
        assert response.status < 500 or response.status == 503
        return response

    async def close(self) -> None:
        pass


def protobuf_body(marks: Sequence[str]) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for mark in marks:
        scope.log_records.add(time_unix_nano=1).body.string_value = mark
    return request.SerializeToString()


def protobuf_mixed(marks: Sequence[str], bad: int) -> bytes:
    spoiled = [f"spoil {index}" for index in range(bad)]
    body = protobuf_body([marks[0], *spoiled, *marks[1:]])
    for text in spoiled:
        body = body.replace(text.encode(), text.encode()[:-1] + b"\xff")  # no longer utf-8
    return body


def count(body: bytes) -> int:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return 0
    return sum(len(scope.log_records) for group in request.resource_logs for scope in group.scope_logs)


class OtlpProtobufSender(HttpSender):
    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        if response.status == 503:
            assert int(response.headers["retry-after"]) >= 1
            return Verdict(retry=count(body))
        if response.status != 200:
            return Verdict(rejected=count(body))
        partial = ExportLogsServiceResponse.FromString(response.body).partial_success
        rejected = partial.rejected_log_records
        assert bool(partial.error_message) == bool(rejected)
        accepted = count(body) if not rejected else body.count(b"record ")
        return Verdict(accepted=accepted, rejected=rejected)


class TestOtlpHttpProtobuf(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return OtlpProtobufSender(otlp_http.build(otlp_http.Config(), context), "/v1/logs", "application/x-protobuf")

    def body(self, marks: Sequence[str]) -> bytes:
        return protobuf_body(marks)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        return protobuf_mixed(marks, bad)

    def mark_of(self, record: dict[str, Any]) -> str:
        return record["body"]


def json_records(body: bytes) -> list[Any]:
    try:
        document = json.loads(body)
        return document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    except (ValueError, LookupError, TypeError):
        return []


class OtlpJsonSender(HttpSender):
    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        sent = len(json_records(body))
        if response.status == 503:
            return Verdict(retry=sent)
        if response.status != 200:
            assert msgspec.json.decode(response.body)["message"]
            return Verdict(rejected=sent)
        partial = msgspec.json.decode(response.body).get("partialSuccess", {})
        rejected = int(partial.get("rejectedLogRecords", 0))
        return Verdict(accepted=sent - rejected, rejected=rejected)


class TestOtlpHttpJson(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return OtlpJsonSender(otlp_http.build(otlp_http.Config(), context), "/v1/logs", "application/json")

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong: list[Any] = [{"timeUnixNano": "soon"}, {"traceId": "xyz"}, 5][:bad]
        good = [{"timeUnixNano": "1", "body": {"stringValue": mark}} for mark in marks]
        records = [good[0], *wrong, *good[1:]]
        return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()

    def mark_of(self, record: dict[str, Any]) -> str:
        return record["body"]


class BulkSender(HttpSender):
    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        if response.status != 200:
            assert response.status == 400
            return Verdict()
        answer = msgspec.json.decode(response.body)
        statuses = [part["status"] for item in answer["items"] for part in item.values()]
        accepted, retry = statuses.count(201), statuses.count(429)
        assert answer["errors"] is (accepted < len(statuses))
        return Verdict(accepted, retry, len(statuses) - accepted - retry)


class TestBulk(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return BulkSender(bulk.build(bulk.Config(patience_s=0), context), "/_bulk", "application/x-ndjson")

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong = [b'{"message": "cut', b"[1]", b'{"message": "\xff"}'][:bad]
        good = [json.dumps({"message": mark}).encode() for mark in marks]
        return b"".join(b'{"create":{"_index":"logs"}}\n%s\n' % line for line in [good[0], *wrong, *good[1:]])

    def mark_of(self, record: dict[str, Any]) -> str:
        return record["message"]


class GrpcSender:
    def __init__(self, source: otlp_grpc.OtlpGrpc) -> None:
        self.source = source
        self.channel = grpc.aio.insecure_channel(source.address)
        self.call = self.channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")

    async def send(self, body: bytes) -> Verdict:
        try:
            answer = await self.call(body, timeout=20)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                trailers = dict(error.trailing_metadata() or ())
                assert b"google.rpc.RetryInfo" in trailers["grpc-status-details-bin"]
                return Verdict(retry=count(body))
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                return Verdict(rejected=count(body))
            raise
        rejected = ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records
        return Verdict(accepted=body.count(b"record ") if rejected else count(body), rejected=rejected)

    async def close(self) -> None:
        await self.channel.close()
        await self.source.stop()


class TestOtlpGrpc(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        source = otlp_grpc.build(otlp_grpc.Config(port=0), context)
        await source.start()
        return GrpcSender(source)

    def body(self, marks: Sequence[str]) -> bytes:
        return protobuf_body(marks)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        return protobuf_mixed(marks, bad)

    def mark_of(self, record: dict[str, Any]) -> str:
        return record["body"]


def test_a_second_source_on_a_taken_port_says_so(caplog: Any) -> None:
    async def scenario() -> tuple[str, str]:
        from treering.core.clock import ManualClock
        from treering.core.telemetry import Telemetry
        from treering.stage.source import Context
        from treering.testing.sinks import RecordingSink

        context = Context(RecordingSink(), ManualClock(), Telemetry())
        first = otlp_grpc.build(otlp_grpc.Config(port=0), context)
        await first.start()
        second = otlp_grpc.build(otlp_grpc.Config(port=first.port), context)
        await second.start()
        await asyncio.gather(first.stop(), second.stop())
        return first.state, second.state

    assert asyncio.run(scenario()) == ("closed", "address already in use")
