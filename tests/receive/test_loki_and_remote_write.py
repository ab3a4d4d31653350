"""Loki push and Prometheus remote write: the contract, recordings, and bodies that are none."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.receive.recordings import recordings
from tests.receive.test_contract import HttpSender
from treering.core.errors import DecodeError
from treering.parse import loki as loki_requests
from treering.parse.remote_write import Reader
from treering.receive import loki, remote_write
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.serving import Server
    from treering.stage.source import Context

NOW = 1_795_489_000 * 10**9


def pack(number: int, data: bytes | int) -> bytes:
    """Return a protobuf field: a varint or bytes."""

    def varint(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data: bytes) -> list[tuple[int, Any]]:
    """Return the fields of a protobuf message; fixed ones as bytes."""
    out, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at += 1
            if not data[at - 1] & 0x80:
                return value
            shift += 7

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            out.append((key >> 3, varint()))
            continue
        size = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
        out.append((key >> 3, data[at : at + size]))
        at += size
    return out


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def pushed(marks: Sequence[str]) -> bytes:
    entries = b"".join(pack(2, pack(1, pack(1, 1_795_489_000)) + pack(2, mark.encode())) for mark in marks)
    return pack(1, pack(1, b'{job="app"}') + entries)


class PlainSender(HttpSender):
    """Counts what was accepted by what was sent, with `count` telling good and bad items of a body."""

    def __init__(self, routes: Any, path: str, kind: str, count: Callable[[bytes], tuple[int, int]]) -> None:
        super().__init__(routes, path, kind)
        self.count = count

    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        good, bad = self.count(body)
        if response.status == 503:
            return Verdict(retry=good)
        if response.status == 204:
            return Verdict(accepted=good)
        assert response.status == 400
        if response.body.endswith(b"the others are stored\n"):
            return Verdict(accepted=good, rejected=bad)
        return Verdict(rejected=good)


def count_json(body: bytes) -> tuple[int, int]:
    try:
        values = json.loads(body)["streams"][0]["values"]
    except (ValueError, LookupError, TypeError):
        return 0, 0
    good = sum(isinstance(value, list) and len(value) > 1 and value[1] != "" for value in values)
    return good, len(values) - good


class TestLokiJson(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        routes = loki.build(loki.Config(), context)
        return PlainSender(routes, "/loki/api/v1/push", "application/json", count_json)

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong: list[Any] = [["1"], 5, ["1", ""]][:bad]
        good = [["1795489000000000000", mark] for mark in marks]
        return json.dumps({"streams": [{"stream": {"job": "x"}, "values": [good[0], *wrong, *good[1:]]}]}).encode()

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


def count_marks(body: bytes) -> tuple[int, int]:
    try:
        plain = bytes(cramjam.snappy.decompress_raw(body))
        loki_requests.from_protobuf(plain, NOW)
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return 0, 0
    return plain.count(b"record "), plain.count(b"\x12\x00")


class TestLokiProtobuf(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        routes = loki.build(loki.Config(), context)
        return PlainSender(routes, "/loki/api/v1/push", "application/x-protobuf", count_marks)

    def body(self, marks: Sequence[str]) -> bytes:
        return snappy(pushed(marks))

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        return snappy(pushed([marks[0], *[""] * bad, *marks[1:]]))

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


def series(name: str, mark: str, value: float = 1.5) -> bytes:
    labels = b"".join(
        pack(1, pack(1, key.encode()) + pack(2, text.encode()))
        for key, text in (("__name__", name), ("mark", mark))
        if text
    )
    sample = b"\x09" + struct.pack("<d", value) + pack(2, 1_795_489_000_123)
    return pack(1, labels + pack(2, sample))


def count_series(body: bytes) -> tuple[int, int]:
    try:
        plain = bytes(cramjam.snappy.decompress_raw(body))
        Reader().read(plain, NOW)
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return 0, 0
    return plain.count(b"record "), plain.count(b"nameless")


class TestRemoteWrite(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        routes = remote_write.build(remote_write.Config(), context)
        return PlainSender(routes, "/api/v1/write", "application/x-protobuf", count_series)

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        parts = [series("m", mark) for mark in marks]
        return snappy(b"".join([parts[0], *[series("", "nameless")] * bad, *parts[1:]]))

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["attributes"]["mark"])


def test_recorded_promtail(server: Server, shared: Path) -> None:
    folder = shared / "captures" / "promtail-loki"
    (one,) = recordings(folder)
    assert server.replay(one.method, one.path, one.headers, one.body).status == one.answered == 204
    truth = json.loads((folder / "001.loki.json").read_text())
    expected = [(stream["labels"], entry) for stream in truth["streams"] for entry in stream["entries"]]
    records = server.records("logs")
    assert len(records) == len(expected)
    for record, (labels, entry) in zip(records, expected, strict=True):
        moment = int(entry["timestamp"]["seconds"]) * 10**9 + int(entry["timestamp"].get("nanos", 0))
        assert moment in (record["@timestamp"], record.get("observedTime"))
        for name in ("job", "filename", "env"):
            if f'{name}="' in labels:
                assert record["attributes"][name] == labels.partition(f'{name}="')[2].partition('"')[0]
        metadata = {pair["name"]: pair["value"] for pair in entry["structuredMetadata"]}
        kept = {**record["attributes"], **record["attributes"].get("log.envelope", {})}
        assert metadata.items() <= kept.items()
        if not entry["line"].startswith("{"):
            assert record["body"].strip() in entry["line"]
    assert all(balance.holds and not balance.rejected for balance in server.telemetry.conservation())


def test_recorded_fluent_bit(server: Server, shared: Path) -> None:
    sent = []
    for one in recordings(shared / "captures" / "fluent-bit-loki"):
        assert server.replay(one.method, one.path, one.headers, one.body).status == one.answered == 204
        sent += [value for stream in json.loads(one.body)["streams"] for value in stream["values"]]
    records = server.records("logs")
    assert len(records) == len(sent)
    assert {record["serviceName"] for record in records} == {"fb"}
    for record, (time, _) in zip(records, sent, strict=True):
        assert int(time) in (record["@timestamp"], record.get("observedTime"))


def test_recorded_prometheus(server: Server, shared: Path) -> None:
    expected = []
    for one in recordings(shared / "captures" / "prometheus-remote-write"):
        assert server.replay(one.method, one.path, one.headers, one.body).status == one.answered == 204
        for number, data in fields(bytes(cramjam.snappy.decompress_raw(one.body))):
            if number == 1:
                parts = fields(data)
                labels = {(p := dict(fields(held)))[1].decode(): p.get(2, b"").decode() for n, held in parts if n == 1}
                for held in (held for n, held in parts if n == 2):
                    sample = dict(fields(held))
                    value = struct.unpack("<d", sample[1])[0] if 1 in sample else 0.0
                    expected.append((labels, value, sample[2] * 1_000_000))
    records = server.records("metrics")
    assert len(records) == len(expected) > 10
    for record, (labels, value, moment) in zip(records, expected, strict=True):
        assert {**record["attributes"], "__name__": record["name"]} == labels
        assert record["@timestamp"] == moment
        assert record["serviceName"] == labels["job"]
        if value == value:
            assert record["value"] == value
        else:
            assert record["flags"] == 1


def test_metadata_tells_what_a_metric_is() -> None:
    reader = Reader()
    reader.read(pack(3, pack(1, 1) + pack(2, b"hits") + pack(4, b"How many") + pack(5, b"1")), NOW)
    (record,) = reader.read(series("hits", "x"), NOW).records
    assert (record["kind"], record["description"], record["unit"], record["value"]) == ("SUM", "How many", "1", 1.5)
    assert record["@timestamp"] == NOW + 123_000_000
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    (ended,) = reader.read(series("hits", "x", stale), NOW).records
    assert (ended["flags"], "value" in ended) == (1, False)


def test_version_two_is_refused_so_that_senders_fall_back(server: Server) -> None:
    kind = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    assert server.request("POST", "/api/v1/write", b"x", kind).status == 415


@pytest.mark.parametrize("path", ["/loki/api/v1/push", "/api/v1/write"])
def test_bombs_are_refused(server: Server, path: str) -> None:
    bomb = snappy(b"\0" * (70 << 20))
    assert len(bomb) < 8 << 20
    assert server.request("POST", path, bomb, {"Content-Type": "application/x-protobuf"}).status == 400
    packed = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    assert server.request("POST", path, bomb, packed).status == 413


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    for read in (loki_requests.from_protobuf, loki_requests.from_json, Reader().read):
        try:
            read(body, NOW)
        except DecodeError as error:
            assert error.message
