"""A known day through the real server: what it found, to be compared with what happened."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.serving import Server
from treering.app.config import Follow
from treering.model.finding import from_record
from treering.testing.day import FILES, Day, play
from treering.testing.day.outcome import Outcome, first_records
from treering.testing.day.shown import unfounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_PATIENCE_S = 900.0


def watch(directory: Path, seed: int) -> Outcome:
    """Play the day of `seed` through the protocols into a running server and return what it noticed."""
    logs = directory / "logs"
    follow = tuple(Follow(paths=(str(logs / file.path),), service=file.service, host=file.host) for file in FILES)
    day = Day(seed)
    truth = day.truth()
    with Server(directory / "data", follow=follow) as server:
        arguments = (day, server.url, server.grpc.address, str(logs))
        sender = multiprocessing.get_context("spawn").Process(target=play, args=arguments)
        sender.start()
        try:
            sender.join(_PATIENCE_S)
            assert sender.exitcode == 0, "the day is not sent in time" if sender.is_alive() else sender.exitcode
        finally:
            sender.kill()
        _settled(server)
        findings = [from_record(record) for record in server.records("findings")]
        incidents = [case.incident for case in server.pipeline.incidents.book.cases()]
        assert detection_failures(server) == {}
        spans = server.records("spans")
        count = len(spans) + len(server.records("logs"))
        wrong = unfounded(findings, server.store.records)
    return Outcome(truth, findings, incidents, first_records(truth, _starts(spans)), count, wrong)


def detection_failures(server: Server) -> dict[str, object]:
    """Return the detectors that failed, with how."""
    assert server.pipeline.detection is not None
    failures: dict[str, object] = server.pipeline.detection.status()["failures"]
    return failures


def _settled(server: Server) -> None:
    """Wait until nothing has come and nothing is to be watched for ten seconds."""
    detection = server.pipeline.detection
    assert detection is not None
    until, newest, since = time.monotonic() + _PATIENCE_S, -1, time.monotonic()
    while time.monotonic() < until:
        if (now := server.store.newest_seq()) != newest or not detection.settled():
            newest, since = now, time.monotonic()
        if time.monotonic() - since > 10:
            server.pipeline.incidents.settle()
            return
        time.sleep(0.25)
    raise AssertionError("detection does not come to an end")


def _starts(spans: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return when each trace began."""
    times: dict[str, int] = defaultdict(lambda: 2**63)
    for record in spans:
        times[record["traceId"]] = min(times[record["traceId"]], record["startTime"])
    return times
