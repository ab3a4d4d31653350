"""CloudWatch's wire: the contract, recorded and live boto3 and watchtower."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import pytest
import watchtower

from tests.receive.recordings import recordings
from tests.receive.test_contract import HttpSender
from treering.receive import cloudwatch_push
from treering.stage.source import Request, Response
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.serving import Server
    from treering.stage.source import Context


def count(body: bytes) -> int:
    try:
        found = json.loads(body)["logEvents"]
        return len(found) if isinstance(found, list) else 0
    except (ValueError, KeyError, TypeError):
        return 0


class PushSender(HttpSender):
    async def ask(self, body: bytes) -> Response:
        headers = {"x-amz-target": "Logs_20140328.PutLogEvents"}
        return await self.route.handle(Request("POST", "/", {}, {}, headers, body))

    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        sent = count(body)
        if response.status == 503:
            return Verdict(retry=sent)
        if response.status != 200:
            assert json.loads(response.body)["__type"]
            return Verdict(rejected=sent)
        rejected = json.loads(response.body).get("rejectedItems", 0)
        return Verdict(accepted=sent - rejected, rejected=rejected)


class TestCloudwatchPush(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return PushSender(cloudwatch_push.build(cloudwatch_push.Config(), context), "/", "")

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong: list[Any] = [{"timestamp": "soon", "message": "x"}, {"message": "x"}, 5][:bad]
        good = [{"timestamp": 1, "message": mark} for mark in marks]
        events = [good[0], *wrong, *good[1:]]
        return json.dumps({"logGroupName": "g", "logStreamName": "s", "logEvents": events}).encode()

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


READS = {"FilterLogEvents", "GetLogEvents", "StartQuery", "GetQueryResults"}


@pytest.mark.parametrize("capture", ["cloudwatch-boto3", "cloudwatch-watchtower"])
def test_recorded_clients(server: Server, shared: Path, capture: str) -> None:
    sent, seen = [], set()
    for one in recordings(shared / "captures" / capture):
        operation = dict(one.headers)["X-Amz-Target"].rpartition(".")[2]
        if one.body in seen:
            continue  # repeated because AWS wants the log stream created first, which treering does not
        answer = server.replay(one.method, one.path, one.headers, one.body)
        assert answer.status == (400 if operation in READS else 200), answer.body
        if operation in READS:
            assert json.loads(answer.body)["__type"] == "UnknownOperationException"
        if operation == "PutLogEvents":
            seen.add(one.body)
            sent += json.loads(one.body)["logEvents"]
            about = {"aws.log.group.names": json.loads(one.body)["logGroupName"]}
    records = server.records("logs")
    assert [record["@timestamp"] for record in records] == [event["timestamp"] * 1_000_000 for event in sent]
    for record, event in zip(records, sent, strict=True):
        assert about.items() <= record["attributes"].items()
        if event["message"].startswith("{"):
            said = json.loads(event["message"])
            assert said in (
                {"level": record.get("severityText"), "msg": record.get("body")},
                {"a": record["attributes"].get("a")},
            )
        else:
            assert record["body"] == event["message"]
    if capture.endswith("boto3"):
        (point,) = server.records("metrics")
        assert (point["name"], point["value"], point["unit"]) == ("Latency", 1.5, "Seconds")
        assert point["attributes"] == {"aws.cloudwatch.namespace": "AI"}


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    config = botocore.config.Config(retries={"max_attempts": 2, "mode": "standard"})
    found = boto3.client(
        "logs", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
        config=config,
    )  # fmt: skip
    yield found
    found.close()


def test_live_boto3(client: Any, server: Server) -> None:
    client.create_log_group(logGroupName="/ai/x")
    client.create_log_stream(logGroupName="/ai/x", logStreamName="s")
    events = [{"timestamp": 1_795_489_000_000 + number, "message": f"é😀 {number}"} for number in range(100)]
    assert client.put_log_events(logGroupName="/ai/x", logStreamName="s", logEvents=events)["nextSequenceToken"]
    assert [record["body"] for record in server.records("logs")] == [event["message"] for event in events]
    server.busy = True
    with pytest.raises(client.exceptions.ServiceUnavailableException):
        client.put_log_events(logGroupName="/ai/x", logStreamName="s", logEvents=events)
    assert server.refused >= 2  # it tried again by itself


def test_live_watchtower(client: Any, server: Server) -> None:
    handler = watchtower.CloudWatchLogHandler(
        "/ai/live", boto3_client=client, send_interval=1, create_log_group=True, log_stream_name="main"
    )
    logger = logging.getLogger("live.watchtower")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("slow %s é", "retrieval")
        handler.flush()
    finally:
        logger.removeHandler(handler)
        handler.close()
    (record,) = server.records("logs")
    assert record["body"] == "slow retrieval é"
    assert record["attributes"]["aws.log.stream.names"] == "main"
