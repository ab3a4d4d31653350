"""What leaves the simulation: bytes for a channel at a time, and the channels there are."""

from __future__ import annotations

from typing import Literal, NamedTuple

OTLP_CHANNELS = ("otlp_traces", "otlp_logs", "otlp_metrics", "grpc_traces")
"""Payloads are serialised Export*ServiceRequests. Two of them joined are one valid request (protobuf merges repeated
fields), so a player may join as many as it likes."""

BULK = "bulk"
"""Payloads are `_bulk` NDJSON: pairs of an action line and a document line. They may be joined too."""


class LogFile(NamedTuple):
    """A log file that a component of the platform writes."""

    path: str
    """Relative to the folder the player writes to."""
    service: str
    """Value for `serviceName` of its records."""
    host: str
    format: Literal["docker", "cri", "weaviate", "ollama", "combined", "nginx_error", "syslog"]


FILES: tuple[LogFile, ...] = (
    LogFile("nginx/access.log", "edge-nginx", "edge-01", "combined"),
    LogFile("nginx/error.log", "edge-nginx", "edge-01", "nginx_error"),
    LogFile("weaviate/weaviate.log", "weaviate", "vec-01", "weaviate"),
    LogFile("vllm/vllm-json.log", "vllm", "gpu-01", "docker"),
    LogFile("ollama/ollama.log", "ollama", "gpu-01", "ollama"),
    LogFile("train/trainer-0.log", "trainer", "train-01", "cri"),
    LogFile("host/gpu-01.syslog", "host", "gpu-01", "syslog"),
    LogFile("host/train-01.syslog", "host", "train-01", "syslog"),
)
"""Every file of the day. Point a file follower at them as a user would."""

CHANNELS: tuple[str, ...] = (*OTLP_CHANNELS, BULK, *(f"file:{file.path}" for file in FILES))


class Emission(NamedTuple):
    """Bytes that a component sends or writes.

    `at_ns` is when (nanoseconds since 1970-01-01 UTC), `channel` one of `CHANNELS`, `records` how many spans, log
    records, metric points, documents or lines the payload holds.
    """

    at_ns: int
    channel: str
    payload: bytes
    records: int
