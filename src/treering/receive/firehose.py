"""Amazon Data Firehose's delivery to an HTTP endpoint: `POST /firehose`.

docs.aws.amazon.com/firehose, "HTTP endpoint delivery request and response specifications".

Each record's data is a piece of a log of whatever format, packed with gzip or not; CloudWatch's subscriptions come this
way. The access key is a treering token. Anything but 200 makes Firehose send the same request again.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, Retryable, TreeringError
from treering.model.batch import batch
from treering.parse.reader import Reader
from treering.parse.records import surround
from treering.receive._intake import off_loop, refuse, store
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.stage.parser import Record
    from treering.stage.source import Context, Request

NAME = "firehose"
_MAX_UNPACKED = 64 << 20
_GZIP = b"\x1f\x8b"


class Config(BaseConfig, frozen=True):
    """Nothing to configure; addresses and limits are the listener's."""


class _Item(msgspec.Struct):
    data: str


class _Delivery(msgspec.Struct, rename="camel"):
    request_id: str
    records: list[msgspec.Raw]


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the route."""

    async def handle(request: Request) -> Response:
        now = context.clock.now_ns()
        try:
            delivery = msgspec.json.decode(request.body, type=_Delivery)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            refuse(context, NAME, "not a delivery")
            return _answer(400, request.headers.get("x-amz-firehose-request-id", ""), now, "not a delivery of records")
        found, rejected = await off_loop(len(request.body), lambda: _records(delivery.records, _about(request), now))
        made = [batch("logs", found, received_ns=now)] if found else []
        try:
            await store(context, NAME, made, rejected=rejected)
        except TreeringError as error:
            return _answer(503 if isinstance(error, Retryable) else 400, delivery.request_id, now, error.message)
        return _answer(200, delivery.request_id, now)

    return (Route(frozenset({"POST"}), "/firehose", handle, role="ingest"),)


def _about(request: Request) -> Record:
    """Return what a delivery says about all of its records: where it comes from, and its common attributes."""
    attributes: dict[str, Any] = {}
    if source := request.headers.get("x-amz-firehose-source-arn"):
        attributes["aws.firehose.arn"] = source
    try:
        held = msgspec.json.decode(request.headers.get("x-amz-firehose-common-attributes", "{}").encode("latin-1"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        held = {}
    common = held.get("commonAttributes") if isinstance(held, dict) else None
    if isinstance(common, dict):
        attributes |= common
    return {"attributes": attributes} if attributes else {}


def _records(items: list[msgspec.Raw], about: Record, now_ns: int) -> tuple[list[Record], int]:
    """Return what the records of a delivery hold, and how many are unreadable or have unreadable lines."""
    found: list[Record] = []
    rejected, room = 0, _MAX_UNPACKED
    for item in items:
        try:
            data = _unpacked(item, room)
        except DecodeError:
            rejected += 1
            continue
        room -= len(data)
        reader = Reader(now_ns=now_ns, mode="logs")
        first, last = reader.feed(data), reader.end()
        found += [surround(about, record) if about else record for record in first.records + last.records]
        rejected += len(first.rejected) + len(last.rejected)
    return found, rejected


def _unpacked(item: msgspec.Raw, room: int) -> bytes:
    try:
        data = base64.b64decode(msgspec.json.decode(item, type=_Item).data, validate=True)
        if not data.startswith(_GZIP):
            return data
        inflater = zlib.decompressobj(31)
        plain = inflater.decompress(data, max(1, room))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError, zlib.error) as error:
        raise DecodeError(f"unreadable record: {error}") from error
    if not inflater.eof:
        raise DecodeError("the data is cut off, or larger than 64 MiB unpacked")
    return plain


def _answer(status: int, request_id: str, now_ns: int, message: str = "") -> Response:
    body: dict[str, Any] = {"requestId": request_id, "timestamp": now_ns // 1_000_000}
    if message:
        body["errorMessage"] = message
    return Response(status, msgspec.json.encode(body), {"content-type": "application/json"})
