"""The sender in the user's program: everything arrives, nothing waits, what is lost is counted."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.peers import answering, down, hanging
from tests.server import ENVIRONMENT
from treering.client import Bounds, Sender, TreeringHandler, otlp, shared

if TYPE_CHECKING:
    from tests.serving import Server

QUICK = Bounds(interval_s=0.02, timeout_s=0.5, exit_s=0.3)


def span(number: int) -> dict[str, Any]:
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": f"é😀 {number}",
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "attributes": otlp.attributes({"n": number}),
    }


def test_everything_arrives_once_and_in_order(server: Server) -> None:
    sender = Sender(server.url, service="app", bounds=Bounds(batch=7, interval_s=0.02))
    assert all(sender.span(span(number)) for number in range(100))
    assert sender.log({"timeUnixNano": "5", "body": {"stringValue": "hello"}}, "my.logger")
    assert sender.flush(20)
    assert [record["name"] for record in server.records("spans")] == [f"é😀 {number}" for number in range(100)]
    (record,) = server.records("logs")
    assert (record["body"], record["instrumentationScope"]["name"]) == ("hello", "my.logger")
    assert record["serviceName"] == "app"
    assert record["resource"]["attributes"]["process.pid"] == os.getpid()
    assert (sender.sent, sender.dropped, sender.refused) == (101, 0, 0)


def test_a_busy_store_is_asked_again_and_nothing_is_lost(server: Server) -> None:
    server.busy = True
    sender = Sender(server.url, bounds=QUICK)
    drawn = random.getstate()
    for number in range(10):
        sender.span(span(number))
    while not server.refused:
        time.sleep(0.01)
    server.busy = False
    assert sender.flush(20)
    assert random.getstate() == drawn, "a training run that seeded its draws must get the same ones with us in it"
    assert len(server.records("spans")) == 10


@pytest.mark.parametrize("kind", ["down", "hanging"])
def test_putting_takes_no_time_whatever_the_server_does(kind: str) -> None:
    with hanging() as address:
        sender = Sender(address if kind == "hanging" else down(), bounds=Bounds(max_items=100, timeout_s=5))
        began = time.perf_counter()
        kept = sum(sender.span(span(number)) for number in range(2000))
        assert time.perf_counter() - began < 2
        assert sender.dropped == 2000 - kept >= 1000
        began = time.perf_counter()
        assert not sender.flush(0.2)
        sender.close(0.2)
        assert time.perf_counter() - began < 2
        assert not sender.span(span(0))


def test_a_server_that_always_fails_is_given_up_batch_by_batch(caplog: pytest.LogCaptureFixture) -> None:
    with answering(500) as (address, bodies):
        sender = Sender(address, bounds=QUICK)
        sender.span(span(0))
        until = time.monotonic() + 20
        while not sender.refused and time.monotonic() < until:
            sender.flush(0.05)
        assert (sender.refused, sender.sent) == (1, 0)
        assert len(bodies) == 6
        sender.close(0)
    assert "status 500" in caplog.text


def test_what_is_refused_for_good_is_not_sent_again() -> None:
    with answering(401) as (address, bodies):
        sender = Sender(address, bounds=QUICK)
        sender.span(span(0))
        assert sender.flush(10)
        assert (sender.refused, len(bodies)) == (1, 1)


def test_bytes_are_bounded_too() -> None:
    sender = Sender(down(), bounds=Bounds(max_bytes=10_000, timeout_s=0.5))
    kept = sum(sender.span({**span(number), "name": "x" * 1000}) for number in range(100))
    assert kept < 25
    sender.close(0)


def test_from_many_threads() -> None:
    with answering(200) as (address, bodies):
        sender = Sender(address, bounds=QUICK)
        threads = [
            threading.Thread(target=lambda k=k: [sender.span(span(k * 200 + n)) for n in range(200)]) for k in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sender.flush(20)
        names = [
            one["name"]
            for body in bodies
            for group in body["resourceSpans"]
            for scope in group["scopeSpans"]
            for one in scope["spans"]
        ]
    assert len(set(names)) == len(names) == 1600


def test_wrong_addresses_are_a_mistake_at_once() -> None:
    for address in ("127.0.0.1:7600", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="not an http"):
            Sender(address)


def run(code: str, address: str) -> tuple[subprocess.CompletedProcess[str], float]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env={**ENVIRONMENT, "TREERING_ENDPOINT": address},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done, time.perf_counter() - began


EXIT = """
    from treering.client import shared
    for n in range(50):
        shared().log({"timeUnixNano": "1", "body": {"stringValue": str(n)}})
"""


def test_a_program_that_ends_sends_what_is_left(server: Server) -> None:
    done, _ = run(EXIT, server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.records("logs")) == 50


def test_a_program_ends_although_the_server_hangs() -> None:
    with hanging() as address:
        done, seconds = run(EXIT, address)
    assert done.returncode == 0
    assert seconds < 15


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_child_of_a_fork_sends_for_itself(server: Server) -> None:
    code = """
        import os
        from treering.client import shared
        log = lambda text: shared().log({"timeUnixNano": "1", "body": {"stringValue": text}})
        log("parent")
        shared().flush()
        if (child := os.fork()) == 0:
            log("child")
            shared().flush()
            os._exit(0)
        os.waitpid(child, 0)
        log("parent again")
    """
    done, _ = run(code, server.url)
    assert done.returncode == 0, done.stderr
    assert sorted(record["body"] for record in server.records("logs")) == ["child", "parent", "parent again"]


def test_it_needs_the_standard_library_alone() -> None:
    code = """
        import sys
        import treering.client
        print([name for name in sys.modules if name.split(".")[0] in {"duckdb", "msgspec", "numpy", "opentelemetry"}])
    """
    assert run(code, "")[0].stdout.strip() == "[]"


@settings(deadline=None, max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_value_can_be_sent(value: Any) -> None:
    import msgspec

    from treering.parse.otlp import Signal, decode_json

    item = otlp.encode({"attributes": otlp.attributes({"v": value}), "timeUnixNano": "1"})
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s]}]}]}' % item
    msgspec.json.decode(body)
    export = decode_json(Signal.LOGS, body, 1)
    assert (len(export.records), export.rejected) == (1, 0)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def logged(server: Server, work: Any) -> list[dict[str, Any]]:
    sender = Sender(server.url, bounds=QUICK)
    logger = logging.getLogger("live.treering")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = TreeringHandler(sender)
    logger.addHandler(handler)
    try:
        work(logger)
    finally:
        logger.removeHandler(handler)
    assert sender.flush(20)
    return server.records("logs")


def test_the_logging_handler(server: Server) -> None:
    def work(logger: logging.Logger) -> None:
        logger.warning("slow %s", "retrieval", extra={"took_ms": 930, "tags": ["a", "b"], "odd": Hostile()})
        try:
            raise IndexError("k > ntotal")
        except IndexError:
            logger.exception("search failed")
        logger.critical("%d", "not a number")
        logger.info("half \ud800 surrogate")

    slow, failed, broken, half = logged(server, work)
    assert (slow["body"], slow["severityText"], slow["severityNumber"]) == ("slow retrieval", "WARN", 13)
    assert (slow["attributes"]["took_ms"], slow["attributes"]["tags"]) == (930, ["a", "b"])
    assert slow["attributes"]["odd"] == "<Hostile>"
    assert slow["attributes"]["code.file.path"] == __file__
    assert slow["instrumentationScope"]["name"] == "live.treering"
    assert failed["attributes"]["exception.type"] == "IndexError"
    assert "k > ntotal" in failed["attributes"]["exception.stacktrace"]
    assert (broken["body"], broken["severityNumber"]) == ("%d", 21)
    assert half["body"] == "half \ufffd surrogate"


def test_the_logging_handler_names_the_current_span(server: Server) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("t").start_as_current_span("outer") as outer:
        context = outer.get_span_context()
        (record,) = logged(server, lambda logger: logger.info("inside"))
    assert (record["traceId"], record["spanId"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_a_handler_on_the_root_logger_does_not_hear_itself() -> None:
    sender = Sender(down(), bounds=QUICK)
    handler = TreeringHandler(sender)
    logging.getLogger("treering.client").addHandler(handler)
    try:
        sender.log({"timeUnixNano": "1"})
        time.sleep(0.3)
    finally:
        logging.getLogger("treering.client").removeHandler(handler)
    assert sender.dropped == 0
    sender.close(0)
    until = time.monotonic() + 10
    while not sender.dropped and time.monotonic() < until:
        time.sleep(0.01)
    assert sender.dropped == 1
    assert shared("http://127.0.0.1:1") is shared("http://127.0.0.1:1")
