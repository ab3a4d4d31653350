"""Amazon Data Firehose: the contract, subscriptions of CloudWatch, keys, bombs."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from tests.receive.test_contract import HttpSender
from tests.serving import Server
from treering.core.access import Token, digest
from treering.receive import firehose
from treering.testing.receiver_contract import ReceiverContract, Sender, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from treering.stage.source import Context


def delivery(items: list[Any]) -> bytes:
    packed = [{"data": base64.b64encode(item).decode()} if isinstance(item, bytes) else item for item in items]
    return json.dumps({"requestId": "r1", "timestamp": 1, "records": packed}).encode()


def count(body: bytes) -> tuple[int, int]:
    """Return how many items of a delivery are texts, and how many are none."""
    try:
        held = json.loads(body)
        items = held["records"]
        assert isinstance(held["requestId"], str)
        assert isinstance(items, list)
    except (ValueError, LookupError, TypeError, AssertionError):
        return 0, 0
    good = 0
    for item in items:
        try:
            good += base64.b64decode(item["data"], validate=True).startswith(b"record ")
        except (ValueError, LookupError, TypeError):
            continue
    return good, len(items) - good


class FirehoseSender(HttpSender):
    async def send(self, body: bytes) -> Verdict:
        response = await self.ask(body)
        good, bad = count(body)
        answer = json.loads(response.body)
        assert answer["timestamp"]
        assert (response.status == 200) == ("errorMessage" not in answer)
        if response.status == 503:
            return Verdict(retry=good)
        return Verdict(accepted=good, rejected=bad) if response.status == 200 else Verdict(rejected=good)


class TestFirehose(ReceiverContract):
    async def connect(self, context: Context) -> Sender:
        return FirehoseSender(firehose.build(firehose.Config(), context), "/firehose", "application/json")

    def body(self, marks: Sequence[str]) -> bytes:
        return self.mixed(marks, 0)

    def mixed(self, marks: Sequence[str], bad: int) -> bytes:
        wrong: list[Any] = [{"data": "%%%"}, 5, gzip.compress(b"x" * 99)[:-9]][:bad]
        good = [mark.encode() for mark in marks]
        return delivery([good[0], *wrong, *good[1:]])

    def mark_of(self, record: dict[str, Any]) -> str:
        return str(record["body"])


def test_a_subscription_of_cloudwatch(server: Server) -> None:
    events = [
        {"id": "e1", "timestamp": 1_795_489_000_000, "message": '{"level":"error","msg":"no answer","model":"m"}'},
        {"id": "e2", "timestamp": 1_795_489_000_001, "message": "plain é"},
    ]
    data = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/ai/x", "logStream": "s", "logEvents": events}
    headers = {
        "X-Amz-Firehose-Source-Arn": "arn:aws:firehose:x",
        "X-Amz-Firehose-Common-Attributes": json.dumps({"commonAttributes": {"env": "ci"}}),
    }
    body = gzip.compress(delivery([gzip.compress(json.dumps(data).encode())]))
    answer = server.request("POST", "/firehose", body, {**headers, "Content-Encoding": "gzip"})
    assert (answer.status, json.loads(answer.body)["requestId"]) == (200, "r1")
    first, second = server.records("logs")
    assert (first["body"], first["severityNumber"], first["attributes"]["model"]) == ("no answer", 17, "m")
    assert (second["body"], second["@timestamp"]) == ("plain é", 1_795_489_000_001 * 10**6)
    about = {"aws.log.group.names": "/ai/x", "aws.firehose.arn": "arn:aws:firehose:x", "env": "ci"}
    assert about.items() <= second["attributes"].items()


def test_bombs_are_unreadable_records(server: Server) -> None:
    bomb = gzip.compress(b"a\n" * (40 << 20))
    answer = server.request("POST", "/firehose", delivery([bomb, b"good"]))
    assert answer.status == 200
    assert [record["body"] for record in server.records("logs")] == ["good"]
    (balance,) = server.telemetry.conservation()
    assert (balance.stored, balance.rejected, balance.holds) == (1, 1, True)


def test_its_access_key_is_a_token(tmp_path: Path) -> None:
    tokens = (Token(name="fh", sha256=digest("sesame"), role="ingest"),)
    with Server(tmp_path / "data", tokens=tokens) as server:
        for key, status in (("sesame", 200), ("wrong", 401)):
            headers = {"X-Amz-Firehose-Access-Key": key}
            assert server.request("POST", "/firehose", delivery([b"a"]), headers).status == status
