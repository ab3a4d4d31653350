"""The quick way from OTLP's bytes gives the records of the general way, or refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.parse.test_otlp import attributes, set_pairs
from treering.core.errors import DecodeError
from treering.parse import otlp_wire
from treering.parse.otlp import MESSAGES, Signal, decode_protobuf

NOW = 1_764_000_000_000_000_000
SIGNALS = st.sampled_from(sorted(otlp_wire.SIGNALS))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1) | st.just(NOW),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(-2, 26),
}


def quick(signal: Signal, body: bytes) -> Any:
    """Return the records, or None when refused."""
    data = otlp_wire.packed(signal, body, NOW)
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def same(one: Any, other: Any) -> bool:
    """Whether values are equal, types and NaN included; the order of members does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


def fill(draw: st.DrawFn, message: Any, descriptor: Descriptor, depth: int) -> None:
    for field in descriptor.fields:
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            times = draw(st.integers(0, 2 if field.is_repeated else 1)) if depth < 9 else 0
            for _ in range(times):
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                inner.SetInParent() if not field.is_repeated else None
                fill(draw, inner, field.message_type, depth + 1)
        elif field.name in ("entity_refs", "id_keys", "description_keys") or not draw(st.booleans()):
            continue
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            text = field.type == FieldDescriptor.TYPE_STRING
            setattr(message, field.name, draw(TEXTS if text else st.binary(max_size=17)))
        else:
            setattr(message, field.name, draw(NUMBERS[field.cpp_type]))


@st.composite
def requests(draw: st.DrawFn, signal: Signal) -> bytes:
    request = MESSAGES[signal]()
    fill(draw, request, request.DESCRIPTOR, 0)
    return request.SerializeToString()


@settings(max_examples=150, deadline=None)
@given(st.data(), SIGNALS)
def test_any_request_is_read_alike_or_refused(data: st.DataObject, signal: Signal) -> None:
    body = data.draw(requests(signal))
    found = quick(signal, body)
    assert found is None or same(found, decode_protobuf(signal, body, NOW).records)


@settings(max_examples=150, deadline=None)
@given(st.data(), SIGNALS)
def test_damaged_requests_are_refused_or_read_alike(data: st.DataObject, signal: Signal) -> None:
    body = bytearray(data.draw(requests(signal)))
    for _ in range(data.draw(st.integers(1, 4))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    found = quick(signal, bytes(body))
    if found is not None:
        export = decode_protobuf(signal, bytes(body), NOW)
        assert export.rejected == 0
        assert same(found, export.records)


@given(st.binary(max_size=200), SIGNALS)
def test_noise_never_stops_it(body: bytes, signal: Signal) -> None:
    if quick(signal, body) is not None:
        decode_protobuf(signal, body, NOW)


@settings(max_examples=60, deadline=None)
@given(st.lists(attributes, min_size=1, max_size=5), attributes, TEXTS)
def test_usual_spans_are_not_refused(spans: list[dict[str, Any]], common: dict[str, Any], text: str) -> None:
    request = MESSAGES[Signal.TRACES]()
    group = request.resource_spans.add()
    set_pairs(group.resource.attributes, {"service.name": text, **common})
    scope = group.scope_spans.add()
    scope.scope.name = "instrumentation"
    for number, held in enumerate(spans):
        span = scope.spans.add(
            trace_id=b"t" * 16, span_id=b"s" * 8, name=text, kind=Span.SPAN_KIND_CLIENT, start_time_unix_nano=NOW,
            end_time_unix_nano=NOW + number, flags=257, trace_state="a=b",
        )  # fmt: skip
        set_pairs(span.attributes, held)
        span.events.add(name="gen_ai.choice", time_unix_nano=NOW)
        set_pairs(span.events[0].attributes, held)
        span.links.add(trace_id=b"t" * 16, span_id=b"u" * 8)
        span.status.code, span.status.message = 2, text
    body = request.SerializeToString()
    found = quick(Signal.TRACES, body)
    assert found is not None
    assert same(found, decode_protobuf(Signal.TRACES, body, NOW).records)


def test_what_real_clients_sent_is_read_alike(shared: Path) -> None:
    read = 0
    for path in sorted((shared / "captures").rglob("*.headers.json")):
        target = json.loads(path.read_text()).get("path") or ""
        if not target.startswith("/v1/") or target.endswith("metrics"):
            continue
        body = path.with_name(path.name.replace(".headers.json", ".body")).read_bytes()
        body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        signal = Signal(target.rpartition("/")[2])
        try:
            wanted = decode_protobuf(signal, body, NOW).records
        except DecodeError:  # JSON, or in an encoding that the server would undo
            continue
        assert same(quick(signal, body), wanted), path
        read += 1
    assert read > 10


def test_a_large_request_after_a_small_one() -> None:
    request = MESSAGES[Signal.LOGS]()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=NOW).body.string_value = "small"
    assert quick(Signal.LOGS, request.SerializeToString()) is not None
    records.add(time_unix_nano=NOW).body.string_value = "x" * 9_000_000
    body = request.SerializeToString()
    assert same(quick(Signal.LOGS, body), decode_protobuf(Signal.LOGS, body, NOW).records)


@pytest.mark.parametrize("signal", sorted(otlp_wire.SIGNALS))
def test_what_would_write_more_than_there_is_room_for_is_refused(signal: Signal) -> None:
    request = MESSAGES[signal]()
    group = (request.resource_spans if signal is Signal.TRACES else request.resource_logs).add()
    group.resource.attributes.add(key="k" * 15_000)
    scoped = (group.scope_spans if signal is Signal.TRACES else group.scope_logs).add()
    records = scoped.spans if signal is Signal.TRACES else scoped.log_records
    for _ in range(200_000):
        records.add()
    assert otlp_wire.packed(signal, request.SerializeToString(), NOW) is None
    records.add(name="n") if signal is Signal.TRACES else records.add(event_name="e")
    del records[:-1]
    assert quick(signal, request.SerializeToString()) is not None
