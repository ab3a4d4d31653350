"""CloudWatch's own wire, for programs that ship there by boto3 or watchtower: `POST /` with `X-Amz-Target`.

`PutLogEvents` and `PutMetricData` are taken in; groups and streams need not be created before. Signatures are not
checked, as the secret key is AWS's: without tokens this is for loopback, with tokens senders are refused. What the
store cannot take now is answered 503, which AWS's clients repeat.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.config import Config as BaseConfig
from treering.core.errors import Retryable, TreeringError
from treering.model.batch import batch
from treering.parse.messages import records as explain
from treering.receive._intake import off_loop, refuse, store
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.model.batch import Batch
    from treering.parse.messages import Message
    from treering.stage.parser import Record
    from treering.stage.source import Context, Request

NAME = "cloudwatch_push"
_MILLISECOND, _SECOND = 1_000_000, 1_000_000_000
_TOKEN = "0" * 56  # AWS has not looked at sequence tokens since 2023
# Operations that senders ask on their way, and what is enough for them.
_ANSWERS: dict[str, dict[str, Any]] = {
    "CreateLogGroup": {},
    "CreateLogStream": {},
    "PutRetentionPolicy": {},
    "TagResource": {},
    "TagLogGroup": {},
    "DescribeLogGroups": {"logGroups": []},
    "DescribeLogStreams": {"logStreams": []},
}


class Config(BaseConfig, frozen=True):
    """Nothing to configure; addresses and limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the route."""

    async def handle(request: Request) -> Response:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in _ANSWERS and operation not in _READERS:
            return _refusal(400, "UnknownOperationException", f"{operation[:60] or 'no operation'} is not for treering")
        try:
            fields = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            refuse(context, NAME, "not json")
            return _refusal(400, "SerializationException", "the body is not a json object")
        if operation in _ANSWERS:
            return _answer(_ANSWERS[operation])
        return await _take(context, operation, fields, len(request.body))

    return (Route(frozenset({"POST"}), "/", handle, role="ingest"),)


async def _take(context: Context, operation: str, fields: dict[str, Any], size: int) -> Response:
    def work() -> tuple[list[Batch], int]:
        now = context.clock.now_ns()
        stream, found, rejected = _READERS[operation](fields, now)
        return [batch(stream, found, received_ns=now)] if found else [], rejected

    batches, rejected = await off_loop(size, work)
    try:
        await store(context, NAME, batches, rejected=rejected)
    except Retryable as error:
        return _refusal(503, "ServiceUnavailableException", error.message)
    except TreeringError as error:
        return _refusal(400, "InvalidParameterException", error.message)
    if rejected and not batches:
        return _refusal(400, "InvalidParameterException", f"{rejected} items are not as CloudWatch has them")
    told = {"nextSequenceToken": _TOKEN} if operation == "PutLogEvents" else {}
    return _answer({**told, "rejectedItems": rejected} if rejected else told)


def _logs(fields: dict[str, Any], now_ns: int) -> tuple[str, list[Record], int]:
    """Return the records of `PutLogEvents` and how many events are none."""
    events = fields.get("logEvents")
    events = events if isinstance(events, list) else []
    names = {"aws.log.group.names": fields.get("logGroupName"), "aws.log.stream.names": fields.get("logStreamName")}
    about = {name: text for name, text in names.items() if isinstance(text, str)}
    messages: list[Message] = []
    for event in events:
        time, text = (event.get("timestamp"), event.get("message")) if isinstance(event, dict) else (None, None)
        if type(time) is int and isinstance(text, str) and text and 0 <= time < 2**63 // _MILLISECOND:
            messages.append(({"@timestamp": time * _MILLISECOND, "attributes": dict(about)}, text))
    return "logs", explain(messages, now_ns), len(events) - len(messages)


def _metrics(fields: dict[str, Any], now_ns: int) -> tuple[str, list[Record], int]:
    """Return the data points of `PutMetricData` and how many are none."""
    data = fields.get("MetricData")
    data = data if isinstance(data, list) else []
    found = [point for one in data if isinstance(one, dict) and (point := _point(one, fields, now_ns)) is not None]
    return "metrics", found, len(data) - len(found)


def _point(one: dict[str, Any], fields: dict[str, Any], now_ns: int) -> Record | None:
    name, value, totals = one.get("MetricName"), one.get("Value"), one.get("StatisticValues")
    if not isinstance(name, str):
        return None
    time = one.get("Timestamp")
    moment = round(time * _SECOND) if isinstance(time, int | float) and 0 <= time < 2**63 // _SECOND else now_ns
    dimensions = one.get("Dimensions")
    named = [item for item in dimensions if isinstance(item, dict)] if isinstance(dimensions, list) else []
    attributes = {str(item.get("Name")): item.get("Value") for item in named}
    record: Record = {"@timestamp": moment, "time": moment, "name": name}
    record["attributes"] = {"aws.cloudwatch.namespace": fields.get("Namespace"), **attributes}
    if isinstance(unit := one.get("Unit"), str):
        record["unit"] = unit
    if type(value) in (int, float):
        return {**record, "kind": "GAUGE", "value": value}
    if isinstance(totals, dict) and type(totals.get("SampleCount")) in (int, float):
        parts = {"count": "SampleCount", "sum": "Sum", "min": "Minimum", "max": "Maximum"}
        return {**record, "kind": "SUMMARY", **{short: totals.get(long) for short, long in parts.items()}}
    if isinstance(values := one.get("Values"), list) and values:
        return {**record, "kind": "GAUGE", "values": values, "counts": one.get("Counts")}
    return None


_READERS = {"PutLogEvents": _logs, "PutMetricData": _metrics}


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    return Response(status, msgspec.json.encode(body) if body else b"", headers)


def _refusal(status: int, kind: str, message: str) -> Response:
    return _answer({"__type": kind, "message": message}, status)
