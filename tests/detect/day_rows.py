"""A known day as the batches that detectors see, a simulated minute at once, without a server in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.otlp import Signal, decode_protobuf
from treering.parse.reader import Reader
from treering.testing.day import Day
from treering.testing.day.emission import BULK, FILES, Emission

_SIGNALS = {"otlp_traces": Signal.TRACES, "grpc_traces": Signal.TRACES, "otlp_logs": Signal.LOGS}
_MINUTE = 60 * 10**9


def batches(day: Day) -> Iterator[tuple[int, Rows]]:
    """Yield when a batch is there and its rows, in order; metrics are left out."""
    readers = {
        f"file:{file.path}": Reader(
            {"serviceName": file.service, "resource": {"attributes": {"host.name": file.host}}}, now_ns=day.end_ns
        )
        for file in FILES
    }
    waiting: dict[str, list[dict[str, Any]]] = {}
    minute = seq = 0
    for emission in (*day, Emission(day.end_ns + _MINUTE, "", b"", 0)):
        if emission.at_ns // _MINUTE != minute:
            minute = emission.at_ns // _MINUTE
            for stream, records in waiting.items():
                yield emission.at_ns, Rows(batch(stream, records, received_ns=emission.at_ns), seq)
                seq += len(records)
            waiting = {}
        stream, records = _records(emission, readers)
        if records:
            waiting.setdefault(stream, []).extend(records)


def _records(emission: Emission, readers: dict[str, Reader]) -> tuple[str, list[dict[str, Any]]]:
    if signal := _SIGNALS.get(emission.channel):
        return signal.stream, decode_protobuf(signal, emission.payload, emission.at_ns).records
    if emission.channel == BULK:
        return "logs", [json.loads(line) for line in emission.payload.splitlines()[1::2]]
    if reader := readers.get(emission.channel):
        return "logs", reader.feed(emission.payload).records + reader.flush().records
    return "", []
