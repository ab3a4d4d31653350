"""Loki's push API: `POST /loki/api/v1/push` in snappy-packed protobuf (Promtail, Alloy) or JSON (Fluent Bit, curl).

Success is 204. What the store cannot take now is answered 503, which senders repeat; what cannot be read is 400, for
good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, TreeringError
from treering.model.batch import batch
from treering.parse import loki
from treering.receive._intake import off_loop, refuse, store
from treering.receive._packed import answer, unpacked
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.stage.source import Context, Request

NAME = "loki"


class Config(BaseConfig, frozen=True):
    """Nothing to configure; addresses and limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the route."""

    async def handle(request: Request) -> Response:
        json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"

        def work() -> loki.Push:
            now = context.clock.now_ns()
            return loki.from_json(request.body, now) if json else loki.from_protobuf(unpacked(request), now)

        try:
            push = await off_loop(len(request.body), work)
            made = [batch("logs", push.records, received_ns=context.clock.now_ns())] if push.records else []
            await store(context, NAME, made, rejected=push.rejected)
        except TreeringError as error:
            if isinstance(error, DecodeError):
                refuse(context, NAME, "unreadable")
            return answer(error)
        if push.rejected:
            return Response(400, f"{push.rejected} entries are unreadable; the others are stored\n".encode())
        return Response(204)

    return (Route(frozenset({"POST"}), "/loki/api/v1/push", handle, role="ingest"),)
