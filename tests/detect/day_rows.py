"""A known day as the batches that detectors see, without a server in between."""

from __future__ import annotations

import json
from collections.abc import Iterator

from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.otlp import Signal, decode_protobuf
from treering.parse.reader import Reader
from treering.testing.day import Day
from treering.testing.day.emission import BULK, FILES, Emission

_SIGNALS = {"otlp_traces": Signal.TRACES, "grpc_traces": Signal.TRACES, "otlp_logs": Signal.LOGS}


def batches(day: Day, channels: frozenset[str] | None = None) -> Iterator[tuple[int, Rows]]:
    """Yield when a batch arrives and its rows, in order; metrics are left out."""
    readers = {
        f"file:{file.path}": Reader(
            {"serviceName": file.service, "resource": {"attributes": {"host.name": file.host}}}, now_ns=day.end_ns
        )
        for file in FILES
    }
    seq = 0
    for emission in day:
        if emission.channel == "otlp_metrics" or (channels and emission.channel not in channels):
            continue
        stream, records = _records(emission, readers)
        if records:
            yield emission.at_ns, Rows(batch(stream, records, received_ns=emission.at_ns), seq)
            seq += len(records)


def _records(emission: Emission, readers: dict[str, Reader]) -> tuple[str, list]:
    if signal := _SIGNALS.get(emission.channel):
        return signal.stream, decode_protobuf(signal, emission.payload, emission.at_ns).records
    if emission.channel == BULK:
        return "logs", [json.loads(line) for line in emission.payload.splitlines()[1::2]]
    reader = readers[emission.channel]
    return "logs", reader.feed(emission.payload).records + reader.flush().records
