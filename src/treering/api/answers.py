"""Answers and errors as HTTP messages."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from treering.core.errors import Permanent, Retryable, TreeringError, UserError
from treering.stage.source import Request, Response

T = TypeVar("T")
_JSON = {"content-type": "application/json; charset=utf-8"}


class NotFound(UserError):  # noqa: N818  named after what HTTP calls it
    """What the request names does not exist: HTTP 404."""


def answer(value: Any, status: int = 200) -> Response:
    """Return `value` as a JSON answer."""
    return Response(status, msgspec.json.encode(value), _JSON)


def failure(error: TreeringError) -> Response:
    """Return the answer that tells the caller about `error` (docs/api.md)."""
    body = {"error": error.as_dict()}
    if isinstance(error, NotFound):
        body["error"]["type"] = "NotFound"
        return answer(body, 404)
    if isinstance(error, UserError):
        return answer(body, 400)
    if isinstance(error, Retryable):
        reply = answer(body, 503)
        return Response(503, reply.body, {**_JSON, "retry-after": str(max(1, round(error.retry_after_s)))})
    return answer(body, 507 if isinstance(error, Permanent) else 500)


def body(request: Request, kind: type[T]) -> T:
    """Return the request's JSON body as `kind`. Raises `UserError` naming the field that is wrong."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the request body: {error}") from error


def number(request: Request, name: str, default: int, most: int) -> int:
    """Return the query parameter `name` as a number from 0 to `most`. Raises `UserError`."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        raise UserError(f"{name}={text[:20]!r} is not a number from 0 to {most}")
    return int(text)
