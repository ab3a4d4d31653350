"""CloudWatch Logs: every event once, whatever happens in between; who asks too often waits."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import pytest
from moto import mock_aws

from tests.serving import Server
from treering.core.clock import ManualClock, SystemClock
from treering.core.errors import Retryable, UserError
from treering.core.telemetry import Telemetry
from treering.receive import cloudwatch
from treering.stage.source import Context
from treering.testing.sinks import FailingSink, FullSink, RecordingSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEDROCK = {
    "timestamp": "2026-11-24T03:02:17Z", "accountId": "123456789012", "region": "us-east-1", "requestId": "r-1",
    "operation": "Converse", "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
    "identity": {"arn": "arn:aws:iam::123456789012:user/bot"},
    "schemaType": "ModelInvocationLog", "schemaVersion": "1.0",
    "input": {
        "inputContentType": "application/json", "inputTokenCount": 12,
        "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "hi é"}]}]},
    },
    "output": {
        "outputContentType": "application/json", "outputTokenCount": 5,
        "outputBodyJson": {"output": {"message": {"content": [{"text": "hello"}]}}, "stopReason": "end_turn"},
    },
}  # fmt: skip


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("logs", region_name="us-east-1")


def put(aws: Any, group: str, stream: str, messages: list[str], at_ms: int | None = None) -> None:
    for create, names in (
        (aws.create_log_group, {"logGroupName": group}),
        (aws.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        with suppress(aws.exceptions.ResourceAlreadyExistsException):
            create(**names)
    stamp = at_ms or time.time_ns() // 1_000_000
    events = [{"timestamp": stamp + number, "message": text} for number, text in enumerate(messages)]
    aws.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@contextmanager
def reading(folder: Path, **config: Any) -> Iterator[Server]:
    table = {"use": "cloudwatch", "groups": ["/ai/*"], "region": "us-east-1", "every_s": 0.05, **config}
    with Server(folder / "data", sources=(table,)) as server:
        yield server


def bodies(server: Server, count: int) -> list[str]:
    """Return the bodies of all records, once there are `count` and none more comes."""
    until = time.monotonic() + 30
    while len(server.records("logs")) < count and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    return sorted(record["body"] for record in server.records("logs"))


def test_every_event_once_across_restarts(aws: Any, tmp_path: Path) -> None:
    put(aws, "/ai/vllm", "s1", [f"one {number:03}" for number in range(150)])
    put(aws, "/ai/rag", "s2", ["two é😀"])
    put(aws, "/other", "s", ["not asked for"])
    with reading(tmp_path) as server:
        expected = [*(f"one {number:03}" for number in range(150)), "two é😀"]
        assert bodies(server, 151) == expected
        put(aws, "/ai/vllm", "s3", ["late"], time.time_ns() // 1_000_000 - 60_000)
        expected.append("late")
        assert bodies(server, 152) == sorted(expected)
        (record,) = [one for one in server.records("logs") if one["body"] == "two é😀"]
        assert record["attributes"]["aws.log.group.names"] == "/ai/rag"
        assert record["attributes"]["aws.log.stream.names"] == "s2"
        assert server.pipeline.listening()[0][2] == "open"
    put(aws, "/ai/vllm", "s1", ["while nobody read"])
    expected.append("while nobody read")
    with reading(tmp_path) as server:
        assert bodies(server, 153) == sorted(expected)
    (state,) = (tmp_path / "data").glob("cloudwatch-*.json")
    state.unlink()  # as after a crash before the first save: all is read again, nothing is doubled
    with reading(tmp_path) as server:
        assert bodies(server, 153) == sorted(expected)
        assert server.telemetry.conservation() == []


def test_what_messages_say_is_read(aws: Any, tmp_path: Path) -> None:
    lines = [
        '{"level":"error","msg":"no answer","model":"m"}',
        json.dumps(BEDROCK),
        "Traceback (most recent call last):\n  x\nE: v",
    ]
    put(aws, "/ai/app", "s", lines)
    with reading(tmp_path, service="bedrock") as server:
        until = time.monotonic() + 30
        while len(server.records("logs")) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        said, invoked, traced = server.records("logs")
    assert (said["body"], said["severityNumber"], said["attributes"]["model"]) == ("no answer", 17, "m")
    assert invoked["serviceName"] == "bedrock"
    kept = {name: invoked["attributes"][name] for name in BEDROCK if name != "timestamp"}
    assert kept == {name: value for name, value in BEDROCK.items() if name != "timestamp"}
    assert invoked["@timestamp"] == 1_795_489_337 * 10**9
    assert traced["body"] == lines[2]


def test_bedrock_s_files_from_a_bucket(server: Server) -> None:
    body = gzip.compress((json.dumps(BEDROCK) + "\n").encode() * 2)
    answer = server.request("POST", "/api/ingest/logs", body, {"Content-Encoding": "gzip"})
    assert answer.status == 200, answer.body
    first, second = server.records("logs")
    assert first == second
    assert first["attributes"]["input"] == BEDROCK["input"]
    assert first["attributes"]["modelId"] == BEDROCK["modelId"]


class Client:
    """A client of AWS's with events, whose answers fail as told."""

    def __init__(self, events: list[dict[str, Any]], errors: list[str]) -> None:
        self.events = events
        self.errors = errors
        self.calls = 0

    def filter_log_events(self, startTime: int, endTime: int, nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        if self.errors and (code := self.errors.pop(0)):
            raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": code}}, "FilterLogEvents")
        found = [event for event in self.events if startTime <= event["timestamp"] <= endTime]
        page = found[int(nextToken) : int(nextToken) + 3]
        more = {"nextToken": str(int(nextToken) + 3)} if int(nextToken) + 3 < len(found) else {}
        return {"events": page, **more}


class NoIds:
    def find_ids(self, _stream: str, _ids: Any) -> dict[str, int]:
        return {}


def rounds(
    client: Client, sink: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, count: int = 1, clock: Any = None
) -> tuple[Telemetry, list[str]]:
    session = type("Session", (), {"__init__": lambda *_, **__: None, "client": lambda *_, **__: client})
    monkeypatch.setattr(boto3, "Session", session)
    telemetry, states = Telemetry(), []

    async def scenario() -> None:
        config = cloudwatch.Config(groups=("/g",), region="r", state=str(folder / "state.json"))
        source = cloudwatch.build(config, Context(sink, clock or SystemClock(), telemetry), NoIds())
        waits: list[float] = []

        async def no_wait(seconds: float) -> None:
            waits.append(seconds)

        reader = source.work.__self__  # type: ignore[attr-defined]
        reader.pause = no_wait
        for _ in range(count):
            try:
                await source.work()
                states.append("open")
            except Exception as error:  # noqa: BLE001  what it was is looked at
                states.append(str(error))
        states.append(f"waited {waits}")

    asyncio.run(scenario())
    return telemetry, states


def events(count: int, at_ms: int) -> list[dict[str, Any]]:
    return [
        {"timestamp": at_ms + number, "message": f"m{number}", "eventId": f"e{number}", "logStreamName": "s"}
        for number in range(count)
    ]


def test_who_asks_too_often_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = RecordingSink()
    client = Client(
        events(8, time.time_ns() // 1_000_000 - 60_000),
        ["ThrottlingException", "ThrottlingException", "", "Throttling"],
    )
    _, states = rounds(client, sink, tmp_path, monkeypatch)
    assert states == ["open", "waited [1.0, 2.0, 1.0]"]
    assert [record["body"] for record in sink.records()] == [f"m{number}" for number in range(8)]
    client.errors = ["AccessDeniedException"]
    _, states = rounds(client, sink, tmp_path, monkeypatch)
    assert "AccessDenied" in states[0]
    client.errors = ["ThrottlingException"] * 20
    _, states = rounds(client, sink, tmp_path, monkeypatch)
    assert states == [states[0], "waited [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]"]


def test_a_store_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = RecordingSink()
    failing = FailingSink(kept, seed=2, rate=0.5, errors=[lambda: Retryable("busy")])
    client = Client(events(20, time.time_ns() // 1_000_000 - 60_000), [])
    telemetry, states = rounds(client, failing, tmp_path, monkeypatch, count=3)
    assert states[-2] == "open"
    assert [record["body"] for record in kept.records()] == [f"m{number}" for number in range(20)]
    assert all(balance.holds and not balance.in_flight for balance in telemetry.conservation())
    full = FullSink(RecordingSink(), permanent=True)
    (tmp_path / "no").mkdir()
    telemetry, states = rounds(client, full, tmp_path / "no", monkeypatch)
    assert "no room" in states[0]
    assert not (tmp_path / "no" / "state.json").exists()
    assert all(balance.holds and not balance.in_flight for balance in telemetry.conservation())


def test_long_absences_are_read_slice_by_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_795_489_000_000
    (tmp_path / "state.json").write_text(json.dumps({"/g": now - 5 * 3_600_000}))
    client = Client(events(1, now - 4 * 3_600_000), [])
    sink = RecordingSink()
    rounds(client, sink, tmp_path, monkeypatch, count=2, clock=ManualClock(now * 1_000_000))
    assert sink.count == 1
    assert client.calls == 6
    assert json.loads((tmp_path / "state.json").read_text()) == {"/g": now - 300_000}


def test_settings_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(RecordingSink(), SystemClock(), Telemetry())
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for config, message in (
        (cloudwatch.Config(groups=()), "no log groups"),
        (cloudwatch.Config(groups=("/g",)), "region"),
        (cloudwatch.Config(groups=("/g",), profile="nobody"), "nobody"),
    ):
        with pytest.raises(UserError, match=message):
            cloudwatch.build(config, context, NoIds())
