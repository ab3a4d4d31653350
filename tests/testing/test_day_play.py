"""A day that is played arrives once and whole, also at servers that refuse now and then."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.testing.readback import START_NS, spans_of
from treering.core.errors import Permanent, Retryable, UserError
from treering.testing.day import FILES, Day, Played, play


class Server(ThreadingHTTPServer):
    """Takes OTLP and `_bulk`; `script` holds answers to give before it behaves: (status, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.taken: dict[str, list[bytes]] = {}
        self.refuse_items = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        script = self.server.script.get(self.path)
        if script:
            self.answer(*script.pop(0))
        elif self.path == "/_bulk":
            self.answer(200, {}, self.bulk(body))
        else:
            self.server.taken.setdefault(self.path, []).append(body)
            self.answer(200, {}, b"")

    def bulk(self, body: bytes) -> bytes:
        lines = body.splitlines(keepends=True)
        items = []
        for document in lines[1::2]:
            refused = self.server.refuse_items > 0
            self.server.refuse_items -= refused
            if not refused:
                self.server.taken.setdefault(self.path, []).append(document)
            items.append({"create": {"status": 429 if refused else 201}})
        return json.dumps({"errors": any(i["create"]["status"] == 429 for i in items), "items": items}).encode()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def day() -> Day:
    day = Day(7, 0.05, START_NS)
    day.truth()
    return day


def check_whole(server: Server, day: Day, folder: Path, *, grpc_spans: int = 0) -> None:
    records = day.truth().records
    spans = [span for body in server.taken["/v1/traces"] for span in spans_of(body)]
    assert len(spans) + grpc_spans == records["otlp_traces"] + records["grpc_traces"]
    assert max(Counter((s.trace, s.span) for s in spans).values()) == 1
    assert len(server.taken["/_bulk"]) == records["bulk"]
    for file in FILES:
        assert (folder / file.path).read_bytes().count(b"\n") == records[f"file:{file.path}"]


def test_a_day_arrives_whole(server: Server, day: Day, tmp_path: Path) -> None:
    steps: list[float] = []
    done = play(day, server.url, None, tmp_path, progress=lambda played: steps.append(played.share))
    check_whole(server, day, tmp_path)
    assert steps == sorted(steps)
    assert 0.9 < steps[-1] <= 1.0
    assert (done.rejected, done.retries) == (0, 0)
    assert done.records == day.truth().records
    requests = len(server.taken["/v1/traces"])
    assert requests < 0.02 * day.truth().records["grpc_traces"] + 60


def test_refusals_for_now_are_repeated(server: Server, day: Day, tmp_path: Path) -> None:
    server.script = {
        "/v1/traces": [(503, {"Retry-After": "3"}, b""), (429, {}, b"")],
        "/v1/metrics": [(502, {}, b""), (504, {}, b"")],
        "/_bulk": [(429, {"Retry-After": "1"}, b"")],
    }
    server.refuse_items = 70
    pauses: list[float] = []
    done = play(day, server.url, None, tmp_path, pause=pauses.append)
    check_whole(server, day, tmp_path)
    assert max(pauses) >= 3.0
    assert done.retries == len(pauses) >= 6
    assert done.rejected == 0


def test_rejected_records_are_counted(server: Server, day: Day, tmp_path: Path) -> None:
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 4
    refused = json.dumps({"errors": True, "items": [{"create": {"status": 400}}] * 3}).encode()
    server.script = {"/v1/logs": [(200, {}, answer.SerializeToString())], "/_bulk": [(200, {}, refused)]}
    assert play(day, server.url, None, tmp_path).rejected == 7


@pytest.mark.parametrize("status", [400, 401, 413])
def test_refusals_for_good_stop_the_play(server: Server, day: Day, tmp_path: Path, status: int) -> None:
    server.script = {"/v1/traces": [(status, {}, b"no")]}
    with pytest.raises(Permanent, match=str(status)):
        play(day, server.url, None, tmp_path)


def test_an_absent_server_is_an_error_after_a_minute(day: Day, tmp_path: Path) -> None:
    pauses: list[float] = []
    with pytest.raises(Retryable):
        play(day, "http://127.0.0.1:9", None, tmp_path, pause=pauses.append)
    assert 30 < sum(pauses) <= 60


@pytest.mark.parametrize("address", ["127.0.0.1:7600", "ftp://127.0.0.1", ""])
def test_other_addresses_are_the_users_mistake(day: Day, tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError):
        play(day, address, None, tmp_path)


def test_speed_paces_the_play(server: Server, day: Day, tmp_path: Path) -> None:
    pauses: list[float] = []
    play(day, server.url, None, tmp_path, speed=600.0, pause=pauses.append)
    seconds = 0.05 * 86_400 / 600
    assert len(pauses) > 100
    assert max(pauses) <= seconds
    check_whole(server, day, tmp_path)


def test_real_time_catches_up_with_the_clock(server: Server, tmp_path: Path) -> None:
    pauses: list[float] = []
    day = Day(7, 0.05, time.time_ns() - 300 * 10**9)
    play(day, server.url, None, tmp_path, speed=1.0, pause=pauses.append)
    assert 0.05 * 86_400 - 400 < max(pauses) <= 0.05 * 86_400 - 300


class Refusing:
    """An OTLP/gRPC server that is full twice, once saying for how long and once unavailable."""

    def __init__(self) -> None:
        self.refusals = [(grpc.StatusCode.RESOURCE_EXHAUSTED, 2), (grpc.StatusCode.UNAVAILABLE, 0)]
        self.spans = 0

    def export(self, request: bytes, context: Any) -> bytes:
        if self.refusals:
            code, seconds = self.refusals.pop(0)
            if seconds:
                context.set_trailing_metadata((("grpc-status-details-bin", retry_info(seconds)),))
            context.abort(code, "full")
        self.spans += len(spans_of(request))
        return ExportTraceServiceResponse().SerializeToString()


def retry_info(seconds: int) -> bytes:
    """Return a google.rpc.Status whose detail is a RetryInfo."""
    duration = Duration(seconds=seconds).SerializeToString()
    info = b"\x0a" + bytes([len(duration)]) + duration
    url = b"type.googleapis.com/google.rpc.RetryInfo"
    detail = b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(info)]) + info
    return b"\x08\x08\x1a" + bytes([len(detail)]) + detail


def test_spans_go_over_grpc_and_wait_as_told(server: Server, day: Day, tmp_path: Path) -> None:
    full = Refusing()
    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService",
        {"Export": grpc.unary_unary_rpc_method_handler(full.export)},
    )
    running = grpc.server(ThreadPoolExecutor(2), handlers=(handler,))
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    pauses: list[float] = []
    try:
        done: Played = play(day, server.url, f"127.0.0.1:{port}", tmp_path, pause=pauses.append)
    finally:
        running.stop(None).wait()
    assert full.spans == day.truth().records["grpc_traces"]
    assert pauses[0] >= 2.0
    assert done.retries == 2
    check_whole(server, day, tmp_path, grpc_spans=full.spans)
