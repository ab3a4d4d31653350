"""Bodies that are snappy blocks whether a header says so or not, and plain answers to those who send them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cramjam

from treering.core.errors import DecodeError, Retryable, TreeringError
from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.stage.source import Request

MAX_UNPACKED = 64 << 20


def unpacked(request: Request) -> bytes:
    """Return the body of a request without its snappy block (the listener has undone what `Content-Encoding` names).

    Raises `DecodeError` for a damaged block and for more than 64 MiB.
    """
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        return request.body
    try:
        if cramjam.snappy.decompress_raw_len(request.body) > MAX_UNPACKED:
            raise DecodeError(f"the unpacked body is larger than {MAX_UNPACKED} bytes")
        return bytes(cramjam.snappy.decompress_raw(request.body))
    except (cramjam.DecompressionError, OSError) as error:
        raise DecodeError(f"not a snappy block: {error}") from error


def answer(error: TreeringError) -> Response:
    """Return 503 for what may succeed later, 400 for what may not."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    if isinstance(error, Retryable):
        return Response(
            503, error.message.encode(), {**headers, "retry-after": str(max(1, math.ceil(error.retry_after_s)))}
        )
    return Response(400, error.message.encode(), headers)
