"""Requests that end before a receiver sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.stage.source import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


class Problem(Exception):  # noqa: N818  an HTTP answer, not a fault
    """An HTTP answer other than success; `message` says why in one line."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Keep status, message and further headers."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer, in a shape that both treering's and OpenSearch's clients can show."""
        kind = _KINDS.get(self.status, "http_error")
        error = {"type": kind, "reason": self.message, "message": self.message}
        body = msgspec.json.encode({"error": error, "status": self.status})
        return Response(self.status, body, {"content-type": "application/json", **self.headers})


_KINDS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "content_too_large_exception",
    415: "unsupported_media_type",
    429: "rejected_execution_exception",
    500: "bug",
}
