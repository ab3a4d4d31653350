"""The gRPC listener against clients that are odd, slow or hostile."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from typing import TYPE_CHECKING

import cramjam
import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from treering.core.clock import ManualClock
from treering.core.telemetry import Telemetry
from treering.receive import _grpc, otlp_grpc
from treering.stage.source import Context
from treering.testing.grpc import Client
from treering.testing.sinks import RecordingSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving import Server

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def body(text: str = "hello", count: int = 1) -> bytes:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(count):
        records.add().body.string_value = text
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("zstd", lambda data: bytes(cramjam.zstd.compress(data))),
        ("snappy", lambda data: bytes(cramjam.snappy.compress(data))),
        ("snappy", lambda data: bytes(cramjam.snappy.compress_raw(data))),
        ("lz4", lambda data: bytes(cramjam.lz4.compress(data))),
    ],
)
def test_a_message_may_be_packed_as_collectors_pack_it(
    coding: str, pack: Callable[[bytes], bytes], server: Server
) -> None:
    client = Client(server.grpc.address)
    assert client.call(EXPORT, pack(body("packed " * 50, 300)), {}, coding).status == 0
    client.close()
    assert len(server.records("logs")) == 300


def test_what_cannot_be_understood_is_refused_by_its_name(server: Server) -> None:
    client = Client(server.grpc.address)
    unknown = client.call(EXPORT, b"x", {}, "br")
    assert (unknown.status, "'br'" in unknown.reason) == (_grpc.UNIMPLEMENTED, True)
    assert "zstd" in unknown.headers["grpc-accept-encoding"]
    assert client.call(EXPORT, b"not zstd", {}, "zstd").status == _grpc.INVALID_ARGUMENT
    assert client.call("/some.Service/Method", b"", {}).status == _grpc.UNIMPLEMENTED
    assert client.call(EXPORT, b"\xff\xff", {}).status == _grpc.INVALID_ARGUMENT
    assert client.call(EXPORT, body(), {}).status == 0
    client.close()


def test_bombs_and_giants_are_refused_and_the_connection_goes_on() -> None:
    async def scenario() -> list[int]:
        context = Context(RecordingSink(), ManualClock(), Telemetry())
        source = otlp_grpc.build(otlp_grpc.Config(port=0, max_message_bytes=100_000), context)
        await source.start()
        client = Client(source.address)

        def calls() -> list[int]:
            bomb = bytes(cramjam.zstd.compress(b"\0" * 50_000_000))
            found = [client.call(EXPORT, bomb, {}, "zstd"), client.call(EXPORT, b"x" * 3_000_000, {})]
            found.append(client.call(EXPORT, body(), {}))
            return [one.status for one in found]

        statuses = await asyncio.to_thread(calls)
        client.close()
        await source.stop()
        return statuses

    assert asyncio.run(scenario()) == [_grpc.RESOURCE_EXHAUSTED, _grpc.RESOURCE_EXHAUSTED, 0]


def test_grpcs_own_client_sends_large_messages(server: Server) -> None:
    with grpc.insecure_channel(server.grpc.address) as channel:
        call = channel.unary_unary(EXPORT)
        assert call(body("y" * 1000, 3000), timeout=30, compression=grpc.Compression.NoCompression) == b""
        pending = [call.future(body("z" * 100, 50), timeout=30) for _ in range(60)]
        assert all(one.result() == b"" for one in pending)
    assert len(server.records("logs")) == 6000


def test_an_http_1_client_is_told_what_the_port_speaks(server: Server) -> None:
    host, _, port = server.grpc.address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"OTLP over HTTP" in answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_leave_the_listener_standing(server: Server, data: bytes, greeted: bool) -> None:
    host, _, port = server.grpc.address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection, contextlib.suppress(OSError):
        connection.sendall((PREFACE if greeted else b"") + data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    client = Client(server.grpc.address)
    assert client.call(EXPORT, body(), {}).status == 0
    client.close()


def test_a_message_that_never_ends_is_given_up_and_its_bytes_are_released() -> None:
    async def scenario() -> tuple[int, int]:
        async def handle(_path: str, _metadata: object, message: bytes) -> bytes:
            return message

        def busy() -> _grpc.Failure:
            return _grpc.Failure(_grpc.RESOURCE_EXHAUSTED, "busy")

        server = _grpc.GrpcServer(handle, _grpc.Bounds(1000, 10_000, busy, receive_s=0.2))
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        await server.start(listening)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            endless = channel.stream_unary("/x/Y")

            def call() -> int:
                def parts():  # type: ignore[no-untyped-def]
                    yield b"abc"
                    import time

                    time.sleep(1)
                    yield b"def"

                with pytest.raises(grpc.RpcError) as refused:
                    endless(parts(), timeout=10)
                return int(refused.value.code().value[0])

            status = await asyncio.to_thread(call)
        held = server.held
        await server.stop(1)
        return status, held

    assert asyncio.run(scenario()) == (_grpc.DEADLINE_EXCEEDED, 0)
