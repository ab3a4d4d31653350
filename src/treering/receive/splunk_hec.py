"""Splunk's HTTP Event Collector: events, raw lines, health and acknowledgements (docs.splunk.com, "HEC").

What the store cannot take now is answered 503 with code 9, which senders repeat. An unreadable event is answered 400
with its number after its readable neighbours have been stored. An acknowledgement is given only when everything
is durable, so every number that was handed out is true.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.config import Config as BaseConfig
from treering.core.errors import Retryable, TreeringError
from treering.model.batch import batch
from treering.parse import hec
from treering.parse.reader import Reader
from treering.receive._intake import off_loop, refuse, store
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.model.batch import Batch
    from treering.stage.source import Context, Request

NAME = "splunk_hec"
_JSON = {"content-type": "application/json"}
_CHANNELS = 4096
_CHANNEL = "x-splunk-request-channel"
SUCCESS, NO_DATA, MALFORMED, FAILED, BUSY, NO_CHANNEL, HEALTHY = 0, 5, 6, 8, 9, 10, 17
# HEC's own table: code to HTTP status and text. Who may not send is told 401 or 403 by the listener.
CODES = {
    SUCCESS: (200, "Success"),
    NO_DATA: (400, "No data"),
    MALFORMED: (400, "Invalid data format"),
    FAILED: (500, "Internal server error"),
    BUSY: (503, "Server is busy"),
    NO_CHANNEL: (400, "Data channel is missing"),
    hec.NO_EVENT: (400, "Event field is required"),
    hec.BLANK_EVENT: (400, "Event field cannot be blank"),
    hec.BAD_FIELDS: (400, "Error in handling indexed fields"),
    HEALTHY: (200, "HEC is healthy"),
}


class Config(BaseConfig, frozen=True):
    """Nothing to configure; addresses and limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the routes."""
    collector = _Collector(context)
    post, get = frozenset({"POST"}), frozenset({"GET"})
    routes = [Route(post, f"/services/collector{end}", collector.events, "ingest") for end in _ENDS["event"]]
    routes += [Route(post, f"/services/collector{end}", collector.raw, "ingest") for end in _ENDS["raw"]]
    routes += [Route(get, f"/services/collector{end}", _health, "public") for end in _ENDS["health"]]
    routes.append(Route(post, "/services/collector/ack", collector.acks, "ingest"))
    return tuple(routes)


_ENDS = {"event": ("", "/event", "/event/1.0"), "raw": ("/raw", "/raw/1.0"), "health": ("/health", "/health/1.0")}


async def _health(_request: Request) -> Response:
    return _answer(HEALTHY)


class _Collector:
    """Events in, codes out; the numbers of acknowledgements by channel."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._given: OrderedDict[str, int] = OrderedDict()

    async def events(self, request: Request) -> Response:
        """Store events and answer by HEC's codes."""

        def work() -> tuple[hec.Events, list[Batch]]:
            now = self._context.clock.now_ns()
            events = hec.decode(request.body, now, request.query)
            return events, [batch(name, part, received_ns=now) for name, part in events.records.items()]

        return await self._store(request, work)

    async def raw(self, request: Request) -> Response:
        """Store lines of text; `host`, `source`, `sourcetype`, `index` and `time` come in the query."""

        def work() -> tuple[hec.Events, list[Batch]]:
            now = self._context.clock.now_ns()
            reader = Reader(hec.about(request.query), now_ns=now, mode="logs")
            first, last = reader.feed(request.body), reader.end()
            found, rejected = first.records + last.records, first.rejected + last.rejected
            events = hec.Events({"logs": found} if found else {}, [(0, MALFORMED)] * len(rejected))
            return events, [batch("logs", found, received_ns=now)] if found else []

        return await self._store(request, work)

    async def _store(self, request: Request, work: Callable[[], tuple[hec.Events, list[Batch]]]) -> Response:
        if not request.body or request.body.isspace():
            refuse(self._context, NAME, "no data")
            return _answer(NO_DATA)
        events, batches = await off_loop(len(request.body), work)
        try:
            await store(self._context, NAME, batches, rejected=len(events.rejected))
        except Retryable as error:
            return _answer(BUSY, {"retry-after": str(max(1, math.ceil(error.retry_after_s)))})
        except TreeringError:
            return _answer(FAILED)
        if events.rejected:
            number, code = events.rejected[0]
            return _answer(code, number=number)
        channel = _channel(request)
        return _answer(SUCCESS, ack=self._next(channel) if channel else None)

    def _next(self, channel: str) -> int:
        number = self._given.pop(channel, 0)
        self._given[channel] = number + 1
        if len(self._given) > _CHANNELS:
            self._given.popitem(last=False)
        return number

    async def acks(self, request: Request) -> Response:
        """Tell which of the numbers asked for stand for durable events."""
        channel = _channel(request)
        if not channel:
            return _answer(NO_CHANNEL)
        try:
            asked = msgspec.json.decode(request.body, type=_Asked).acks
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _answer(MALFORMED)
        given = self._given.get(channel, 0)
        found = {str(number): 0 <= number < given for number in asked}
        return Response(200, msgspec.json.encode({"acks": found}), _JSON)


class _Asked(msgspec.Struct):
    acks: list[int]


def _channel(request: Request) -> str:
    return (request.headers.get(_CHANNEL) or request.query.get("channel", ""))[:128]


def _answer(
    code: int, headers: dict[str, str] | None = None, *, number: int | None = None, ack: int | None = None
) -> Response:
    status, text = CODES[code]
    body: dict[str, Any] = {"text": text, "code": code}
    if number is not None:
        body["invalid-event-number"] = number
    if ack is not None:
        body["ackId"] = ack
    return Response(status, msgspec.json.encode(body), {**_JSON, **(headers or {})})
