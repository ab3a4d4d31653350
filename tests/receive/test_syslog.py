"""Syslog over TCP and UDP: the contract, recorded and live senders, framing, pressure."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.handlers
import re
import shutil
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.core.errors import Retryable
from treering.core.telemetry import Telemetry
from treering.receive import _frames, syslog
from treering.receive._frames import Frames
from treering.stage.source import Context
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict
from treering.testing.sinks import FullSink, RecordingSink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

NOW = 1_795_421_300 * 10**9
MESSAGE = re.compile(r'<\d+>1 (?:\S+ ){5}(?:-|(?:\[(?:[^\]"]|"(?:\\.|[^"])*")*\])+)(?: (.*))?', re.DOTALL)
RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")


class TcpSender:
    def __init__(self, source: syslog.Syslog, telemetry: Telemetry) -> None:
        self.source = source
        self.telemetry = telemetry

    def books(self) -> tuple[int, int]:
        found = self.telemetry.conservation()
        return (found[0].stored, found[0].rejected) if found else (0, 0)

    async def send(self, body: bytes) -> Verdict:
        stored, rejected = self.books()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.source.port)
        try:
            writer.write(body)
            await writer.drain()
            writer.write_eof()
            assert await reader.read() == b""  # closed when everything is settled
        finally:
            writer.close()
        now_stored, now_rejected = self.books()
        return Verdict(accepted=now_stored - stored, rejected=now_rejected - rejected)

    async def close(self) -> None:
        await self.source.stop()
        await self.source.stop()


class TestSyslogTcp(ReceiverContract):
    patient = True

    async def connect(self, context: Context) -> Sender:
        source = syslog.build(syslog.Config(port=0, retry_s=0.001), context)
        await source.start()
        return TcpSender(source, context.telemetry)

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        good = [f"<14>1 - host app - - - {mark}".encode() for mark in marks]
        wrong = [b"<" + b"x" * _frames.MAX_FRAME] * bad
        return b"".join(b"%d %s" % (len(one), one) for one in [good[0], *wrong, *good[1:]])

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


def listen(
    work: Callable[[syslog.Syslog], Awaitable[None]], sink: Any = None, **config: Any
) -> tuple[list[dict[str, Any]], Telemetry]:
    kept, telemetry = RecordingSink(), Telemetry()

    async def scenario() -> None:
        context = Context(kept if sink is None else sink, ManualClock(NOW), telemetry)
        source = syslog.build(syslog.Config(port=0, **{"retry_s": 0.01, **config}), context)
        await source.start()
        try:
            await work(source)
        finally:
            await source.stop()

    asyncio.run(scenario())
    (balance,) = telemetry.conservation()
    assert balance.holds
    assert balance.in_flight == 0
    return kept.records(), telemetry


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


def replay(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a capture, sent again over the transport it came by."""
    bodies = sorted(folder.glob("*.body"))
    transport = json.loads(bodies[0].with_name("001.headers.json").read_text())["transport"]

    async def work(source: syslog.Syslog) -> None:
        if transport == "tcp":
            for body in bodies:
                assert await TcpSender(source, source._context.telemetry).send(body.read_bytes())
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for body in bodies:
                sender.sendto(body.read_bytes(), ("127.0.0.1", source.port))
            telemetry = source._context.telemetry
            await until(lambda: telemetry.value("treering_stored_records_total") == len(bodies))

    return listen(work)[0]


def header(facility: int, severity: int, text: str, number: int) -> dict[str, Any]:
    return {
        "severityText": text,
        "severityNumber": number,
        "attributes": {"log.syslog.facility.code": facility, "log.syslog.severity.code": severity},
    }


@pytest.mark.parametrize("name", ["rsyslog-tcp-3164", "rsyslog-tcp-5424", "rsyslog-udp-5424"])
def test_rsyslog(shared: Path, name: str) -> None:
    triton, sshd = replay(shared / "captures" / name)
    said = 'inference failed: "quote" \\back é'
    if name.endswith("3164"):  # a tag without its colon cannot be told from the message
        assert triton["body"] == f"triton {said}"
    else:
        assert (triton["body"], triton["serviceName"]) == (said, "triton")
    assert (triton["severityNumber"], triton["attributes"]["log.syslog.facility.code"]) == (17, 19)
    assert sshd["body"].strip() == "Failed password for root from 203.0.113.9 port 22 ssh2"
    assert (sshd["serviceName"], sshd["attributes"]["process.pid"]) == ("sshd", 123)
    assert triton["resource"] == sshd["resource"] == {"attributes": {"host.name": "vm"}}
    assert triton["@timestamp"] // 10**9 == sshd["@timestamp"] // 10**9 == 1_795_421_293
    if name.endswith("5424"):
        assert triton["@timestamp"] % 10**9 == 244_077_000
        assert triton["attributes"]["log.syslog.structured_data"] == {
            "timeQuality": {"tzKnown": "1", "isSynced": "0"},
            "ai@32473": {"model": "bert", "ver": "2"},
        }


@pytest.mark.parametrize("name", ["syslog-py-tcp", "syslog-py-udp"])
def test_recorded_python_handler(shared: Path, name: str) -> None:
    assert replay(shared / "captures" / name) == [
        {**header(1, 6, "info", 9), "body": "model loaded"},
        {**header(1, 3, "err", 17), "body": "oom é"},
    ]


def test_octet_counted_messages_of_the_collector(shared: Path) -> None:
    folder = shared / "captures" / "otelcol-syslog-tcp-octet"
    records = replay(folder)
    body = (folder / "001.body").read_bytes()
    expected = []
    while body:
        count, _, rest = body.partition(b" ")
        frame, body = rest[: int(count)].decode(), rest[int(count) :]
        found = MESSAGE.fullmatch(frame.rstrip("\n"))
        assert found
        expected.append(found[1] or "")
    assert len(records) == len(expected) > 8
    plain = [(record.get("body", ""), text) for record, text in zip(records, expected, strict=True) if text[:1] != "{"]
    assert [body for body, _ in plain] == [text for _, text in plain]
    assert max(map(len, expected)) > 16_000
    assert all(record["serviceName"] for record in records)


def live_logger(handler: logging.Handler) -> None:
    logger = logging.getLogger("live.syslog")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("slow %s é😀", "retrieval")
        try:
            raise IndexError("k > ntotal")
        except IndexError:
            logger.exception("search failed")
        logger.error('{"level": "error", "msg": "inner", "model": "m"}')
    finally:
        logger.removeHandler(handler)
        handler.close()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_live_python_handler(kind: socket.SocketKind) -> None:
    async def work(source: syslog.Syslog) -> None:
        handler = logging.handlers.SysLogHandler(("127.0.0.1", source.port), socktype=kind)
        handler.ident = "rag[7]: "
        await asyncio.to_thread(live_logger, handler)
        await until(lambda: source._context.telemetry.value("treering_stored_records_total") == 3)

    slow, failed, inner = listen(work)[0]
    assert slow["body"] == "slow retrieval é😀"
    assert (slow["serviceName"], slow["attributes"]["process.pid"]) == ("rag", 7)
    assert failed["body"].startswith("search failed\nTraceback (most recent call last):\n")
    assert failed["attributes"]["exception.type"] == "IndexError"
    assert (inner["body"], inner["attributes"]["model"], inner["severityNumber"]) == ("inner", "m", 17)


@pytest.mark.skipif(RSYSLOGD is None, reason="needs rsyslogd")
def test_live_rsyslog_forwards(tmp_path: Path) -> None:
    async def work(source: syslog.Syslog) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        target = f'target="127.0.0.1" port="{source.port}"'
        (tmp_path / "rsyslog.conf").write_text(
            f'global(workDirectory="{tmp_path}" net.enableDNS="off")\n'
            f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}")\n'
            f'action(type="omfwd" {target} protocol="tcp" template="RSYSLOG_SyslogProtocol23Format")\n'
            f'action(type="omfwd" {target} protocol="tcp" TCP_Framing="octet-counted")\n'
            f'action(type="omfwd" {target} protocol="udp")\n'
        )
        daemon = await asyncio.create_subprocess_exec(
            str(RSYSLOGD), "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid"),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        telemetry = source._context.telemetry
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                end = time.monotonic() + 20
                while telemetry.value("treering_stored_records_total") < 3 and time.monotonic() < end:
                    sender.sendto('<11>triton[7]: inference "failed" é'.encode(), ("127.0.0.1", port))
                    await asyncio.sleep(0.3)
        finally:
            daemon.terminate()
            await daemon.wait()

    records, _ = listen(work)
    assert len(records) >= 3
    for record in records:
        assert record["body"].strip() == 'inference "failed" é'
        assert (record["serviceName"], record["attributes"]["process.pid"]) == ("triton", 7)


def cuts(data: bytes, step: int = 1 << 30) -> list[bytes]:
    frames, out = Frames(), []
    for start in range(0, len(data), step):
        out += frames.feed(data[start : start + step]).frames
    return out + frames.end().frames


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (b"<14>a\n<14>b\n", [b"<14>a", b"<14>b"]),
        (b"<14>a\r\n<14>b", [b"<14>a", b"<14>b"]),
        (b"<14>a\0<11>b\n c\0", [b"<14>a", b"<11>b\n c"]),
        (b"<14>a\n b\0<11>c\0", [b"<14>a\n b", b"<11>c"]),
        (b"7 <14>a\nb<14>c\n6 <14>d\n", [b"<14>a\nb", b"<14>c", b"<14>d"]),
        (b"5 <14>a5 <14>b", [b"<14>a", b"<14>b"]),
        (b"2026-01-01 no priority\n12 bottles\n", [b"2026-01-01 no priority", b"12 bottles"]),
        (b"\n\0\r\n", []),
    ],
)
def test_frames(data: bytes, frames: list[bytes]) -> None:
    assert cuts(data) == frames


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_counted_frames_do_not_depend_on_how_they_are_cut(texts: list[bytes], step: int) -> None:
    frames = [b"<14>" + text for text in texts]
    data = b"".join(b"%d %s" % (len(frame), frame) for frame in frames)
    assert cuts(data, step) == [frame.rstrip(b"\0\r\n") for frame in frames]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_messages_or_rejected(data: bytes) -> None:
    frames = Frames(limit=64)
    cut, last = frames.feed(data), frames.end()
    found = cut.frames + last.frames
    assert len(syslog.parse(found, NOW)) == len(found)


def test_frames_beyond_the_limit_lose_themselves_alone() -> None:
    frames = Frames(limit=10)
    cut = frames.feed(b"<14>" + b"x" * 50)
    cut2 = frames.feed(b"x" * 50 + b"\n<14>a\n99 <" + b"y" * 98 + b"<14>b\n")
    assert (cut.rejected, cut2.rejected) == ([_frames.TOO_LONG], [_frames.TOO_LONG])
    assert cut2.frames == [b"<14>a", b"<14>b"]


def test_messages_that_are_not_utf8_keep_their_bytes() -> None:
    (record,) = syslog.parse([b"<14>caf\xe9"], NOW)
    assert record["body"] == "caf\ufffd"
    assert record["attributes"]["log.record.original.base64"] == "PDE0PmNhZuk="


def test_datagrams_beyond_the_queue_are_counted() -> None:
    class Never:
        async def append(self, _batches: Any) -> int:
            raise Retryable("busy")

    async def work(source: syslog.Syslog) -> None:
        telemetry = source._context.telemetry
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<14>first", ("127.0.0.1", source.port))
            await until(lambda: telemetry.value("treering_in_flight_records") == 1)
            for _ in range(60):
                sender.sendto(b"<14>" + b"x" * 100, ("127.0.0.1", source.port))
            await until(lambda: telemetry.value("treering_dropped_records_total", reason="queue full") > 0)

    syslog_drain, syslog._DRAIN_S = syslog._DRAIN_S, 0.1
    try:
        _, telemetry = listen(work, Never(), queue_bytes=1024)
    finally:
        syslog._DRAIN_S = syslog_drain
    assert telemetry.value("treering_dropped_records_total", reason="stopped while the store was busy") >= 1


def test_tcp_senders_are_held_back_while_the_store_is_full() -> None:
    kept = RecordingSink()
    full = FullSink(kept, room=0)

    async def work(source: syslog.Syslog) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"<14>waits\n")
        await asyncio.sleep(0.2)
        assert kept.count == 0
        full.room = 10
        await until(lambda: kept.count == 1)
        writer.close()

    listen(work, full)
    assert [record["body"] for record in kept.records()] == ["waits"]


def test_a_taken_port_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[str, str]:
        context = Context(RecordingSink(), ManualClock(), Telemetry())
        first = syslog.build(syslog.Config(port=0), context)
        await first.start()
        second = syslog.build(syslog.Config(port=first.port), context)
        await second.start()
        states = first.state, second.state
        await asyncio.gather(first.stop(), second.stop())
        return states

    assert asyncio.run(scenario()) == ("open", "address already in use")
