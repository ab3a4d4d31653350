"""Large OTLP requests, which take the quick way, are stored like small ones, which do not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.parse.test_otlp import attributes, set_pairs
from treering.model.batch import batch
from treering.model.columns import to_record
from treering.parse.otlp import Signal, decode_protobuf
from treering.parse.otlp_wire import LEAST_BYTES
from treering.receive._otlp import decoded
from treering.testing.sinks import rows

NOW = 1_764_000_000_000_000_000
USUAL = {"gen_ai.request.model": "m", "tokens": 12, "ratio": 0.5, "ok": True}


def request(odd: list[dict[str, Any]]) -> bytes:
    """Return log records with the usual attributes and others, more than fit into a small request."""
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for held in [*[USUAL] * 40, *odd, *[USUAL] * 40]:
        record = records.add(time_unix_nano=NOW, observed_time_unix_nano=NOW + 1, severity_number=9)
        record.body.string_value = "a text of some length, so that there is enough of it"
        set_pairs(record.attributes, held)
    data = message.SerializeToString()
    assert len(data) > LEAST_BYTES
    return data


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(attributes, max_size=3), min_size=1, max_size=4))
def test_large_requests_are_stored_as_they_are_read(requests: list[list[dict[str, Any]]]) -> None:
    for odd in requests:
        body = request(odd)
        export, batches = decoded(Signal.LOGS, body, NOW)
        stored = [to_record(row) for part in batches for row in rows(part)]
        slowly = batch("logs", decode_protobuf(Signal.LOGS, body, NOW).records, received_ns=NOW)
        wanted = [to_record(row) for row in rows(slowly)]
        assert json.dumps(stored, sort_keys=True) == json.dumps(wanted, sort_keys=True)
        assert export.rejected == 0


def test_one_item_that_is_not_utf_8_is_rejected_alone() -> None:
    body = request([{"odd": "spoilt"}]).replace(b"spoilt", b"sp\xffilt")
    export, batches = decoded(Signal.LOGS, body, NOW)
    assert (export.rejected, sum(part.rows for part in batches)) == (1, 80)
