"""OTLP over HTTP: `POST /v1/{logs,traces,metrics}` in protobuf or JSON (opentelemetry.io/docs/specs/otlp).

Langfuse's SDK sends the same to `/api/public/otel/v1/traces`. What the store cannot take now is answered 503 with
`Retry-After`, which every exporter retries (Python's does not retry 429); what cannot be read is 400, for good.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, Retryable, TreeringError
from treering.parse.otlp import Signal
from treering.receive import _otlp
from treering.receive._intake import refuse
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treering.parse.otlp import Export
    from treering.stage.source import Context, Request

NAME = "otlp_http"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_POST = frozenset({"POST"})


class Config(BaseConfig, frozen=True):
    """OTLP over HTTP has nothing to configure; addresses and limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the routes of OTLP over HTTP."""
    paths = [(f"/v1/{signal}", signal) for signal in Signal]
    paths += [(f"/api/public/otel/v1/{signal}", signal) for signal in Signal]
    return tuple(Route(_POST, path, _handler(context, signal), role="ingest") for path, signal in paths)


def _handler(context: Context, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (PROTOBUF, JSON):
            refuse(context, NAME, "content type")
            return Response(415, b"send application/x-protobuf or application/json\n", {"content-type": "text/plain"})
        json = kind == JSON
        try:
            export = await _otlp.receive(context, NAME, signal, request.body, json=json)
        except TreeringError as error:
            return _refusal(context, error, json=json)
        return _success(signal, export, json=json)

    return handle


def _success(signal: Signal, export: Export, *, json: bool) -> Response:
    if json:
        return Response(200, msgspec.json.encode(_otlp.answer_json(signal, export)), {"content-type": JSON})
    return Response(200, _otlp.answer(signal, export), {"content-type": PROTOBUF})


def _refusal(context: Context, error: TreeringError, *, json: bool) -> Response:
    headers = {"content-type": JSON if json else PROTOBUF}
    delay = None
    if isinstance(error, Retryable):
        http, code, delay = 503, _otlp.UNAVAILABLE, error.retry_after_s
        headers["retry-after"] = str(max(1, math.ceil(delay)))
    else:
        http, code = 400, _otlp.INVALID_ARGUMENT
        if isinstance(error, DecodeError):
            refuse(context, NAME, "unreadable")
    if json:
        return Response(http, msgspec.json.encode({"code": code, "message": error.message}), headers)
    return Response(http, _otlp.status(code, error.message, delay), headers)
