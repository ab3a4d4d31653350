from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from treering.core.errors import DecodeError
from treering.model.batch import batch
from treering.parse.otlp import Signal, decode_json, decode_protobuf

NOW = 1_764_000_000_000_000_000
SIGNALS = st.sampled_from(list(Signal))

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4),
    ),
    max_leaves=12,
)
attributes = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), values, max_size=6)


def set_value(target: AnyValue, value: Any) -> None:
    match value:
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                set_value(target.array_value.values.add(), item)
        case dict():
            target.kvlist_value.SetInParent()
            set_pairs(target.kvlist_value.values, value)


def set_pairs(target: Any, value: dict[str, Any]) -> None:
    for name, member in value.items():
        pair = target.add(key=name)
        set_value(pair.value, member)


def json_value(value: Any, *, as_text: bool) -> dict[str, Any]:  # noqa: PLR0911  one per kind
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value) if as_text else value}
        case float():
            return {"doubleValue": value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [json_value(item, as_text=as_text) for item in value]}}
        case _:
            return {"kvlistValue": {"values": json_pairs(value, as_text=as_text)}}


def json_pairs(value: dict[str, Any], *, as_text: bool) -> list[dict[str, Any]]:
    return [{"key": name, "value": json_value(member, as_text=as_text)} for name, member in value.items()]


def log_request(sent: list[dict[str, Any]]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for one in sent:
        record = scope.log_records.add(time_unix_nano=NOW)
        set_pairs(record.attributes, one)
    return request


@given(st.lists(attributes, min_size=1, max_size=4))
def test_attributes_of_any_shape_survive_protobuf(sent: list[dict[str, Any]]) -> None:
    export = decode_protobuf(Signal.LOGS, log_request(sent).SerializeToString(), NOW)
    assert [record.get("attributes", {}) for record in export.records] == sent
    assert batch("logs", export.records, received_ns=NOW).rows == len(sent)


@given(st.lists(attributes, min_size=1, max_size=4), st.booleans())
def test_attributes_of_any_shape_survive_json(sent: list[dict[str, Any]], as_text: bool) -> None:
    records = [{"timeUnixNano": str(NOW), "attributes": json_pairs(one, as_text=as_text)} for one in sent]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()
    export = decode_json(Signal.LOGS, body, NOW)
    assert export.rejected == 0
    assert [record.get("attributes", {}) for record in export.records] == sent


@settings(max_examples=300)
@given(SIGNALS, st.binary(max_size=200), st.booleans())
def test_any_bytes_are_decoded_or_refused(signal: Signal, body: bytes, as_json: bool) -> None:
    try:
        (decode_json if as_json else decode_protobuf)(signal, body, NOW)
    except DecodeError as error:
        assert error.message  # noqa: PT017  any outcome but another error is right


json_documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.just("9" * 30)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "resourceLogs scopeLogs logRecords resourceSpans scopeSpans spans resourceMetrics scopeMetrics "
                "metrics attributes key value intValue kvlistValue arrayValue values body timeUnixNano traceId status "
                "code kind gauge sum histogram dataPoints asInt count bucketCounts events links severityNumber "
                "resource scope".split()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(SIGNALS, json_documents)
def test_any_document_is_decoded_or_refused(signal: Signal, document: Any) -> None:
    try:
        export = decode_json(signal, json.dumps(document, allow_nan=False).encode(), NOW)
    except (DecodeError, ValueError):
        return
    batch(signal.stream, export.records, received_ns=NOW)


def spans_with(*names: bytes) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "svc"
    scope = group.scope_spans.add()
    scope.scope.name = "lib"
    for index in range(len(names)):
        scope.spans.add(name=f"name {index}", start_time_unix_nano=NOW, end_time_unix_nano=NOW + 5, kind=3)
    body = request.SerializeToString()
    for index, name in enumerate(names):
        body = body.replace(f"name {index}".encode(), name)
    return body


def test_a_span_with_broken_text_is_rejected_alone() -> None:
    export = decode_protobuf(Signal.TRACES, spans_with(b"name a", b"na\xff\xfe b", b"name c"), NOW)
    assert [record["name"] for record in export.records] == ["name a", "name c"]
    assert {record["serviceName"] for record in export.records} == {"svc"}
    assert export.rejected == 1
    assert "UTF-8" in export.reason


def test_a_resource_with_broken_text_is_rejected_with_its_spans() -> None:
    export = decode_protobuf(Signal.TRACES, spans_with(b"name a").replace(b"svc", b"\xffvc"), NOW)
    assert export.records == []
    assert export.rejected == 1


def test_values_nested_too_deep_are_rejected_not_fatal() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    request = log_request([{"deep": deep}, {"fine": 1}])
    export = decode_protobuf(Signal.LOGS, request.SerializeToString(), NOW)
    assert export.records[-1]["attributes"] == {"fine": 1}
    assert len(export.records) + export.rejected == 2
    body = '{"resourceLogs":' * 2000 + "1" + "}" * 2000
    with pytest.raises(DecodeError):
        decode_json(Signal.LOGS, body.encode(), NOW)


def test_unsigned_and_undefined_numbers_are_kept() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    point = metric.histogram.data_points.add(count=2**64 - 1, time_unix_nano=2**64 - 1, bucket_counts=[2**63])
    point.sum = float("nan")
    (record,) = decode_protobuf(Signal.METRICS, request.SerializeToString(), NOW).records
    assert (record["count"], record["time"], record["bucketCountsList"]) == (2**64 - 1, 2**64 - 1, [2**63])
    assert record["sum"] != record["sum"]
    assert record["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_UNSPECIFIED"
    assert batch("metrics", [record], received_ns=NOW).rows == 1


def test_a_metric_without_points_is_kept_as_itself() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="bare", unit="s")
    metrics.add(name="empty").gauge.SetInParent()
    records = decode_protobuf(Signal.METRICS, request.SerializeToString(), NOW).records
    assert [(record["name"], record.get("kind")) for record in records] == [("bare", None), ("empty", "GAUGE")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"timeUnixNano": "-1"}, "64 bits"),
        ({"traceId": "zz"}, "hexadecimal"),
        ({"severityNumber": "LOUD"}, "enumeration"),
        ({"body": {"intValue": 2**63}}, "64 bits"),
        ({"body": {"bytesValue": "~"}}, "base64"),
        ({"attributes": [{"key": 5}]}, "str"),
        ("record", "object"),
    ],
)
def test_wrong_json_items_are_rejected_with_their_reason(record: Any, reason: str) -> None:
    good = {"timeUnixNano": NOW, "severityNumber": "SEVERITY_NUMBER_WARN2", "body": None, "new": 1}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [good, record, good]}]}]}).encode()
    export = decode_json(Signal.LOGS, body, NOW)
    assert [found["severityNumber"] for found in export.records] == [14, 14]
    assert export.rejected == 1
    assert reason in export.reason


def test_a_wrong_resource_costs_all_its_items() -> None:
    group = {"resource": 5, "scopeLogs": [{"logRecords": [{}, {}]}, {"logRecords": [{}]}]}
    body = json.dumps({"resourceLogs": [group, {"scopeLogs": [{"logRecords": [{}]}]}]}).encode()
    export = decode_json(Signal.LOGS, body, NOW)
    assert (len(export.records), export.rejected) == (1, 3)


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b'{"resourceLogs":', b'{"resourceLogs":5}', b"\xff"])
def test_other_documents_are_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_json(Signal.LOGS, body, NOW)
