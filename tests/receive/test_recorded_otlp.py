"""OTLP as real SDKs and Collectors sent it: answered as they expect, and nothing lost or changed."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cramjam
import grpc
import pytest

from tests.receive.recordings import otlp_records, recordings
from treering.testing.grpc import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
}
HTTP = [
    "otel-py-http",
    "otel-py-json",
    "otel-node-json",
    "otelcol-filelog-otlphttp",
    "otelcol-otlphttp-gzip",
    "otelcol-otlphttp-snappy",
    "langfuse",
    "litellm",
    "openinference-langchain",
    "openinference-openai",
    "openllmetry-langchain",
    "otel-genai-openai-content",
    "otel-openai-v2-content",
    "vec-chromadb",
]
GRPC = ["otel-py-grpc", "telemetrygen-grpc", "otelcol-otlp-grpc-zstd"]
NOT_OTLP = {"/api/public/scores"}  # Langfuse's own API beside its OTLP


def missing(expected: list[dict[str, Any]], stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the expected records that are not stored whole; also when there are others."""
    left = [json.dumps(record, sort_keys=True) for record in stored]
    lost = []
    for record in expected:
        text = json.dumps(record, sort_keys=True)
        if text in left:
            left.remove(text)
        else:
            lost.append(record)
    assert len(left) == len(lost), "records that nobody sent"
    return lost


def stored(server: Server) -> list[dict[str, Any]]:
    records = [record for stream in ("logs", "spans", "metrics") for record in server.records(stream)]
    for record in records:
        if not record.keys() & {"time", "observedTime", "startTime"}:
            assert abs(record.pop("@timestamp") - time.time_ns()) < 60e9  # when it was received
    return records


@pytest.mark.parametrize("capture", HTTP)
def test_recorded_http_client(capture: str, server: Server, shared: Path) -> None:
    expected = []
    for one in recordings(shared / "captures" / capture):
        if one.path in NOT_OTLP:
            continue
        answer = server.replay(one.method, one.path, one.headers, one.body)
        assert answer.status == one.answered == 200, answer.body
        if answer.headers["content-type"] == "application/json":
            assert json.loads(answer.body) == json.loads(one.answer) == {}
        else:
            assert answer.body == one.answer.encode() == b""
        expected += otlp_records(one.otlp or json.loads(one.plain))
    assert expected
    assert missing(expected, stored(server)) == []
    assert all(balance.holds and not balance.rejected for balance in server.telemetry.conservation())


@pytest.mark.parametrize("capture", GRPC)
def test_recorded_grpc_client(capture: str, server: Server, shared: Path) -> None:
    # The recordings hold messages as gRPC handed them up: they are packed again as the client had packed them.
    expected = []
    client = Client(server.grpc.address)
    for one in recordings(shared / "captures" / capture):
        metadata = dict(one.meta.get("h2_headers") or ())
        coding = metadata.get("grpc-encoding", "") if one.meta.get("compressed_flag", 0) else ""
        sent = {name: value for name, value in metadata.items() if name in {"user-agent", "grpc-timeout"}}
        outcome = client.call(one.method, PACKED[coding](one.body), sent, coding)
        assert (outcome.status, outcome.message) == (0, b"")
        expected += otlp_records(one.otlp)
    client.close()
    assert missing(expected, stored(server)) == []


def test_recorded_http_refusals_are_retried_and_nothing_is_doubled(server: Server, shared: Path) -> None:
    captured = recordings(shared / "captures" / "otelcol-otlphttp-refused")
    kept = []
    for one in captured:
        server.busy = one.answered != 200
        answer = server.replay(one.method, one.path, one.headers, one.body)
        if server.busy:
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
        else:
            assert answer.status == 200
            kept += otlp_records(one.otlp)
    assert server.refused
    assert missing(kept, stored(server)) == []


def test_recorded_grpc_refusals_carry_retry_info(server: Server, shared: Path) -> None:
    kept = []
    with grpc.insecure_channel(server.grpc.address) as channel:
        for one in recordings(shared / "captures" / "otelcol-otlp-grpc-retry"):
            server.busy = one.meta["answered_grpc_status"] != 0
            call = channel.unary_unary(one.method)
            if not server.busy:
                assert call(one.body, timeout=20) == b""
                kept += otlp_records(one.otlp)
                continue
            with pytest.raises(grpc.RpcError) as refused:
                call(one.body, timeout=20)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            trailers = dict(refused.value.trailing_metadata())
            assert b"google.rpc.RetryInfo" in trailers["grpc-status-details-bin"]
    assert server.refused
    assert missing(kept, stored(server)) == []
