"""Sends payloads as well-behaved clients do: over keep-alive connections, repeating what may be repeated."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from treering.core.errors import Permanent, Retryable, UserError
from treering.testing.grpc import Client

_PATHS: dict[str, tuple[str, type[Message], str]] = {
    "otlp_traces": ("/v1/traces", ExportTraceServiceResponse, "rejected_spans"),
    "grpc_traces": ("/v1/traces", ExportTraceServiceResponse, "rejected_spans"),
    "otlp_logs": ("/v1/logs", ExportLogsServiceResponse, "rejected_log_records"),
    "otlp_metrics": ("/v1/metrics", ExportMetricsServiceResponse, "rejected_data_points"),
}
_AGAIN = frozenset((429, 502, 503, 504))
# google.rpc.Code: cancelled, deadline exceeded, aborted, out of range, unavailable, data loss
_GRPC_AGAIN = frozenset((1, 4, 10, 11, 14, 15))
_EXHAUSTED = 8
_RETRY_INFO = b"google.rpc.RetryInfo"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Patience:
    """How long to wait between tries: twice as long each time, never less than the server asks."""

    def __init__(self, limit_s: float, pause: Callable[[float], None]) -> None:
        """Give up after `limit_s` seconds of waiting for one payload; `pause` sleeps."""
        self._limit_s = limit_s
        self._pause = pause
        self._waited_s = 0.0
        self._next_s = 0.2
        self.retries = 0

    def begin(self) -> None:
        """Start over for a new payload."""
        self._waited_s, self._next_s = 0.0, 0.2

    def wait(self, reason: str, at_least_s: float = 0.0) -> None:
        """Sleep before the next try; raises Retryable with `reason` when the limit is reached."""
        seconds = max(self._next_s, at_least_s)
        if self._waited_s + seconds > self._limit_s:
            raise Retryable(f"the server does not take the records: {reason}", retry_after_s=seconds)
        self._pause(seconds)
        self._waited_s += seconds
        self._next_s = min(self._next_s * 2, 10.0)
        self.retries += 1


class HttpSender:
    """OTLP/HTTP with protobuf (OTLP 1.x, "OTLP/HTTP Response") and OpenSearch's `_bulk`."""

    def __init__(self, base_url: str, headers: Mapping[str, str], patience: Patience) -> None:
        """Send to `base_url` (http or https) with `headers` added; raises UserError for other addresses."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"not an http address: '{base_url}'", hint="for instance http://127.0.0.1:7600")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=30)
        self._prefix = parts.path.rstrip("/")
        self._headers = dict(headers)
        self._patience = patience

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def otlp(self, channel: str, payload: bytes) -> int:
        """Send an OTLP request; returns how many records the server rejected for good."""
        path, response, field = _PATHS[channel]
        answer = self._post(path, "application/x-protobuf", payload)
        try:
            message = response.FromString(answer)
        except ProtobufError as error:
            raise Permanent(f"{path} answered something that is not OTLP: {error}") from error
        return int(getattr(message.partial_success, field)) if message.HasField("partial_success") else 0

    def bulk(self, payload: bytes) -> int:
        """Send `_bulk` NDJSON, items that were refused for now once more; returns how many were rejected for good."""
        rejected = 0
        while payload:
            answer = json.loads(self._post("/_bulk", "application/x-ndjson", payload, begin=not rejected))
            if not answer.get("errors"):
                return rejected
            lines = payload.splitlines(keepends=True)
            again = []
            for number, item in enumerate(answer["items"]):
                status = next(iter(item.values()))["status"]
                if status in _AGAIN:
                    again += lines[2 * number : 2 * number + 2]
                elif status >= 400:
                    rejected += 1
            payload = b"".join(again)
            if payload:
                self._patience.wait(f"{len(again) // 2} items of a bulk request were refused for now")
        return rejected

    def _post(self, path: str, content_type: str, payload: bytes, *, begin: bool = True) -> bytes:
        if begin:
            self._patience.begin()
        headers = {"Content-Type": content_type, **self._headers}
        while True:
            try:
                self._connection.request("POST", self._prefix + path, payload, headers)
                answer = self._connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                self._patience.wait(f"{path}: {error or type(error).__name__}")
                continue
            if answer.status == 200:
                return body
            if answer.status not in _AGAIN:
                raise Permanent(f"{path} answered {answer.status}: {body[:200].decode(errors='replace')}")
            self._patience.wait(f"{path} answered {answer.status}", _seconds(answer.headers.get("Retry-After", "")))


class GrpcSender:
    """OTLP/gRPC for traces (OTLP 1.x, "OTLP/gRPC Response")."""

    def __init__(self, address: str, headers: Mapping[str, str], patience: Patience) -> None:
        """Send to `address` (host:port) without TLS."""
        self._client = Client(address)
        self._metadata = dict(headers)
        self._patience = patience

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def otlp(self, payload: bytes) -> int:
        """Send an ExportTraceServiceRequest; returns how many spans the server rejected for good."""
        self._patience.begin()
        while True:
            try:
                outcome = self._client.call(_EXPORT, payload, self._metadata)
            except OSError as error:
                self._patience.wait(f"gRPC: {error}")
                continue
            if not outcome.status:
                return int(ExportTraceServiceResponse.FromString(outcome.message).partial_success.rejected_spans)
            delay_s = retry_delay_s(outcome.details)
            if outcome.status not in _GRPC_AGAIN and not (outcome.status == _EXHAUSTED and delay_s is not None):
                raise Permanent(f"gRPC answered status {outcome.status}: {outcome.reason}")
            self._patience.wait(f"gRPC answered status {outcome.status}", delay_s or 0.0)


def retry_delay_s(details: bytes) -> float | None:
    """Return the delay of the RetryInfo in a serialised `google.rpc.Status`, or None where there is none."""
    where = details.find(_RETRY_INFO)
    if where < 0:
        return None
    value = details[where + len(_RETRY_INFO) :]
    # Any.value (tag 0x12, length) holds RetryInfo, whose only field is retry_delay (tag 0x0a, length, Duration).
    if len(value) < 4 or value[0] != 0x12 or value[2] != 0x0A:
        return 0.0
    duration = Duration.FromString(value[4 : 4 + value[3]])
    return float(duration.seconds + duration.nanos / 1e9)


def _seconds(text: str) -> float:
    """Return the seconds of a Retry-After header; dates count as nothing."""
    return float(text) if text.strip().isdigit() else 0.0
