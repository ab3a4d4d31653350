"""Prometheus remote write 1.0: `POST /api/v1/write`, snappy-packed protobuf, as Prometheus and vmagent send it.

Success is 204. What the store cannot take now is answered 503, which senders repeat. Version 2 is answered 415,
whereupon senders that can fall back to version 1 do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, TreeringError
from treering.model.batch import batch
from treering.parse.remote_write import Reader, Write
from treering.receive._intake import off_loop, refuse, store
from treering.receive._packed import answer, unpacked
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.stage.source import Context, Request

NAME = "remote_write"


class Config(BaseConfig, frozen=True):
    """Nothing to configure; addresses and limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the route."""
    reader = Reader()

    async def handle(request: Request) -> Response:
        if "write.v2" in request.headers.get("content-type", ""):
            return Response(415, b"send remote write 1.0\n", {"content-type": "text/plain"})

        def work() -> Write:
            return reader.read(unpacked(request), context.clock.now_ns())

        try:
            write = await off_loop(len(request.body), work)
            made = [batch("metrics", write.records, received_ns=context.clock.now_ns())] if write.records else []
            await store(context, NAME, made, rejected=write.rejected)
        except TreeringError as error:
            if isinstance(error, DecodeError):
                refuse(context, NAME, "unreadable")
            return answer(error)
        if write.rejected:
            return Response(400, f"{write.rejected} samples are unreadable; the others are stored\n".encode())
        return Response(204)

    return (Route(frozenset({"POST"}), "/api/v1/write", handle, role="ingest"),)
